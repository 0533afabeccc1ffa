//! Groups in memory, and when they are written.
//!
//! Loading a group costs as much as it has members, so it stays in memory between inputs; after
//! a handshake that the engine refused it is dropped and read again, for the engine may have moved
//! half-way.
//!
//! **Doubt.** A message that cannot be decrypted may have taken the key of a true one, and anybody
//! in the room can send those. So the group stays in memory, in doubt, and is read again only when
//! it matters: when a message lacks its key, and before an epoch ends. For messages that lack
//! their key that is done at most [`GROUP_READINGS_MAX`] times between two snapshots, for whoever
//! alters copies of read messages can ask for it. A snapshot would make the
//! loss lasting, so one for messages waits while the doubt is younger than [`SNAPSHOT_AFTER_MS`],
//! but never beyond [`MESSAGES_WITHOUT_SNAPSHOT_MAX`] messages: a true message that comes later
//! than both after its damaged copy is lost. The counts below go on over a reading, or whoever
//! sends junk could keep snapshots away until the ratchets are too far behind.
//!
//! **Snapshots.** A message changes one ratchet, the snapshot of a group is its whole tree. So a
//! message does not write it. It is written at each epoch change; by the tick that comes after
//! [`MESSAGES_PER_SNAPSHOT`] messages, where no message waits for it; at once after
//! [`MESSAGES_WITHOUT_SNAPSHOT_MAX`], which only a burst between two ticks reaches; and when
//! [`SNAPSHOT_AFTER_MS`] have passed since the first message after the last one. In between:
//! - *Sending*, generations of the own ratchet are reserved, and skipped when the group is
//!   loaded; see [`super::ratchet`].
//! - *Receiving*, the hash of each message that was processed is written. After a crash the
//!   receiving ratchets are older than they were, which lets us read more, never less; the hash
//!   keeps a message from being shown twice.
//!
//! The cost is forward secrecy at rest: whoever steals the database can derive the keys of the
//! messages since the last snapshot, at most that many and that old, beside what they could
//! read anyway (unseen events, messages under way). After a crash the keys of messages that
//! were read since the last snapshot stay derivable until the epoch is left behind, which
//! [`PAST_EPOCHS`](crate::policy::PAST_EPOCHS) and two days bound.

use super::engine_storage::{self, MemberGroup, Slot};
use super::group_record::{GroupRecord, PastEpoch, State};
use super::{Member, engine_fault};
use crate::limits::{
    GROUP_READINGS_MAX, MESSAGES_PER_SNAPSHOT, MESSAGES_WITHOUT_SNAPSHOT_MAX, SNAPSHOT_AFTER_MS,
};
use crate::policy::PAST_EPOCH_KEEP_MS;
use crate::store::StoreError;
use crate::wire::GroupId;

/// A group in memory; its own ratchet's counts are in [`super::ratchet`].
pub(super) struct Loaded {
    /// In a box, for it is large and is moved for every message.
    pub(super) group: Box<MemberGroup>,
    /// Messages read since the snapshot.
    read: u32,
    /// When the first message after the snapshot was sent or read.
    since_ms: Option<u64>,
    /// Since when a key may have been taken by a message that was none.
    doubt_ms: Option<u64>,
    /// How often it was read again since the snapshot for a message that lacked its key.
    readings: u32,
    /// Generations of the own ratchet that were skipped at loading, as long as that was not said.
    skipped: u32,
}

impl Loaded {
    /// A group that is not one of those in memory.
    pub(super) fn apart(group: MemberGroup) -> Self {
        let group = Box::new(group);
        Self { group, read: 0, since_ms: None, doubt_ms: None, readings: 0, skipped: 0 }
    }

    fn id(&self) -> GroupId {
        GroupId(self.group.group_id().to_vec())
    }

    /// A message failed; whether it took a key is not known.
    pub(super) fn doubt(&mut self, now_ms: u64) {
        self.doubt_ms.get_or_insert(now_ms);
    }

    /// Takes the group as it was read again; the counts go on.
    pub(super) fn renew(&mut self, again: Self) {
        self.group = again.group;
        self.since_ms = self.since_ms.or(again.since_ms);
        self.doubt_ms = None;
    }

    /// Whether to read the group again for a message that lacks its key; counted.
    pub(super) fn may_be_read_again(&mut self) -> bool {
        self.readings = self.readings.saturating_add(1);
        self.readings <= GROUP_READINGS_MAX
    }

