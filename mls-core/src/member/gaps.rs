//! Suppression: a sender's messages count up (the generations of its ratchet, RFC 9420 section
//! 9.1), so what does not come shows by what comes after it.
//!
//! A gap that lasts [`GAP_SHOWN_MS`] is told, and taken back when it is filled late. It proves
//! nothing: a sender skips numbers for a message that its network refused and after a crash; how
//! many the latter may be it says in the checkpoint beside its next message. The number is under no
//! signature, so another member could show a false one, and nobody outside. Everything is in memory
//! and bounded: after a restart a sender is followed from its next message on. What nothing follows
//! on cannot be seen.

use std::collections::{BTreeMap, BTreeSet};

use super::Member;
use super::alarm::{Alarm, MessagesMissing};
use crate::address::ClientId;
use crate::checkpoint::Checkpoint;
use crate::limits::{GAP_RANGES_MAX, GAP_SENDERS_MAX, GAP_SHOWN_MS};
use crate::store::StoreError;
use crate::wire::GroupId;

/// A sender in an epoch.
type Key = (GroupId, u64, u32);

/// What is known of all senders.
#[derive(Default)]
pub(super) struct Gaps {
    tracks: BTreeMap<Key, Track>,
    /// Senders of whom something is missing, or was said to be.
    open: BTreeSet<Key>,
    /// The first epoch of each group that was seen from its beginning.
    begun: BTreeMap<GroupId, u64>,
}

/// One sender in one epoch.
struct Track {
    client: ClientId,
    /// The generation after the highest that came.
    next: u32,
    missing: Vec<Missing>,
    /// What people were told is missing.
    said: u32,
}

/// Generations that did not come, from the first to before the last.
#[derive(Clone, Copy, Debug)]
struct Missing {
    from: u32,
    end: u32,
    since_ms: u64,
}

impl Missing {
    fn count(&self) -> u32 {
        self.end.saturating_sub(self.from)
    }

    /// What is left without `from..end`, at most two parts.
    fn without(self, from: u32, end: u32) -> impl Iterator<Item = Self> {
        let before = Self { end: self.end.min(from), ..self };
        let after = Self { from: self.from.max(end), ..self };
        let apart = self.from < end && from < self.end;
        let parts = if apart { [Some(before), Some(after)] } else { [Some(self), None] };
        parts.into_iter().flatten().filter(|part| part.count() > 0)
    }
}

impl Track {
    fn came(&mut self, generation: u32, now_ms: u64) {
        if generation < self.next {
            return self.explained(generation, generation.saturating_add(1));
        }
        let gap = Missing { from: self.next, end: generation, since_ms: now_ms };
        if gap.count() > 0 {
            if self.missing.len() >= GAP_RANGES_MAX {
                self.missing.remove(0);
            }
            self.missing.push(gap);
        }
        self.next = generation.saturating_add(1);
    }

    /// These came, or mean nothing.
    fn explained(&mut self, from: u32, end: u32) {
        let left = self.missing.iter().flat_map(|missing| missing.without(from, end));
        self.missing = left.collect();
        self.missing.truncate(GAP_RANGES_MAX);
    }

    fn missing_since(&self, before_ms: u64) -> u32 {
        let old = self.missing.iter().filter(|missing| missing.since_ms <= before_ms);
        old.fold(0, |sum, missing| sum.saturating_add(missing.count()))
    }
}

impl Gaps {
    /// An epoch begins, whose messages can all be seen.
    pub(super) fn epoch_begins(&mut self, group: &GroupId, epoch: u64) {
        self.begun.entry(group.clone()).or_insert(epoch);
    }

    /// A group is no longer followed.
    pub(super) fn forget_group(&mut self, group: &GroupId) {
        self.begun.remove(group);
        self.tracks.retain(|(g, ..), _| g != group);
        self.open.retain(|(g, ..)| g != group);
    }

    fn track(&mut self, key: &Key, client: &ClientId, generation: u32) -> &mut Track {
        if self.tracks.len() >= GAP_SENDERS_MAX
            && !self.tracks.contains_key(key)
            && let Some((oldest, _)) = self.tracks.pop_first()
        {
            self.open.remove(&oldest);
        }
        let whole = self.begun.get(&key.0).is_some_and(|begun| *begun <= key.1);
        let next = if whole { 0 } else { generation };
        let client = client.clone();
        let new = || Track { client, next, missing: Vec::new(), said: 0 };
        self.tracks.entry(key.clone()).or_insert_with(new)
    }
}

impl Member {
    /// A message was read.
    pub(super) fn generation_came(
        &mut self,
        key: Key,
        client: &ClientId,
        generation: u32,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        let track = self.gaps.track(&key, client, generation);
        track.came(generation, now_ms);
        let own = checkpoint.map(|checkpoint| &checkpoint.tbs);
        let own = own.filter(|tbs| tbs.leaf == key.2 && tbs.generation == generation);
        if let Some(tbs) = own.filter(|tbs| tbs.skipped > 0) {
            track.explained(generation.saturating_sub(tbs.skipped), generation);
        }
        let (said, left) = (track.said, !track.missing.is_empty());
        if left || said > 0 {
            self.gaps.open.insert(key.clone());
        }
        if said > 0 { self.tell_of_gap(&key) } else { Ok(()) }
    }

    /// Time passed: gaps that lasted are told.
    pub(super) fn tell_of_gaps(&mut self) -> Result<(), StoreError> {
        for key in self.gaps.open.iter().cloned().collect::<Vec<_>>() {
            self.tell_of_gap(&key)?;
        }
        Ok(())
    }

    fn tell_of_gap(&mut self, key: &Key) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(GAP_SHOWN_MS);
        let Some(track) = self.gaps.tracks.get_mut(key) else { return Ok(()) };
        let count = track.missing_since(before_ms);
        if track.missing.is_empty() {
            self.gaps.open.remove(key);
        }
        if track.said == count {
            return Ok(());
        }
        track.said = count;
        let missing = MessagesMissing { epoch: key.1, sender: track.client.clone(), count };
        self.alarm(&key.0, Alarm::MessagesMissing(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track() -> Track {
        let client = ClientId::parse("xmpp:bob@example.org/00000000000000b0").unwrap();
        Track { client, next: 0, missing: Vec::new(), said: 0 }
    }

    #[test]
    fn gaps_open_close_and_split() {
        let mut track = track();
        for generation in [0, 1, 10, 5, 12] {
            track.came(generation, 7);
        }
        let ranges: Vec<_> = track.missing.iter().map(|m| (m.from, m.end)).collect();
        assert_eq!(ranges, [(2, 5), (6, 10), (11, 12)]);
        assert_eq!((track.missing_since(6), track.missing_since(7)), (0, 8));
        track.explained(3, 8);
        assert_eq!(track.missing_since(7), 4);
        for generation in [2, 8, 9, 11] {
            track.came(generation, 8);
        }
        assert_eq!(track.missing_since(8), 0);
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut gaps = Gaps::default();
        let client = track().client;
        for leaf in 0..u32::try_from(GAP_SENDERS_MAX * 2).unwrap() {
            let key = (GroupId(vec![1]), 1, leaf);
            let track = gaps.track(&key, &client, 0);
            for generation in (0..200).step_by(2).chain((1..200).step_by(4)) {
                track.came(generation, 0);
            }
            assert!(track.missing.len() <= GAP_RANGES_MAX);
        }
        assert_eq!(gaps.tracks.len(), GAP_SENDERS_MAX);
    }
}
