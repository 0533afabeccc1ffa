//! Traces that once broke a promise, as small as they were found. The exact tests of what was mended
//! stand in mls-core/tests/member_flows (returning_amid.rs, ending.rs).

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use simulator::Trace;

fn replay(text: &str) {
    let trace: Trace = text.parse().unwrap();
    assert_eq!(trace.play().failure, None, "{trace}");
}

#[test]
fn a_rejoin_that_meets_a_welcome_ends() {
    replay(
        "cast 1 1 1 1 1 1; create d4 matrix xmpp; work 15 714467; invite d4 g0 u1; rejoin d1 g0",
    );
}

#[test]
fn a_rejoin_that_meets_a_removal_ends() {
    replay(
        "cast 1 1 1; create d0 matrix xmpp; work 8 188224; invite d0 g0 u1; work 21 80839; \
         rejoin d1 g0; remove d0 g0 u1",
    );
}

#[test]
fn an_invitation_that_meets_a_rejoin_ends() {
    replay(
        "cast 1 1 1 1 1 1; create d5 matrix xmpp; work 8 104948; invite d5 g0 u2; work 29 548287; \
         back d2; send d2 g0 1; invite d5 g0 u4; rejoin d5 g0; back d2; work 7 348719",
    );
}

#[test]
fn a_way_back_that_meets_a_welcome_leads_back() {
    replay(
        "cast 2 1 1; create d1 matrix xmpp; work 15 807813; invite d1 g0 u1 u2; part xmpp; \
         work 9 925854; rejoin d2 g0",
    );
}

#[test]
fn a_group_that_is_lost_while_it_is_made_holds_up_no_command() {
    replay("cast 2 2 1 1; create d4 matrix xmpp; work 8 821666; invite d4 g0 u0; lose d4");
}

#[test]
fn who_leaves_and_is_invited_meanwhile_reads_what_came_between() {
    replay(
        "cast 1 1 1 1 1 1; create d4 matrix xmpp; work 8 74284; invite d4 g0 u1 u3 u5; \
         work 52 178832; rotate d1 g0; work 11 603592; leave d3 g0; work 36 266897 loses doubles; \
         invite d4 g0 u2; rotate d5 g0; work 2 739336 loses; send d5 g0 1; invite d4 g0 u3; \
         work 5 462536",
    );
}

#[test]
fn a_rejoin_waits_for_what_becomes_of_a_proposal() {
    replay(
        "cast 2 2 1 1; create d2 matrix xmpp; work 11 486135; invite d2 g0 u1 u2; work 33 289486; \
         propose-update d3 g0; work 9 434857; oust u1 g0; kick u2 g0; rejoin d3 g0",
    );
}

#[test]
fn a_join_that_meets_a_rejoin_ends() {
    replay(
        "cast 2 2 1 1; create d1 matrix xmpp; work 15 945564; let-in u1 g0; work 2 830408; \
         join d3 g0; work 4 523071; rejoin d3 g0",
    );
}

#[test]
fn a_group_that_everybody_is_put_out_of_ends() {
    replay(
        "cast 1 1 1; create d1 matrix xmpp; work 11 482141; invite d1 g0 u0; work 13 183182; \
         send d0 g0 1; kick u0 g0; kick u1 g0",
    );
}

#[test]
fn who_proposes_its_own_removal_and_is_alone_goes_on() {
    replay("cast 2 1 1; create d2 matrix xmpp; work 8 512799; propose-remove d2 g0 u1");
}

#[test]
fn a_proposal_that_meets_a_new_start_ends() {
    replay(
        "cast 2 1 1; create d1 matrix xmpp; work 15 120376; invite d1 g0 u0; work 13 987314; \
         propose-update d1 g0; reinit d0 g0 1; rejoin d1 g0",
    );
}

#[test]
fn what_a_new_key_of_the_hub_signs_accuses_nobody() {
    replay(
        "cast 1 2 1 1 2 1 1 1; create d8 matrix; work 8 726300; propose-add d8 g0 u2; sleep d3; \
         hub-keys; time 90000; back d7; back d8; back d9; propose-remove d8 g0 u2; \
         work 18 300744; invite d8 g0 u2; work 34 927401",
    );
}