    /// Whether a key may have been taken.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt_ms.is_some()
    }

    /// The generations that were skipped at loading; said once.
    pub(super) fn take_skipped(&mut self) -> u32 {
        std::mem::take(&mut self.skipped)
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
        let loaded = self.read_group(group)?;
        let ratchet = self.ratchet(group)?;
        self.ratchets.entry(group.clone()).or_insert(ratchet);
        Ok(Some(loaded))
    }

    /// Keeps a group in memory.
    pub(super) fn give_back(&mut self, group: &GroupId, loaded: Loaded) {
        self.loaded.insert(group.clone(), loaded);
    }

    /// Reads a group and moves its own ratchet past what was, or may have been, used.
    pub(super) fn read_group(&self, id: &GroupId) -> Result<Loaded, StoreError> {
        let mut group = self.engine.load_group(&id.0).map_err(|e| engine_fault(&e))?;
        let used = self.ratchet(id)?.used(group.current_epoch());
        for _ in 0..used {
            group.next_encryption_key().map_err(|e| engine_fault(&e))?;
        }
        let pending = self.record(id).and_then(|record| record.pending.as_ref());
        if pending.is_none_or(|pending| pending.external) {
            // One of before, which was lost, or is given up for the way back in.
            group.clear_pending_commit();
        }
        let unsaved = (used > 0).then_some(self.now_ms);
        // In this process it is known which were used; a former one may have used fewer.
        let skipped = if self.ratchets.contains_key(id) { 0 } else { used };
        Ok(Loaded {
            group: Box::new(group),
            read: 0,
            since_ms: unsaved,
            doubt_ms: None,
            readings: 0,
            skipped,
        })
    }

    /// The group without doubt: read again where a key may have been taken.
    pub(super) fn without_doubt(
        &self,
        group: &GroupId,
        mut loaded: Loaded,
    ) -> Result<Loaded, StoreError> {
        if !loaded.is_in_doubt() {
            return Ok(loaded);
        }
        loaded.renew(self.read_group(group)?);
        Ok(loaded)
    }

    /// A group that was just made or joined.
    pub(super) fn new_group(&mut self, group: MemberGroup) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded {
            group: Box::new(group),
            read: 0,
            since_ms: None,
            doubt_ms: None,
            readings: 0,
            skipped: 0,
        };
        self.new_ratchet(&loaded.id());
        self.snapshot(&mut loaded)?;
        Ok(loaded)
    }

    /// Writes the whole group.
    pub(super) fn snapshot(&mut self, loaded: &mut Loaded) -> Result<(), StoreError> {
        loaded.group.write_to_storage().map_err(|e| engine_fault(&e))?;
        loaded.read = 0;
        loaded.since_ms = None;
        loaded.doubt_ms = None;
        loaded.readings = 0;
        self.ratchet_written(&loaded.id(), loaded.group.current_epoch())
    }

    /// A message was encrypted.
    pub(super) fn count_encrypted(
        &mut self,
        group: &GroupId,
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        self.generation_used(group)?;
        self.changed(group, loaded)
    }

    /// A message was decrypted.
    pub(super) fn count_decrypted(
        &mut self,
        group: &GroupId,
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        loaded.read = loaded.read.saturating_add(1);
        self.changed(group, loaded)
    }

    fn changed(&mut self, group: &GroupId, loaded: &mut Loaded) -> Result<(), StoreError> {
        loaded.since_ms.get_or_insert(self.now_ms);
        if self.since_snapshot(group, loaded) >= MESSAGES_WITHOUT_SNAPSHOT_MAX {
            return self.snapshot(loaded);
        }
        Ok(())
    }

    fn since_snapshot(&self, group: &GroupId, loaded: &Loaded) -> u32 {
        self.used_since_snapshot(group).saturating_add(loaded.read)
    }

    /// Writes groups with many messages since the last time.
    pub(super) fn snapshot_busy_groups(&mut self) -> Result<(), StoreError> {
        self.snapshot_groups(|member, group, loaded| {
            member.since_snapshot(group, loaded) >= MESSAGES_PER_SNAPSHOT
        })
    }

    /// Writes groups whose last messages have waited long enough.
    pub(super) fn snapshot_idle_groups(&mut self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(SNAPSHOT_AFTER_MS);
        self.snapshot_groups(|_, _, loaded| loaded.since_ms.is_some_and(|at| at <= before_ms))
    }

    fn snapshot_groups(
        &mut self,
        due: impl Fn(&Self, &GroupId, &Loaded) -> bool,
    ) -> Result<(), StoreError> {
        let all = self.loaded.iter();
        let young_ms = self.now_ms.saturating_sub(SNAPSHOT_AFTER_MS);
        let waits = |loaded: &Loaded| loaded.doubt_ms.is_some_and(|at| at > young_ms);
        let all = all.filter(|(_, loaded)| !waits(loaded));
        let due: Vec<_> = all.filter(|(g, l)| due(self, g, l)).map(|(g, _)| g.clone()).collect();
        for group in due {
            if let Some(mut loaded) = self.loaded.remove(&group) {
                self.snapshot(&mut loaded)?;
                self.give_back(&group, loaded);
            }
        }
        Ok(())
    }

    /// Deletes past epochs that ended too long ago, each at its own time.
    pub(super) fn forget_past_epochs(&mut self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(PAST_EPOCH_KEEP_MS);
        let too_old = |past: &PastEpoch| past.ended_ms <= before_ms;
        let newest_too_old = |record: &GroupRecord| {
            let last = record.past_epochs.iter().take_while(|past| too_old(past)).last()?;
            Some((record.group.clone(), last.epoch))
        };
        let due: Vec<_> = self.groups.values().filter_map(newest_too_old).collect();
        for (group, epoch) in due {
            if let Some(loaded) = self.loaded.remove(&group) {
                let mut loaded = self.without_doubt(&group, loaded)?;
                // The engine may hold a past epoch in memory: it is read again without.
                self.snapshot(&mut loaded)?;
            }
            engine_storage::delete_epochs_until(&self.overlay, Slot::Current, &group.0, epoch)?;
            self.change_record(&group, |record| record.past_epochs.retain(|past| !too_old(past)))?;
            if self.record(&group).is_some_and(|record| record.past_epochs.is_empty()) {
                self.forget_previous(&group);
            }
        }
        Ok(())
    }

    /// Deletes what could read or send in a group, and what is kept for its members.
    pub(super) fn delete_secrets(&mut self, group: &GroupId) -> Result<(), StoreError> {
        self.loaded.remove(group);
        self.gaps.forget_group(group);
        self.forget_previous(group);
        self.forget_waiting_devices(group)?;
        self.forget_room_order(group)?;
        self.forget_past_room_order(group);
        self.forget_ratchet(group);
        self.forget_handshake_keys(group)?;
        self.forget_marks(group)?;
        engine_storage::delete(&self.overlay, Slot::Candidate, &group.0)?;
        engine_storage::delete(&self.overlay, Slot::Proposed, &group.0)?;
        engine_storage::delete(&self.overlay, Slot::Current, &group.0)
    }
}
