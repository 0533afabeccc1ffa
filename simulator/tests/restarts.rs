//! Traces of restarts that once broke a promise, as small as they were found.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use simulator::Trace;

fn replay(text: &str) {
    let trace: Trace = text.parse().unwrap();
    assert_eq!(trace.play().failure, None, "{trace}");
}

#[test]
fn a_restart_that_overtakes_the_commit_which_made_its_maker_an_admin_waits_for_that() {
    replay(
        "cast 2 2 1 1; create d2 matrix xmpp; work 15 622797; invite d2 g0 u0 u2 u3; \
         admin d2 g0 u2; work 31 181746 loses; work 37 734947 loses; restart d4 g0",
    );
}

#[test]
fn a_name_of_a_group_that_was_restarted_twice_means_the_last_one() {
    replay(
        "cast 1 1 1 1 1 1; create d5 matrix xmpp; work 11 447555; invite d5 g0 u2; \
         admin d5 g0 u2; restart d5 g0; work 18 813697; work 23 617708; restart d2 g1; \
         work 33 354093; remove d5 g0 u3",
    );
}

#[test]
fn a_command_for_a_group_that_was_restarted_ends_when_its_device_is_out_of_the_new_one() {
    replay(
        "cast 1 1 1; create d1 matrix xmpp; work 11 780318; invite d1 g0 u2; admin d1 g0 u2; \
         work 33 575893; restart d2 g0; work 36 427753; kick u1 g0; work 3 533793; back d1; \
         work 9 897468; remove d1 g0 u2",
    );
}

#[test]
fn a_command_for_a_group_that_was_restarted_waits_for_the_way_back_into_the_new_one() {
    replay(
        "cast 2 1 1; create d0 matrix xmpp; work 15 514775; invite d0 g0 u0; work 18 110111; \
         restart d0 g0; work 30 82032; lose d1; work 2 793885; admin d1 g0 u1",
    );
}

#[test]
fn a_join_that_fails_leaves_it_known_that_the_group_was_left() {
    replay(
        "cast 2 1 1; create d0 matrix xmpp; work 15 514775; invite d0 g0 u1; restart d0 g0; \
         work 15 766448; leave d0 g1; join d0 g0; work 45 552281; open d0 g0",
    );
}

#[test]
fn a_name_from_before_a_restart_leads_to_the_new_group_for_good() {
    replay(
        "cast 2 1 1; create d3 matrix xmpp; work 15 699491; restart d3 g0; time 5270400; \
         rejoin d3 g0; rotate d3 g0",
    );
}

#[test]
fn a_restart_waits_for_the_commit_that_brings_its_maker_another_key() {
    replay(
        "cast 2 2 1 1; create d0 matrix xmpp; work 11 497213; invite d0 g0 u0; \
         work 29 108504; send d1 g0 1; restart d1 g0",
    );
}

#[test]
fn who_is_removed_after_a_restart_and_added_again_by_somebody_else_comes_in() {
    replay(
        "cast 2 2 1 1; create d2 matrix xmpp; work 11 622797; invite d2 g0 u0 u2 u3; \
         work 94 327403; admin d2 g0 u2; work 13 868809; restart d4 g0; work 6 48926 loses; \
         crash hub 2 before; cut d2; lose d4; work 60 648382 loses; invite d3 g1 u3; \
         kick u3 g1",
    );
}

#[test]
fn who_was_not_in_a_group_that_was_restarted_again_comes_into_the_last_one_alone() {
    replay(
        "cast 1 1 1; create d0 matrix xmpp; work 15 267858; invite d0 g0 u1; work 21 467415; \
         restart d0 g0; work 6 677554; restart d0 g1",
    );
}

#[test]
fn a_new_start_of_a_group_whose_restart_was_lost_ends() {
    replay(
        "cast 2 1 1; create d2 matrix xmpp; work 15 926651; restart d2 g0; work 6 689610; \
         lose d2; reinit d2 g0 2",
    );
}

#[test]
fn who_is_to_be_removed_restarts_nothing() {
    replay(
        "cast 2 2 1 1; create d5 matrix xmpp; work 15 520197; invite d5 g0 u2; \
         work 4 340264; oust u3 g0; restart d5 g0",
    );
}

#[test]
fn who_was_removed_in_the_room_stays_there_after_a_restart() {
    replay(
        "cast 2 0 2 0 1 0 1 0; create d2 matrix; work 15 3372; invite d2 g0 u2 u6; \
         order-room d2 g0; work 33 931992; remove d3 g0 u6; work 8 248354; restart d3 g0",
    );
}

#[test]
fn who_was_put_out_while_the_room_ordered_the_group_restarts_nothing() {
    replay(
        "cast 0 1 0 1 0 1; create d2 xmpp; work 8 911907; invite d2 g0 u1; work 29 805869; \
         order-room d2 g0; kick u5 g0; work 8 367761; restart d2 g0",
    );
}

#[test]
fn who_left_between_a_new_start_and_its_group_restarts_nothing() {
    replay(
        "cast 2 1 1; create d0 matrix xmpp; work 11 79330; invite d0 g0 u0 u1; \
         work 52 754219; reinit d1 g0 3; work 6 570576; oust u0 g0; restart d1 g0",
    );
}

#[test]
fn who_loses_its_state_right_after_a_restart_comes_back_into_the_new_group_and_brings_everybody() {
    replay(
        "cast 1 1 1 1 1; create d4 matrix xmpp; work 15 768757; invite d4 g0 u0; \
         work 4 957868; restart d4 g0; lose d4",
    );
}

#[test]
fn who_lost_its_state_and_is_not_taken_into_a_new_group_is_out_of_the_old_one() {
    replay(
        "cast 1 1 1 1 1; create d4 matrix xmpp; work 15 768757; invite d4 g0 u0 u2; admin d4 g0 u0; \
         work 24 957868; restart d4 g0; work 33 657034; work 19 388759; work 31 885929; \
         send d0 g0 1; lose d4; kick u4 g0; restart d0 g1; invite d4 g0 u3",
    );
}