#[test]
fn a_way_back_under_a_new_key_of_the_hub_that_fails_leaves_the_group_as_it_was() {
    replay(
        "cast 1 1 1; create d1 matrix xmpp; work 8 276001; invite d1 g0 u0 u2; hub-keys; \
         time 90000; back d0; back d1; back d2; work 60 541110 loses doubles; rejoin d2 g0; \
         remove d1 g0 u2; work 1 286280",
    );
}

#[test]
fn who_is_let_in_again_asks_for_the_welcome_that_was_lost() {
    replay(
        "cast 1 1 1; create d1 matrix xmpp; work 6 948268; invite d1 g0 u0; work 29 900047; \
         oust u0 g0; back d1; send d1 g0 3; work 5 724713; invite d1 g0 u0; work 31 59525 loses; \
         time 20; work 24 226853 loses; send d1 g0 1; time 259200",
    );
}

#[test]
fn a_join_that_meets_a_leaving_ends() {
    replay(
        "cast 1 2 1 1 2 1 1 1; create d4 matrix xmpp; work 15 254111; let-in u1 g0; \
         work 3 712862; join d2 g0; work 3 24319; leave d2 g0",
    );
}

#[test]
fn what_was_said_while_a_welcome_could_not_be_fetched_for_a_day_is_read() {
    replay(
        "cast 2 2 1 1; create d2 matrix xmpp; work 15 77069; invite d2 g0 u0 u1 u2 u3; \
         work 70 916928 loses; send d1 g0 1; work 4 135990; part matrix; time 90000",
    );
}

#[test]
fn who_is_put_out_before_the_certificate_of_its_key_comes_is_not_warned_of_it() {
    replay(
        "cast 2 2 1 1; create d2 matrix xmpp; work 29 622797; invite d2 g0 u0; work 52 327403; \
         invite d2 g0 u1; create d3 matrix xmpp; work 16 48926; cut d2; sleep d5; part matrix; \
         work 20 759429; propose-remove d3 g0 u0; invite d3 g1 u3; work 9 994814 loses; \
         kick u3 g1; work 6 539159",
    );
}

#[test]
fn who_was_put_out_while_the_room_ordered_the_group_is_removed_once_it_is_back() {
    replay(
        "cast 1 0 1 0 1; create d0 matrix; work 300 1; invite d0 g0 u2 u4; work 300 2; \
         order-room d0 g0; work 60 3; kick u4 g0; work 19 267854; order-hub d0 g0",
    );
}

#[test]
fn a_group_that_goes_back_to_its_room_at_once_has_not_fallen_apart() {
    replay(
        "cast 1 0 1 0 1 0 1 0 1 0 1 0; create d3 matrix; work 5 229125; invite d3 g0 u0 u10; \
         order-room d3 g0; order-hub d3 g0; order-room d3 g0",
    );
}

#[test]
fn a_commit_of_the_time_before_the_hub_had_the_group_again_is_no_alarm() {
    replay(
        "cast 1 0 1 0 1 0 1 0 1 0; create d3 matrix; work 21 579437; invite d3 g0 u0 u2 u4 u8; \
         work 30 791771 loses doubles; order-room d3 g0; send d3 g0 1; \
         work 55 974935 loses doubles; rotate d1 g0; crash d4 1 power; order-hub d3 g0; \
         time 20; work 42 191465; send d3 g0 1; order-room d3 g0; send d2 g0 1; back d1",
    );
}

#[test]
fn a_branch_of_before_is_not_handed_back() {
    replay(
        "cast 0 2 0 2 0 1 0 1; create d3 xmpp; work 15 772450; invite d3 g0 u1 u3; \
         work 52 58474; order-room d3 g0; rotate d2 g0; back d2; work 15 781811 loses; \
         order-hub d2 g0; rejoin d5 g0; time 20; back d4; work 26 534710; rotate d0 g0; \
         work 11 314300 loses; rotate d3 g0; order-room d2 g0; order-hub d3 g0",
    );
}

