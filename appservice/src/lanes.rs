//! Which effect is carried out next: within a lane one after the other, lanes beside each other.
//!
//! A state machine without I/O and without a clock. It knows entries by their number only; a
//! network that is away for a day costs a few bytes a waiting effect.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use mls_core::address::Network;

use crate::limits::{EFFECTS_AT_ONCE_MAX, RETRY_ASKED_MAX, RETRY_FIRST, RETRY_LAST};

/// What must stay in order: a network and a lane of it.
pub type LaneId = (Network, String);

/// All entries that are not done.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Lanes with at least one entry; the first of each is the one to carry out.
    lanes: HashMap<LaneId, VecDeque<Waiting>>,
    /// Lanes whose first entry may be carried out now, the one that waits longest first.
    due: BTreeMap<Network, VecDeque<LaneId>>,
    /// Lanes whose first entry failed, by when it may be tried again.
    resting: BTreeMap<(Instant, u64), LaneId>,
    /// Entries that are being carried out.
    running: HashMap<u64, LaneId>,
    entries: usize,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    /// How often it was tried since the server started.
    attempts: u32,
    /// Whether it may have been tried before the server started.
    old: bool,
}

/// One attempt to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The number of the entry.
    pub number: u64,
    /// Which attempt it is since the server started, from 1.
    pub attempt: u32,
    /// Whether an earlier attempt may have reached the network.
    pub tried_before: bool,
}

impl Lanes {
    /// Adds an entry at the end of its lane. `old`: it was there before the server started, so
    /// nobody knows whether it was tried.
    pub fn add(&mut self, lane: LaneId, number: u64, old: bool) {
        let queue = self.lanes.entry(lane.clone()).or_default();
        let idle = queue.is_empty();
        queue.push_back(Waiting { number, attempts: 0, old });
        self.entries += 1;
        if idle {
            self.due.entry(lane.0).or_default().push_back(lane);
        }
    }

    /// The next attempt to make at `now`, if there is one; report it with [`Lanes::done`] or
    /// [`Lanes::later`].
    pub fn next(&mut self, now: Instant) -> Option<Attempt> {
        while let Some(entry) = self.resting.first_entry().filter(|entry| entry.key().0 <= now) {
            let lane = entry.remove();
            self.due.entry(lane.0).or_default().push_back(lane);
        }
        let lane = self.take_due(Network::Matrix).or_else(|| self.take_due(Network::Xmpp))?;
        let first = self.lanes.get_mut(&lane)?.front_mut()?;
        first.attempts = first.attempts.saturating_add(1);
        let (number, attempt) = (first.number, first.attempts);
        self.running.insert(number, lane);
        Some(Attempt { number, attempt, tried_before: first.old || attempt > 1 })
    }

    /// The lane that waits longest, where the network has a place free.
    fn take_due(&mut self, network: Network) -> Option<LaneId> {
        let running = self.running.values().filter(|lane| lane.0 == network).count();
        if running < EFFECTS_AT_ONCE_MAX { self.due.get_mut(&network)?.pop_front() } else { None }
    }

    /// When an entry that rests may be tried again.
    pub fn next_due(&self) -> Option<Instant> {
        self.resting.keys().next().map(|(at, _)| *at)
    }

    /// The entry was carried out, or given up: the next of its lane may go.
    pub fn done(&mut self, number: u64) {
        let Some(lane) = self.running.remove(&number) else { return };
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        queue.pop_front();
        self.entries = self.entries.saturating_sub(1);
        if queue.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.due.entry(lane.0).or_default().push_back(lane);
        }
    }

    /// The attempt failed: the same again, when the network asked for it or after a wait that
    /// doubles. Returns the wait.
    pub fn later(&mut self, number: u64, now: Instant, asked_ms: Option<u64>) -> Duration {
        let Some(lane) = self.running.remove(&number) else { return Duration::ZERO };
        let attempts = self.lanes.get(&lane).and_then(VecDeque::front).map_or(1, |w| w.attempts);
        let wait = match asked_ms {
            Some(asked) => Duration::from_millis(asked).min(RETRY_ASKED_MAX),
            None => backoff(attempts),
        };
        self.resting.insert((now + wait, number), lane);
        wait
    }

    /// Entries of one lane that are not done.
    pub fn waiting(&self, lane: &LaneId) -> usize {
        self.lanes.get(lane).map_or(0, VecDeque::len)
    }

    /// Entries that are not done.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether everything is done.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// 1, 2, 4 … 60 seconds after the first, second, third … attempt.
pub fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(network: Network, name: &str) -> LaneId {
        (network, name.to_owned())
    }

    fn numbers(lanes: &mut Lanes, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| lanes.next(now)).map(|attempt| attempt.number).collect()
    }

    #[test]
    fn one_lane_goes_in_order_and_others_go_beside_it() {
        let now = Instant::now();
        let mut lanes = Lanes::default();
        for number in 0..6 {
            lanes.add(
                lane(Network::Matrix, if number % 2 == 0 { "a" } else { "b" }),
                number,
                false,
            );
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
        lanes.add(lane(Network::Xmpp, "a"), 1, false);
        lanes.add(lane(Network::Xmpp, "a"), 2, false);
        let mut at = now;
        for (attempt, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)]
        {
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
        lanes.add(lane(Network::Matrix, "a"), 7, true);
        let attempt = lanes.next(Instant::now()).unwrap();
        assert_eq!(attempt, Attempt { number: 7, attempt: 1, tried_before: true });
    }

    #[test]
    fn a_network_that_hangs_holds_only_its_own_places() {
        let now = Instant::now();
        let mut lanes = Lanes::default();
        let count = EFFECTS_AT_ONCE_MAX as u64;
        for number in 0..count * 2 {
            lanes.add(lane(Network::Matrix, &number.to_string()), number, false);
        }
        assert_eq!(numbers(&mut lanes, now).len() as u64, count);
        lanes.add(lane(Network::Xmpp, "a"), 1000, false);
        assert_eq!(numbers(&mut lanes, now), [1000]);
        lanes.done(0);
        assert_eq!(numbers(&mut lanes, now), [count]);
    }
}
