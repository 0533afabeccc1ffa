//! Groups in memory, and what is written so that a crash uses no key twice.
//!
//! Loading a group costs as much as it has members, so it stays in memory between inputs; after
//! an error of the engine it is dropped and read again, for the engine may have moved half-way.
//!
//! **Journal.** A message changes one ratchet, the snapshot of a group is its whole tree. So a
//! message does not write the snapshot; the snapshot is written at each epoch change, after
//! [`MESSAGES_PER_SNAPSHOT`] messages, and when [`SNAPSHOT_AFTER_MS`] have passed since the
//! first message after the last one. In between:
//! - *Sending*, the number of messages sent since the snapshot is written together with the
//!   message. On loading, the own ratchet is moved on by that number, so no generation (and
//!   with it no AEAD key and nonce) is used twice, wherever the process was killed: a message
//!   leaves only after the number that counts it was committed.
//! - *Receiving*, the hash of each message that was processed is written. After a crash the
//!   receiving ratchets are older than they were, which lets us read more, never less; the hash
//!   keeps a message from being shown twice.
//!
//! The cost is forward secrecy at rest: whoever steals the database can derive the keys of the
//! messages since the last snapshot, at most that many and that old, beside what they could
//! read anyway (unseen events, messages under way). After a crash the keys of messages that
//! were read since the last snapshot stay derivable until the epoch is left behind, which
//! [`PAST_EPOCHS`](crate::policy::PAST_EPOCHS) and two days bound.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::engine_storage::{self, MemberGroup, Slot};
use super::group_record::State;
use super::{Member, engine_fault};
use crate::limits::{MESSAGES_PER_SNAPSHOT, SNAPSHOT_AFTER_MS};
use crate::policy::PAST_EPOCH_KEEP_MS;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const JOURNAL: Space = "journal";

/// What happened since the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
struct Journal {
    /// The epoch of the snapshot.
    epoch: u64,
    /// Messages sent in this epoch since the snapshot.
    sent: u32,
    /// Messages sent since the leaf was renewed.
    sent_since_update: u32,
}

/// A group in memory.
pub(super) struct Loaded {
    pub(super) group: MemberGroup,
    journal: Journal,
    /// Messages read since the snapshot.
    read: u32,
    /// When the first message after the snapshot was sent or read.
    since_ms: Option<u64>,
}

impl Loaded {
    /// Messages sent since the leaf was renewed.
    pub(super) fn sent_since_update(&self) -> u32 {
        self.journal.sent_since_update
    }

    /// The leaf was renewed.
    pub(super) fn leaf_renewed(&mut self) {
        self.journal.sent_since_update = 0;
    }
}

impl Member {
    /// Takes a group out of memory, reading it first where needed. Give it back with
    /// [`Member::give_back`]; not giving it back has it read again next time.
    ///
    /// A live group without a state has lost it: it goes on its way back.
    pub(super) fn take_group(&mut self, group: &GroupId) -> Result<Option<Loaded>, StoreError> {
        if let Some(loaded) = self.loaded.remove(group) {
            return Ok(Some(loaded));
        }
        if !engine_storage::exists(&self.overlay, Slot::Current, &group.0)? {
            if self.record(group).is_some_and(|r| r.state == State::Live) {
                self.lost(group)?;
            }
            return Ok(None);
        }
        self.read_group(group).map(Some)
    }

    /// Keeps a group in memory.
    pub(super) fn give_back(&mut self, group: &GroupId, loaded: Loaded) {
        self.loaded.insert(group.clone(), loaded);
    }

    /// Reads a group and moves its own ratchet past what was sent.
    pub(super) fn read_group(&self, id: &GroupId) -> Result<Loaded, StoreError> {
        let mut group = self.engine.load_group(&id.0).map_err(|e| engine_fault(&e))?;
        let journal: Journal = self.overlay.read(JOURNAL, &id.0)?.unwrap_or_default();
        if journal.epoch == group.current_epoch() {
            for _ in 0..journal.sent {
                group.next_encryption_key().map_err(|e| engine_fault(&e))?;
            }
        }
        if self.record(id).is_some_and(|record| record.pending.is_none()) {
            group.clear_pending_commit();
        }
        let unsaved = (journal.sent > 0).then_some(self.now_ms);
        Ok(Loaded { group, journal, read: 0, since_ms: unsaved })
    }

