//! Which effect is carried out next: within a lane one after the other, lanes beside each other.
//!
//! A state machine without I/O and without a clock. It knows entries by their number only; a
//! network that is away for a day costs a few bytes a waiting effect.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use mls_core::address::Network;

use crate::limits::{
    EFFECTS_AT_ONCE_MAX, LANE_ENTRIES_MAX, RETRY_ASKED_MAX, RETRY_FIRST, RETRY_LAST,
};

/// What must stay in order: a network and a lane of it.
pub type LaneId = (Network, String);

/// All entries that are not done.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Lanes with at least one entry; the first of each is the one to carry out.
    lanes: HashMap<LaneId, Lane>,
    /// Lanes whose first entry may be carried out now, the one that waits longest first.
    due: BTreeMap<Network, VecDeque<LaneId>>,
    /// Lanes whose first entry failed, by when it may be tried again.
    resting: BTreeMap<(Instant, u64), LaneId>,
    /// Entries that are being carried out.
    running: HashMap<u64, LaneId>,
    entries: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    /// Something was given up since it was empty.
    gave_up: bool,
}

#[derive(Debug)]
struct Waiting {
    entry: Arrival,
    /// How often it was tried since the server started.
    attempts: u32,
}

/// An entry on its way into a lane.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its number.
    pub number: u64,
    /// Whether it was there before the server started, so that nobody knows whether it was tried.
    pub old: bool,
    /// Whether it may be given up where its lane is too long: a message that is copied.
    pub expendable: bool,
}

/// An entry for which there was no place any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its number.
    pub number: u64,
    /// Whether it is the first one of its lane since that was empty.
    pub first: bool,
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
    /// Adds an entry at the end of its lane. Above [`LANE_ENTRIES_MAX`] the oldest expendable entry
    /// of the lane goes for it, but never the first, which may be on its way.
    pub fn add(&mut self, lane: LaneId, entry: Arrival) -> Option<GivenUp> {
        let queue = self.lanes.entry(lane.clone()).or_default();
        let idle = queue.waiting.is_empty();
        queue.waiting.push_back(Waiting { entry, attempts: 0 });
        let given_up = queue.shorten();
        self.entries = self.entries.saturating_add(usize::from(given_up.is_none()));
        if idle {
            self.due.entry(lane.0).or_default().push_back(lane);
        }
        given_up
    }

    /// Forgets a lane with all of its entries; returns their numbers.
    pub fn drop_lane(&mut self, lane: &LaneId) -> Vec<u64> {
        let queue = self.lanes.remove(lane).unwrap_or_default();
        self.entries = self.entries.saturating_sub(queue.waiting.len());
        self.due.values_mut().for_each(|due| due.retain(|other| other != lane));
        self.resting.retain(|_, other| other != lane);
        queue.waiting.iter().map(|waiting| waiting.entry.number).collect()
    }

    /// The next attempt to make at `now`, if there is one; report it with [`Lanes::done`] or
    /// [`Lanes::later`].
    pub fn next(&mut self, now: Instant) -> Option<Attempt> {
        while let Some(entry) = self.resting.first_entry().filter(|entry| entry.key().0 <= now) {
            let lane = entry.remove();
            self.due.entry(lane.0).or_default().push_back(lane);
        }
        let lane = self.take_due(Network::Matrix).or_else(|| self.take_due(Network::Xmpp))?;
        let first = self.lanes.get_mut(&lane)?.waiting.front_mut()?;
        first.attempts = first.attempts.saturating_add(1);
        let (Arrival { number, old, .. }, attempt) = (first.entry, first.attempts);
        self.running.insert(number, lane);
        Some(Attempt { number, attempt, tried_before: old || attempt > 1 })
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
        let Some(queue) = self.lanes.get_mut(&lane).filter(|lane| lane.begins_with(number)) else {
            return;
        };
        queue.waiting.pop_front();
        self.entries = self.entries.saturating_sub(1);
        if queue.waiting.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.due.entry(lane.0).or_default().push_back(lane);
        }
    }

    /// The attempt failed: the same again, when the network asked for it or after a wait that
    /// doubles. Returns the wait.
    pub fn later(&mut self, number: u64, now: Instant, asked_ms: Option<u64>) -> Duration {
        let Some(lane) = self.running.remove(&number) else { return Duration::ZERO };
        let Some(queue) = self.lanes.get(&lane).filter(|lane| lane.begins_with(number)) else {
            return Duration::ZERO;
        };
        let attempts = queue.waiting.front().map_or(1, |waiting| waiting.attempts);
        let wait = match asked_ms {
            Some(asked) => Duration::from_millis(asked).min(RETRY_ASKED_MAX),
            None => backoff(attempts),
        };
        self.resting.insert((now + wait, number), lane);
        wait
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

impl Lane {
    fn begins_with(&self, number: u64) -> bool {
        self.waiting.front().is_some_and(|first| first.entry.number == number)
    }

    fn shorten(&mut self) -> Option<GivenUp> {
        if self.waiting.len() <= LANE_ENTRIES_MAX {
            return None;
        }
        let expendable = |(_, waiting): &(usize, &Waiting)| waiting.entry.expendable;
        let (oldest, _) = self.waiting.iter().enumerate().skip(1).find(expendable)?;
        let number = self.waiting.remove(oldest)?.entry.number;
        let first = !std::mem::replace(&mut self.gave_up, true);
        Some(GivenUp { number, first })
    }
}

/// 1, 2, 4 … 60 seconds after the first, second, third … attempt.
pub fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_LAST)
}

#[cfg(test)]
mod tests;
