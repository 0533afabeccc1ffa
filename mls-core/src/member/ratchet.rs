//! The own sending ratchet: which of its generations may have been used, said ahead of time.
//!
//! A generation is one AEAD key and nonce, so none may ever encrypt twice, wherever a process is
//! killed or a machine loses its power. A row that counts each message would have to be on the
//! disk before that message leaves: one sync a message. So generations are **reserved**: one
//! synced row says that so many from the snapshot on may be used, and until they are, nothing
//! about the ratchet needs to be written. On loading, the ratchet is moved past all of them.
//!
//! **The gap.** What was reserved and not used is skipped after a crash, and receivers follow
//! only 1,024 generations at once (mls-rs). So a reservation is as large as what this process
//! has sent in the epoch, from [`GENERATIONS_RESERVED_MIN`] to [`GENERATIONS_RESERVED_MAX`]: a
//! process that sends k messages and is killed leaves as many unused at most (or 4, if k is
//! less), and however often that happens, a message takes at most 5 generations. So a room that
//! has one message gets the next within 100: at most
//! [`MESSAGES_UNCONFIRMED_MAX`](crate::limits::MESSAGES_UNCONFIRMED_MAX) stand between. Only 200
//! messages that the network refused for good, with a crash after each and none accepted between
//! them, would pass what receivers follow (1,024 refused ones do so without any crash). A receiver
//! that fell back to its snapshot lacks at most
//! [`MESSAGES_WITHOUT_SNAPSHOT_MAX`](crate::limits::MESSAGES_WITHOUT_SNAPSHOT_MAX) messages, so
//! 640 generations. An orderly end gives back what was not used.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use crate::limits::{GENERATIONS_RESERVED_MAX, GENERATIONS_RESERVED_MIN};
use crate::overlay::Overlay;
use crate::policy::LEAF_UPDATE_MESSAGES;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const JOURNAL: Space = "journal";

/// What may have happened since the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Journal {
    /// The epoch of the snapshot.
    epoch: u64,
    /// Generations from the snapshot on that may have been used.
    reserved: u32,
    /// Messages sent since the leaf was renewed, if all those were.
    sent_since_update: u32,
}

/// One group's own ratchet, as this process knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ratchet {
    epoch: u64,
    /// Generations used since the snapshot; after a crash, all that were reserved.
    used: u32,
    /// The same in the journal, never less.
    reserved: u32,
    /// Messages that this process has sent in the epoch.
    sent: u32,
    /// Messages sent since the leaf was renewed.
    sent_since_update: u32,
}

impl Ratchet {
    /// Generations to move a snapshot of `epoch` past.
    pub(super) fn used(&self, epoch: u64) -> u32 {
        if self.epoch == epoch { self.used } else { 0 }
    }

    /// How many generations to reserve at once.
    fn ahead(&self) -> u32 {
        match self.sent {
            0 => 0,
            sent => sent.clamp(GENERATIONS_RESERVED_MIN, GENERATIONS_RESERVED_MAX),
        }
    }

    fn write(&self, overlay: &Overlay, group: &GroupId) -> Result<(), StoreError> {
        let unused = self.reserved.saturating_sub(self.used);
        let mut sent_since_update = self.sent_since_update.saturating_add(unused);
        if self.sent_since_update < LEAF_UPDATE_MESSAGES {
            // So that a message, and not a restart, passes the mark.
            sent_since_update = sent_since_update.min(LEAF_UPDATE_MESSAGES.saturating_sub(1));
        }
        let journal = Journal { epoch: self.epoch, reserved: self.reserved, sent_since_update };
        overlay.write(JOURNAL, &group.0, &journal)
    }
}

impl Member {
    /// A group's ratchet as this process knows it, otherwise as a crash may have left it.
    pub(super) fn ratchet(&self, group: &GroupId) -> Result<Ratchet, StoreError> {
        if let Some(ratchet) = self.ratchets.get(group) {
            return Ok(ratchet.clone());
        }
        let Journal { epoch, reserved, sent_since_update } =
            self.overlay.read(JOURNAL, &group.0)?.unwrap_or_default();
        Ok(Ratchet { epoch, used: reserved, reserved, sent: 0, sent_since_update })
    }

    /// The group was made or joined just now.
    pub(super) fn new_ratchet(&mut self, group: &GroupId) {
        self.ratchets.insert(group.clone(), Ratchet::default());
    }

    /// The whole group is written, in `epoch` and with its ratchet as it is now.
    pub(super) fn ratchet_written(
        &mut self,
        group: &GroupId,
        epoch: u64,
    ) -> Result<(), StoreError> {
        let mut ratchet = self.ratchet(group)?;
        if ratchet.epoch != epoch {
            (ratchet.epoch, ratchet.sent) = (epoch, 0);
        }
        (ratchet.used, ratchet.reserved) = (0, ratchet.ahead());
        ratchet.write(&self.overlay, group)?;
        self.ratchets.insert(group.clone(), ratchet);
        Ok(())
    }

    /// A generation was used; reserves more where it was not reserved.
    pub(super) fn generation_used(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(ratchet) = self.ratchets.get_mut(group) else {
            return Err(StoreError(format!("{group} is in memory without its ratchet")));
        };
        ratchet.used = ratchet.used.saturating_add(1);
        ratchet.sent = ratchet.sent.saturating_add(1);
        ratchet.sent_since_update = ratchet.sent_since_update.saturating_add(1);
        if ratchet.used <= ratchet.reserved {
            return Ok(());
        }
        ratchet.reserved = ratchet.reserved.saturating_add(ratchet.ahead());
        ratchet.write(&self.overlay, group)
    }

    /// Reserves more where little is left, for something else of this input is synced anyway.
    pub(super) fn reserve_ahead(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(ratchet) = self.ratchets.get_mut(group) else { return Ok(()) };
        let ahead = ratchet.ahead();
        if ratchet.reserved.saturating_sub(ratchet.used).saturating_mul(2) >= ahead {
            return Ok(());
        }
        ratchet.reserved = ratchet.used.saturating_add(ahead);
        ratchet.write(&self.overlay, group)
    }

    /// Gives back the generations that were reserved and are not used.
    pub(super) fn give_back_generations(&mut self) -> Result<(), StoreError> {
        for (group, ratchet) in &mut self.ratchets {
            if ratchet.used < ratchet.reserved {
                ratchet.reserved = ratchet.used;
                ratchet.write(&self.overlay, group)?;
            }
        }
        Ok(())
    }

    /// Forgets the ratchet of a group that is deleted.
    pub(super) fn forget_ratchet(&mut self, group: &GroupId) {
        self.ratchets.remove(group);
        self.overlay.delete(JOURNAL, &group.0);
    }

    /// Messages sent since the leaf was renewed.
    pub(super) fn sent_since_update(&self, group: &GroupId) -> u32 {
        self.ratchets.get(group).map_or(0, |ratchet| ratchet.sent_since_update)
    }

    /// The leaf was renewed; it is written with the group.
    pub(super) fn leaf_renewed(&mut self, group: &GroupId) {
        if let Some(ratchet) = self.ratchets.get_mut(group) {
            ratchet.sent_since_update = 0;
        }
    }

    /// Messages that the snapshot of a group does not know, sent ones.
    pub(super) fn used_since_snapshot(&self, group: &GroupId) -> u32 {
        self.ratchets.get(group).map_or(0, |ratchet| ratchet.used)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Journal);