#[test]
fn a_commit_that_meets_the_switch_to_the_room_is_made_again() {
    replay(
        "cast 1 0 1 0 1; create d0 matrix; work 300 1; invite d0 g0 u2 u4; work 300 2; \
         kick u4 g0; work 8 984626; order-room d0 g0; work 0 995330; time 20",
    );
}

#[test]
fn who_is_let_in_while_the_room_orders_the_group_is_not_warned_of_its_commits() {
    replay(
        "cast 0 2 0 2 0 1 0 1; create d4 xmpp; work 13 853021; order-room d4 g0; part xmpp; \
         let-in u1 g0; time 90000; rotate d4 g0",
    );
}

#[test]
fn who_joined_after_the_hub_had_the_group_again_is_not_warned_of_commits_of_before() {
    replay(
        "cast 0 2 0 2 0 1 0 1; create d4 xmpp; work 8 384214; invite d4 g0 u1; \
         order-room d4 g0; time 90000; rotate d4 g0; order-hub d4 g0; work 4 340861; \
         invite d4 g0 u3; back d5; rotate d0 g0; reinit d4 g0 1",
    );
}

#[test]
fn who_leaves_with_a_fresh_key_and_joins_again_signs_with_its_devices_key() {
    replay(
        "cast 1 1 1; create d1 matrix xmpp; work 11 637736; invite d1 g0 u2; work 23 354733; \
         open d1 g0; change-key d2 g0; work 12 175788; leave d2 g0; work 27 94538; \
         let-in u2 g0; join d2 g0; work 8 286094; send d2 g0 1",
    );
}

#[test]
fn a_certificate_that_was_on_its_way_until_it_was_over_is_asked_for_again() {
    replay("cast 1 1 1; time 5270400; work 23 683705; sleep d0; work 29 555788; time 8208000");
}

#[test]
fn who_is_out_of_a_group_hears_no_more_of_its_key() {
    replay("cast 1 1 1; create d0 matrix; work 8 185699; change-key d0 g0; time 8208000");
}

#[test]
fn key_packages_that_could_not_be_uploaded_for_months_are_made_anew() {
    replay("cast 0 1 0 1 0 1 0 1 0 1; part xmpp; time 6048000; time 5270400");
}

#[test]
fn a_device_of_a_member_is_told_that_its_group_has_no_hub() {
    replay(
        "cast 0 2 0 2 0 1 0 1; create d1 xmpp; work 8 727252; order-room d1 g0; time 90000; \
         close d0 g0",
    );
}

#[test]
fn a_message_of_who_lost_a_group_without_a_hub_ends() {
    replay(
        "cast 0 1 0 1 0 1 0 1 0 1 0 1; create d3 xmpp; work 8 830964; invite d3 g0 u5; \
         work 21 511033; order-room d3 g0; lose d2; send d2 g0 1",
    );
}

#[test]
fn who_lost_the_group_and_has_a_new_certificate_comes_back() {
    replay(
        "cast 1 1 1 1 1 1; create d2 matrix xmpp; work 8 622262; invite d2 g0 u0; \
         time 6048000; rotate d0 g0; lose d0",
    );
}

#[test]
fn a_rejoin_that_meets_the_hand_back_to_the_hub_accuses_nobody() {
    replay(
        "cast 1 0 1 0 1 0 1 0 1 0; create d3 matrix; work 8 579437; invite d3 g0 u0 u2 u4 u8; \
         order-room d3 g0; work 27 978083; order-hub d3 g0; work 30 33915 doubles; rejoin d4 g0",
    );
}

#[test]
fn messages_that_waited_for_a_commit_in_the_room_keep_their_order() {
    replay(
        "cast 1 0 2 0 1 0 1 0 2 0 1 0 1 0 1 0; create d4 matrix; work 11 556788; \
         invite d4 g0 u0 u2 u4 u8 u12 u14; work 126 168033; order-room d4 g0; \
         work 18 719897 loses; send d8 g0 1; rotate d0 g0; work 6 421596; send d8 g0 1",
    );
}

