//! Order within lanes, places beside each other, and what is given up.

use super::*;

fn lane(network: Network, name: &str) -> LaneId {
    (network, name.to_owned())
}

fn message(number: u64, old: bool) -> Arrival {
    Arrival { number, old, expendable: true }
}

fn handshake(number: u64) -> Arrival {
    Arrival { number, old: false, expendable: false }
}

fn numbers(lanes: &mut Lanes, now: Instant) -> Vec<u64> {
    std::iter::from_fn(|| lanes.next(now)).map(|attempt| attempt.number).collect()
}

#[test]
fn one_lane_goes_in_order_and_others_go_beside_it() {
    let now = Instant::now();
    let mut lanes = Lanes::default();
    for number in 0..6 {
        let name = if number % 2 == 0 { "a" } else { "b" };
        lanes.add(lane(Network::Matrix, name), message(number, false));
    }
    assert_eq!(numbers(&mut lanes, now), [0, 1]);
    lanes.done(1);
    assert_eq!(numbers(&mut lanes, now), [3]);
    lanes.done(0);
    lanes.done(3);
    assert_eq!(numbers(&mut lanes, now), [2, 5]);
    lanes.done(2);
    lanes.done(5);
    lanes.done(5);
    assert_eq!(numbers(&mut lanes, now), [4]);
    assert_eq!(lanes.len(), 1);
    lanes.done(4);
    assert!(lanes.is_empty() && lanes.next(now).is_none() && lanes.lanes.is_empty());
}

#[test]
fn what_failed_is_tried_again_before_anything_behind_it() {
    let now = Instant::now();
    let mut lanes = Lanes::default();
    lanes.add(lane(Network::Xmpp, "a"), message(1, false));
    lanes.add(lane(Network::Xmpp, "a"), message(2, false));
    let mut at = now;
    for (attempt, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
        let expected = Attempt { number: 1, attempt, tried_before: attempt > 1 };
        assert_eq!(lanes.next(at), Some(expected));
        assert_eq!(lanes.later(1, at, None), Duration::from_secs(wait));
        assert_eq!(lanes.next(at), None);
        at = lanes.next_due().unwrap();
    }
    assert!(lanes.next(at).is_some());
    assert_eq!(lanes.later(1, at, Some(333_000)), Duration::from_secs(333));
    assert!(lanes.next(at + Duration::from_secs(332)).is_none());
    let at = at + Duration::from_secs(333);
    assert!(lanes.next(at).is_some());
    assert_eq!(lanes.later(1, at, Some(u64::MAX)), RETRY_ASKED_MAX);
    let at = lanes.next_due().unwrap();
    assert!(lanes.next(at).is_some());
    lanes.done(1);
    assert_eq!(lanes.next(at), Some(Attempt { number: 2, attempt: 1, tried_before: false }));
}

#[test]
fn an_entry_from_before_the_start_counts_as_tried() {
    let mut lanes = Lanes::default();
    lanes.add(lane(Network::Matrix, "a"), message(7, true));
    let attempt = lanes.next(Instant::now()).unwrap();
    assert_eq!(attempt, Attempt { number: 7, attempt: 1, tried_before: true });
}

#[test]
fn a_network_that_hangs_holds_only_its_own_places() {
    let now = Instant::now();
    let mut lanes = Lanes::default();
    let count = EFFECTS_AT_ONCE_MAX as u64;
    for number in 0..count * 2 {
        lanes.add(lane(Network::Matrix, &number.to_string()), message(number, false));
    }
    assert_eq!(numbers(&mut lanes, now).len() as u64, count);
    lanes.add(lane(Network::Xmpp, "a"), message(1000, false));
    assert_eq!(numbers(&mut lanes, now), [1000]);
    lanes.done(0);
    assert_eq!(numbers(&mut lanes, now), [count]);
}

#[test]
fn a_lane_that_grows_too_long_gives_up_its_oldest_message_and_never_a_handshake() {
    let now = Instant::now();
    let (mut lanes, lane) = (Lanes::default(), lane(Network::Xmpp, "dead"));
    let count = LANE_ENTRIES_MAX as u64;
    assert_eq!(lanes.add(lane.clone(), message(0, false)), None);
    assert_eq!(lanes.add(lane.clone(), handshake(1)), None);
    for number in 2..count {
        assert_eq!(lanes.add(lane.clone(), message(number, false)), None);
    }
    // The first one may be on its way.
    let given_up = |number, first| Some(GivenUp { number, first });
    assert_eq!(lanes.add(lane.clone(), message(count, false)), given_up(2, true));
    assert_eq!(lanes.add(lane.clone(), handshake(count + 1)), given_up(3, false));
    assert_eq!(lanes.len(), LANE_ENTRIES_MAX);
    for number in [0, 1, 4] {
        assert_eq!(numbers(&mut lanes, now), [number]);
        lanes.done(number);
    }
}

#[test]
fn handshakes_alone_make_a_lane_as_long_as_they_are() {
    let mut lanes = Lanes::default();
    for number in 0..LANE_ENTRIES_MAX as u64 + 10 {
        assert_eq!(lanes.add(lane(Network::Xmpp, "a"), handshake(number)), None);
    }
    assert_eq!(lanes.len(), LANE_ENTRIES_MAX + 10);
}

#[test]
fn a_lane_that_is_dropped_takes_all_of_its_entries_along_whatever_becomes_of_the_first() {
    let now = Instant::now();
    let dead = lane(Network::Xmpp, "dead");
    for state in ["due", "running", "resting"] {
        let mut lanes = Lanes::default();
        for number in 0..3 {
            lanes.add(dead.clone(), message(number, false));
        }
        if state != "due" {
            assert_eq!(numbers(&mut lanes, now), [0]);
        }
        if state == "resting" {
            lanes.later(0, now, None);
        }
        assert_eq!(lanes.drop_lane(&dead), [0, 1, 2], "{state}");
        assert!(lanes.is_empty());
        lanes.add(lane(Network::Xmpp, "alive"), message(3, false));
        assert_eq!(numbers(&mut lanes, now), [3], "{state}");
        // The same lane may be used again, and the end of an old attempt means nothing in it.
        lanes.add(dead.clone(), message(4, false));
        lanes.later(0, now, None);
        lanes.done(0);
        assert_eq!(numbers(&mut lanes, now + RETRY_LAST), [4], "{state}");
        assert_eq!(lanes.len(), 2);
    }
}
