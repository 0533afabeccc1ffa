//! The durable head of a group: its place in the hub's order, and what is under way in it.
//!
//! It is small, whatever the size of the group; the group itself is with the engine.

use std::collections::BTreeMap;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::propose::Proposing;
use crate::address::RoomAddress;
use crate::overlay::{Overlay, decode};
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId, RequestId};

const GROUP: Space = "group_record";

/// How this device stands to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum State {
    /// Made here, not yet accepted by the hub.
    Registering = 1u8,
    /// A member.
    Live = 2u8,
    /// A member by its leaf, without a state that could follow the group: on its way back.
    Rejoining = 3u8,
    /// No longer a member.
    Gone = 4u8,
    /// Ended by a ReInit: its last messages are still read, and nothing more is sent.
    Ended = 5u8,
}

/// What is known of a group beside the engine's state.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct GroupRecord {
    pub(super) group: GroupId,
    pub(super) state: State,
    /// RFC 9420 number of the suite.
    pub(super) suite: u16,
    pub(super) rooms: Vec<RoomAddress>,
    /// The hub's receipt key, as the GroupContext names it; the pinned one.
    pub(super) receipt_key: Vec<u8>,
    pub(super) epoch: u64,
    /// Past epochs whose messages may still be readable, the oldest first.
    pub(super) past_epochs: Vec<PastEpoch>,
    /// The first epoch that this device can read.
    pub(super) joined_epoch: u64,
    pub(super) joined_at_ms: u64,
    /// The last receipt in the chain.
    pub(super) last_receipt: Option<Receipt>,
    /// Our commit that waits for its receipt.
    pub(super) pending: Option<PendingCommit>,
    /// Our proposal that waits for its receipt.
    pub(super) proposing: Option<Proposing>,
    /// Lost races of what is to be committed.
    pub(super) attempts: u32,
    /// No commit before this.
    pub(super) commit_after_ms: u64,
    /// When the oldest pending proposal came.
    pub(super) proposals_since_ms: Option<u64>,
    /// When to renew the leaf.
    pub(super) update_due_ms: u64,
    /// Whether the leaf is to be renewed before the first message.
    pub(super) update_before_message: bool,
    /// The way back, while we are on it.
    pub(super) rejoin: Option<Rejoin>,
    /// A handshake with a good receipt that could not be processed.
    pub(super) broken_seq: Option<u64>,
    /// The group that takes its place.
    pub(super) successor: Option<GroupId>,
    /// RFC 9420 number of its suite.
    pub(super) successor_suite: u16,
    /// The group that it branched from, whose secret proved that.
    pub(super) branched_from: Option<GroupId>,
    /// When this device heard that the group has ended.
    pub(super) ended_ms: u64,
    /// Where its room orders it: the commit that led to its epoch, as [`super::room_order`] has it.
    pub(super) room_head: Option<Digest>,
    /// Whether people were told that the hub says this device is not in the group.
    pub(super) shut_out: bool,
}

/// An epoch that has ended.
#[derive(Clone, Copy, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct PastEpoch {
    pub(super) epoch: u64,
    /// When it ended here.
    pub(super) ended_ms: u64,
}

/// A commit of ours at the hub.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct PendingCommit {
    /// SHA-256 of its MLSMessage.
    pub(super) hash: Digest,
    /// The request that submits it.
    pub(super) request: RequestId,
    /// The command that it is for.
    pub(super) intent: Option<u64>,
    /// Whether it renews our leaf.
    pub(super) has_path: bool,
    /// Whether it is an external commit, whose group is the candidate.
    pub(super) external: bool,
}

/// The way back into a group.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Rejoin {
    /// The command that it is for.
    pub(super) intent: Option<u64>,
    /// The receipt after which the external commit must come.
    pub(super) base: Option<Receipt>,
    /// Whether this device had been removed, as far as it knew.
    pub(super) was_gone: bool,
    /// Whether it never had a leaf, and comes into an open group.
    pub(super) joins: bool,
}

impl Rejoin {
    /// A way back that nobody has commanded.
    pub(super) fn by_itself() -> Self {
        Self { intent: None, base: None, was_gone: false, joins: false }
    }
}

