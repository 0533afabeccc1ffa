//! Commits that came, and that no known state could process yet: their own comes before them, or is
//! of a branch that was not heard of. Junk looks the same, so they are bounded, also by sender.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::super::seen::{epoch_prefix, group_prefix, message_key};
use super::super::warning::WarningKind;
use super::super::{Member, ReceivedMessage};
use super::branch::{Nodes, way_to};
use crate::address::UserId;
use crate::limits::{ROOM_COMMITS_PER_SENDER_MAX, ROOM_COMMITS_WAITING_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

/// Commits, by group, epoch and hash.
const COMMIT: Space = "room_commit";

/// A commit that waits.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Waiting {
    pub(super) hash: Digest,
    pub(super) epoch: u64,
    pub(super) came_ms: u64,
    /// Whether the hub signed that it takes the group back with it.
    pub(super) receipted: bool,
    /// The account that the network shows.
    sender: Option<UserId>,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) message: Vec<u8>,
}

impl Waiting {
    /// A commit as a room brought it.
    fn of_room(hash: Digest, epoch: u64, came_ms: u64, received: &ReceivedMessage) -> Self {
        let (sender, message) = (received.sender.clone(), received.message.clone());
        Self { hash, epoch, came_ms, receipted: false, sender, message }
    }

    /// A commit that the hub has signed for.
    pub(super) fn with_receipt(hash: Digest, epoch: u64, came_ms: u64, message: Vec<u8>) -> Self {
        Self { hash, epoch, came_ms, receipted: true, sender: None, message }
    }
}

impl Member {
    /// A commit came in the room of a group that it orders.
    pub(super) fn take_room_commit(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        epoch: u64,
        received: &ReceivedMessage,
    ) -> Result<(), StoreError> {
        let nodes = self.nodes(group)?;
        if nodes.contains_key(hash) || self.was_seen(group, epoch, hash)? {
            return Ok(());
        }
        let Some(record) = self.record(group) else { return Ok(()) };
        let (head, joined) = (record.room_head, record.joined_epoch);
        if epoch < joined {
            // From before this device came in.
            return Ok(());
        }
        // One of an earlier time when the room ordered the group moves nothing, but its branch may have
        // messages.
        let head = head.filter(|_| epoch >= self.room_order_began(group));
        if oldest_epoch(&nodes, head.as_ref()).is_some_and(|oldest| epoch < oldest) {
            self.mark_seen(group, epoch, hash);
            if head.is_none() {
                return Ok(());
            }
            return self.fell_apart(
                group,
                "a commit came for an epoch that is too long ago to be taken back; if a member made \
                 it, they follow another group by now",
            );
        }
        let waiting = Waiting::of_room(*hash, epoch, self.now_ms, received);
        if !self.keep_waiting(group, &waiting)? {
            return Ok(());
        }
        let new = self.attach_new(group, waiting)?;
        if new.is_empty() {
            return Ok(());
        }
        self.settle(group)?;
        // Who makes a commit follows it only once the room has shown it, and perhaps never: what is sure is where it
        // was made.
        let made_in = new.iter().filter_map(|node| node.parent.as_ref());
        made_in.into_iter().try_for_each(|state| self.look_for_abyss(group, state))?;
        self.read_future(group)
    }

    /// Hangs a commit for a later epoch than the hub's below a branch that is known, if it was made there: what
    /// is said on that branch is read then. Whether it was.
    pub(super) fn goes_on_a_branch(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        epoch: u64,
        received: &ReceivedMessage,
    ) -> Result<bool, StoreError> {
        let now = self.record(group).map_or(u64::MAX, |record| record.epoch);
        if epoch <= now || epoch > self.last_readable_epoch(group, now)? {
            return Ok(false);
        }
        let commit = Waiting::of_room(*hash, epoch, self.now_ms, received);
        let hangs = self.nodes(group)?.contains_key(hash);
        if !hangs && self.attach_new(group, commit)?.is_empty() {
            return Ok(false);
        }
        self.read_future(group).map(|()| true)
    }

    /// Whether it was not there before, and there was place.
    fn keep_waiting(&mut self, group: &GroupId, commit: &Waiting) -> Result<bool, StoreError> {
        let waiting = self.waiting(group, None)?;
        if waiting.iter().any(|other| other.hash == commit.hash) {
            return Ok(false);
        }
        let of_sender = waiting.iter().filter(|other| other.sender == commit.sender).count();
        if waiting.len() >= ROOM_COMMITS_WAITING_MAX || of_sender >= ROOM_COMMITS_PER_SENDER_MAX {
            self.warn(
                group,
                WarningKind::Refused,
                "a commit was ignored: too many wait that cannot be read",
            )?;
            return Ok(false);
        }
        self.save_waiting(group, commit).map(|()| true)
    }

    /// The hub has the group again, in this epoch. Commits for later ones may be of a time when the room
    /// orders it once more, of which this device has not heard yet.
    pub(super) fn wait_for_next_room_order(
        &mut self,
        group: &GroupId,
        epoch: u64,
    ) -> Result<(), StoreError> {
        let Some(room) = self.own_room(group) else { return Ok(()) };
        let later = self.waiting(group, None)?.into_iter().filter(|commit| commit.epoch > epoch);
        for commit in later.filter(|commit| !commit.receipted) {
            self.delete_waiting(group, &commit);
            let Waiting { hash, epoch, came_ms, sender, message, .. } = commit;
            let (room, sent_ms, checkpoint) = (room.clone(), came_ms, None);
            let received = ReceivedMessage { room, sender, sent_ms, message, checkpoint };
            self.keep_for_future(group, epoch, &hash, received)?;
        }
        Ok(())
    }

    pub(super) fn save_waiting(&self, group: &GroupId, commit: &Waiting) -> Result<(), StoreError> {
        self.overlay.write(COMMIT, &message_key(group, commit.epoch, &commit.hash), commit)
    }

    /// The commits that wait, of one epoch or of all.
    pub(super) fn waiting(
        &self,
        group: &GroupId,
        epoch: Option<u64>,
    ) -> Result<Vec<Waiting>, StoreError> {
        let prefix = epoch.map_or_else(|| group_prefix(group), |epoch| epoch_prefix(group, epoch));
        let rows = self.overlay.scan(COMMIT, &prefix, &prefix, ROOM_COMMITS_WAITING_MAX)?;
        rows.iter().map(|(_, value)| decode(COMMIT, value)).collect()
    }

    /// A commit waits no longer.
    pub(super) fn delete_waiting(&self, group: &GroupId, commit: &Waiting) {
        self.overlay.delete(COMMIT, &message_key(group, commit.epoch, &commit.hash));
    }
}

/// The epoch of the oldest state below which a commit can be hung.
pub(super) fn oldest_epoch(nodes: &Nodes, head: Option<&Digest>) -> Option<u64> {
    match head {
        Some(head) => way_to(nodes, head).first().and_then(|id| nodes.get(id)).map(|n| n.epoch),
        None => nodes.values().map(|node| node.epoch).min(),
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Waiting);
