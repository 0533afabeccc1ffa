//! Which events were dealt with lately, so that one that comes on two ways counts once.

use std::collections::{HashSet, VecDeque};

use mls_core::engine::sha256;
use mls_core::wire::Digest;

/// Events that are remembered. One that is forgotten and comes again does no harm, for the hub
/// knows messages by their hash and requests by their id; it only costs.
const EVENTS_MAX: usize = 50_000;

/// The latest events, by the hash of their id.
#[derive(Default)]
pub(super) struct KnownEvents {
    known: HashSet<Digest>,
    oldest_first: VecDeque<Digest>,
}

impl KnownEvents {
    /// Whether this event was dealt with. One without an id never was.
    pub(super) fn contains(&self, event_id: &str) -> bool {
        self.known.contains(&sha256(event_id.as_bytes()))
    }

    /// This event is dealt with.
    pub(super) fn insert(&mut self, event_id: &str) {
        if event_id.is_empty() {
            return;
        }
        let event = sha256(event_id.as_bytes());
        if !self.known.insert(event) {
            return;
        }
        self.oldest_first.push_back(event);
        while self.oldest_first.len() > EVENTS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_events_are_known_and_the_oldest_are_forgotten() {
        let mut events = KnownEvents::default();
        for n in 0..EVENTS_MAX + 10 {
            events.insert(&format!("${n}"));
            events.insert(&format!("${n}"));
        }
        events.insert("");
        assert!(!events.contains(""));
        assert!(!events.contains("$9"));
        assert!(events.contains("$10"));
        assert!(events.contains(&format!("${}", EVENTS_MAX + 9)));
        assert_eq!(events.known.len(), EVENTS_MAX);
        assert_eq!(events.oldest_first.len(), EVENTS_MAX);
    }
}