pub(super) type GroupRecords = BTreeMap<GroupId, GroupRecord>;

/// The records that a store holds.
pub(super) fn open(overlay: &Overlay) -> Result<GroupRecords, StoreError> {
    let mut records = GroupRecords::new();
    overlay.each(GROUP, &[], |_, value| {
        let record: GroupRecord = decode(GROUP, value)?;
        records.insert(record.group.clone(), record);
        Ok(true)
    })?;
    Ok(records)
}

impl GroupRecord {
    /// A group of which only its id is known.
    pub(super) fn new(group: GroupId, state: State, now_ms: u64) -> Self {
        Self {
            group,
            state,
            suite: u16::from(super::keys::SUITE),
            rooms: Vec::new(),
            receipt_key: Vec::new(),
            epoch: 0,
            past_epochs: Vec::new(),
            joined_epoch: 0,
            joined_at_ms: now_ms,
            last_receipt: None,
            pending: None,
            proposing: None,
            attempts: 0,
            commit_after_ms: 0,
            proposals_since_ms: None,
            update_due_ms: u64::MAX,
            update_before_message: false,
            rejoin: None,
            broken_seq: None,
            successor: None,
            successor_suite: 0,
            branched_from: None,
            ended_ms: 0,
            room_head: None,
            shut_out: false,
        }
    }

    /// The position of the next handshake.
    pub(super) fn next_seq(&self) -> u64 {
        self.last_receipt.as_ref().map_or(0, |r| r.tbs.seq.saturating_add(1))
    }

    /// Whether this device cannot follow the group but by coming back into it, or a Welcome.
    pub(super) fn is_behind(&self) -> bool {
        match self.state {
            State::Rejoining => true,
            State::Live => self.broken_seq.is_some(),
            State::Registering | State::Gone | State::Ended => false,
        }
    }

    /// Whether it cannot follow the group, and tries no more to come back by itself.
    pub(super) fn has_given_up(&self) -> bool {
        self.state == State::Live && self.is_behind() && self.rejoin.is_none()
    }
}

impl Member {
    /// The record of a group.
    pub(super) fn record(&self, group: &GroupId) -> Option<&GroupRecord> {
        self.groups.get(group)
    }

    /// Puts a record into memory and store.
    pub(super) fn save_record(&mut self, record: GroupRecord) -> Result<(), StoreError> {
        self.overlay.write(GROUP, &record.group.0, &record)?;
        self.touched.insert(record.group.clone());
        self.groups.insert(record.group.clone(), record);
        Ok(())
    }

    /// Changes a record in memory and store; a group without one is left alone.
    pub(super) fn change_record(
        &mut self,
        group: &GroupId,
        change: impl FnOnce(&mut GroupRecord),
    ) -> Result<(), StoreError> {
        let Some(record) = self.groups.get_mut(group) else { return Ok(()) };
        change(record);
        self.overlay.write(GROUP, &group.0, &*record)?;
        self.touched.insert(group.clone());
        Ok(())
    }

    /// Forgets a record; only for a group that never came to be, or that this device has long been out of.
    pub(super) fn delete_record(&mut self, group: &GroupId) {
        self.groups.remove(group);
        self.overlay.delete(GROUP, &group.0);
    }

    /// The group that lives in a room.
    pub(super) fn group_of_room(&self, room: &RoomAddress) -> Option<&GroupRecord> {
        // A room that changed its group: the one that we are in counts.
        let rank = |record: &&GroupRecord| match record.state {
            State::Gone => 0,
            // Nobody speaks in it yet.
            State::Registering => 1,
            State::Ended => 2,
            State::Rejoining => 3,
            State::Live => 4,
        };
        let bound = self.groups.values().filter(|record| record.rooms.contains(room));
        bound.max_by_key(rank)
    }

    /// The room of a group on this device's own network.
    pub(super) fn own_room(&self, group: &GroupId) -> Option<RoomAddress> {
        let network = self.client.network();
        self.record(group)?.rooms.iter().find(|room| room.network == network).cloned()
    }
}

#[cfg(test)]
crate::codec_properties::hold!(State, GroupRecord, PastEpoch, PendingCommit, Rejoin);