    /// A group that was just made or joined.
    pub(super) fn new_group(&mut self, group: MemberGroup) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded { group, journal: Journal::default(), read: 0, since_ms: None };
        self.snapshot(&mut loaded)?;
        Ok(loaded)
    }

    /// Writes the whole group.
    pub(super) fn snapshot(&mut self, loaded: &mut Loaded) -> Result<(), StoreError> {
        loaded.group.write_to_storage().map_err(|e| engine_fault(&e))?;
        loaded.journal.epoch = loaded.group.current_epoch();
        loaded.journal.sent = 0;
        loaded.read = 0;
        loaded.since_ms = None;
        self.overlay.write(JOURNAL, loaded.group.group_id(), &loaded.journal)
    }

    /// A message was encrypted.
    pub(super) fn journal_sent(&mut self, loaded: &mut Loaded) -> Result<(), StoreError> {
        loaded.journal.sent = loaded.journal.sent.saturating_add(1);
        loaded.journal.sent_since_update = loaded.journal.sent_since_update.saturating_add(1);
        loaded.since_ms.get_or_insert(self.now_ms);
        if loaded.journal.sent.saturating_add(loaded.read) >= MESSAGES_PER_SNAPSHOT {
            return self.snapshot(loaded);
        }
        self.overlay.write(JOURNAL, loaded.group.group_id(), &loaded.journal)
    }

    /// A message was decrypted.
    pub(super) fn journal_read(&mut self, loaded: &mut Loaded) -> Result<(), StoreError> {
        loaded.read = loaded.read.saturating_add(1);
        loaded.since_ms.get_or_insert(self.now_ms);
        if loaded.journal.sent.saturating_add(loaded.read) >= MESSAGES_PER_SNAPSHOT {
            return self.snapshot(loaded);
        }
        Ok(())
    }

    /// Writes groups whose last messages have waited long enough.
    pub(super) fn snapshot_idle_groups(&mut self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(SNAPSHOT_AFTER_MS);
        let due = |loaded: &Loaded| loaded.since_ms.is_some_and(|since_ms| since_ms <= before_ms);
        let groups: Vec<_> =
            self.loaded.iter().filter(|(_, l)| due(l)).map(|(group, _)| group.clone()).collect();
        for group in groups {
            if let Some(mut loaded) = self.loaded.remove(&group) {
                self.snapshot(&mut loaded)?;
                self.give_back(&group, loaded);
            }
        }
        Ok(())
    }

    /// Deletes past epochs of groups whose current one began long ago.
    pub(super) fn forget_past_epochs(&mut self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(PAST_EPOCH_KEEP_MS);
        let old: Vec<_> = self
            .groups
            .values()
            .filter(|r| {
                r.state == State::Live && r.has_past_epochs && r.epoch_since_ms <= before_ms
            })
            .map(|record| record.group.clone())
            .collect();
        for group in old {
            if let Some(mut loaded) = self.loaded.remove(&group) {
                // The engine may hold a past epoch in memory: it is read again without.
                self.snapshot(&mut loaded)?;
            }
            engine_storage::delete_past_epochs(&self.overlay, Slot::Current, &group.0)?;
            self.change_record(&group, |record| record.has_past_epochs = false)?;
        }
        Ok(())
    }

    /// Deletes what could read or send in a group.
    pub(super) fn delete_secrets(&mut self, group: &GroupId) -> Result<(), StoreError> {
        self.loaded.remove(group);
        self.overlay.delete(JOURNAL, &group.0);
        engine_storage::delete(&self.overlay, Slot::Candidate, &group.0)?;
        engine_storage::delete(&self.overlay, Slot::Current, &group.0)
    }
}