#[test]
fn a_commit_of_who_is_put_out_of_the_room_that_orders_the_group_ends() {
    replay(
        "cast 0 2 0 2 0 1 0 1; create d5 xmpp; work 11 234628; invite d5 g0 u3; work 39 53290; \
         order-room d5 g0; work 7 222111; rotate d2 g0; work 1 665332; kick u3 g0",
    );
}

#[test]
fn who_is_added_by_the_commit_that_hands_the_group_to_its_room_is_in_it() {
    replay(
        "cast 0 1 0 1 0 1 0 1 0 1 0 1; create d0 xmpp; work 11 799872; create d5 xmpp; \
         work 8 856135; propose-add d5 g1 u1; order-room d5 g1",
    );
}

#[test]
fn a_first_update_in_a_room_that_orders_the_group_brings_no_key() {
    replay(
        "cast 0 1 0 2 0 1 0 1 0 2 0 1 0 1 0 1; create d1 xmpp; work 8 16979; invite d1 g0 u1; \
         work 29 850395; order-room d1 g0; work 4 316598; order-hub d1 g0; rotate d0 g0",
    );
}

#[test]
fn messages_of_a_branch_keep_their_order_after_the_hub_has_the_group_again() {
    replay(
        "cast 1 0 1 0 1 0 1 0 1 0; create d0 matrix; work 15 462524; invite d0 g0 u2 u6 u8; \
         work 33 901931; order-room d0 g0; work 45 390490; back d1; rotate d3 g0; order-hub d0 g0; \
         work 16 208633 loses; send d1 g0 1; rotate d1 g0; send d1 g0 3; work 39 311967; \
         crash hub 1 amid; crash d4 2 amid; kick u2 g0; work 17 170707",
    );
}

#[test]
fn who_lost_a_group_before_its_room_ordered_it_is_told_that_there_is_no_way_back() {
    replay(
        "cast 1 0 1 0 1 0 1 0 1 0 1 0; create d2 matrix; work 15 574327; invite d2 g0 u0 u10; \
         work 5 861088; work 18 185695; lose d5; order-room d2 g0; order-hub d2 g0",
    );
}

#[test]
fn a_welcome_under_a_key_that_is_newer_than_the_last_answer_of_the_hub_is_taken() {
    replay(
        "cast 2 2 1 1; create d5 matrix xmpp; time 90000; back d1; work 3 281524; hub-keys; \
         back d5; work 17 586773; invite d5 g0 u0",
    );
}

#[test]
fn who_is_invited_while_a_proposal_to_add_them_is_left_out_comes_in_all_the_same() {
    replay(
        "cast 1 1 1; create d1 matrix xmpp; work 8 587373; invite d1 g0 u0; work 39 171972; \
         propose-add d1 g0 u2; work 4 731275; send d0 g0 1; invite d1 g0 u2",
    );
}

#[test]
fn a_restart_whose_maker_is_put_out_has_failed_though_another_command_for_it_has_ended() {
    replay(
        "cast 1 2 1 1 2 1 1 1; create d9 matrix xmpp; work 15 559545; invite d9 g0 u0 u5; \
         work 39 971641; open d9 g0; work 9 323619; part matrix; restart d9 g0; work 9 770866; \
         join d7 g0; oust u7 g0; work 9 68031; restart d9 g0",
    );
}

#[test]
fn a_welcome_of_before_does_not_lead_back_from_the_group_that_follows() {
    replay(
        "cast 1 2 1 1 2 1 1 1 today; create d9 matrix xmpp; work 15 398470; invite d9 g0 u0 u1 u6; \
         work 70 366286 loses; past-epoch d9 g0 1; work 5 243201; reinit d9 g0 3; work 17 702447; \
         work 13 322017 loses; time 90000",
    );
}

#[test]
fn who_was_refused_the_way_into_a_group_by_its_room_comes_into_what_follows_it() {
    replay(
        "cast 1 0 1 0 1 0 today; create d2 matrix; work 8 742981; invite d2 g0 u0; \
         order-room d2 g0; may-add d2 g0; order-hub d2 g0; work 33 528537; join d0 g0; \
         order-room d2 g0; lose d0; order-hub d2 g0; work 6 411099; reinit d2 g0 1",
    );
}
