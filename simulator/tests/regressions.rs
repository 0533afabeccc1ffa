//! Traces that once broke a promise, as small as they were found. The exact tests of what was mended
//! stand in mls-core/tests/member_flows/returning_amid.rs.

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
