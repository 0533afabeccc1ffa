//! Back to the hub: by an admin's commit of which the hub has signed that it takes the group so.
//!
//! The commit is made in the room's state and given to the hub before anybody else has it. What the
//! hub accepts it posts with a receipt that goes on where its own order had stopped, and that ends
//! order by the room, whatever other commits are on their way: the receipt decides, not the rank.
//! Without a receipt such a commit counts nothing, and a hub that is silent or refuses leaves the
//! group in its room.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::extension::ExtensionList;

use super::super::Member;
use super::super::group_record::GroupRecord;
use super::super::handshake::signed;
use super::super::warning::WarningKind;
use super::branch::Nodes;
use super::waiting::Waiting;
use crate::bridge_group::{BridgeGroup, Order};
use crate::engine::sha256;
use crate::limits::{HAND_BACK_WAIT_MS, HANDED_BACK_WAIT_MS};
use crate::policy::ROOM_REWIND_EPOCHS;
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::handshake::Handshake;
use crate::wire::{Digest, GroupId};

/// The receipt by which a group goes back to its hub, from a state that is not known here yet.
const HANDED_BACK: Space = "handed_back";

/// Groups that the hub orders and their rooms did order, or may have: commits of branches come late.
const BY_ROOM_BEFORE: Space = "by_room_until";

/// A commit that the hub has signed for.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct HandedBack {
    receipt: Receipt,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    message: Vec<u8>,
}

/// Whether a context, new or as it is, says that the hub orders the group.
pub(super) fn is_ordered_by_hub(context: &ExtensionList) -> bool {
    BridgeGroup::from_extensions(context).is_ok_and(|bound| bound.order == Order::Hub)
}

impl Member {
    /// The hub sent a handshake of a group that its room orders: only the one by which it takes the
    /// group back has a meaning.
    pub(in super::super) fn handed_back(
        &mut self,
        record: &GroupRecord,
        handshake: &Handshake,
        message: &[u8],
    ) -> Result<(), StoreError> {
        let group = &record.group;
        let Ok(receipt) = signed(record, handshake, message) else { return Ok(()) };
        let Some(last) = &record.last_receipt else { return Ok(()) };
        if receipt.tbs.seq <= last.tbs.seq {
            return Ok(());
        }
        // Then only the state that it leads from is missing, which the hub does not have.
        let known = self.is_handed_back(group)?;
        if receipt.tbs.seq > record.next_seq() {
            self.keep_early(handshake)?;
            return if known { Ok(()) } else { self.fetch_handshakes(group) };
        }
        if known {
            return Ok(());
        }
        if let Err(error) = receipt.follows(last, self.now_ms) {
            return self.warn(
                group,
                WarningKind::Refused,
                format!("a handshake was ignored: {error}"),
            );
        }
        let (hash, epoch) = (sha256(message), receipt.tbs.epoch);
        let handed = HandedBack { receipt, message: message.to_vec() };
        self.overlay.write(HANDED_BACK, &group.0, &handed)?;
        let commit = Waiting::with_receipt(hash, epoch, self.now_ms, handed.message);
        self.save_waiting(group, &commit)?;
        if !self.attach_new(group, commit)?.is_empty() {
            self.settle(group)?;
            self.read_future(group)?;
        }
        self.listen_for_handed_back(group)
    }

    /// Something came of a group that its room orders: where the hub took it back from a state that is still to
    /// come, it is listened for from here on.
    pub(super) fn listen_for_handed_back(&mut self, group: &GroupId) -> Result<(), StoreError> {
        if self.is_handed_back(group)? {
            self.handed_back_ms.entry(group.clone()).or_insert(self.now_ms);
        }
        Ok(())
    }

    /// The network is there again: listens anew.
    pub(in super::super) fn listen_anew(&mut self) -> Result<(), StoreError> {
        self.handed_back_ms.clear();
        let by_room = self.groups.values().filter(|record| record.room_head.is_some());
        let by_room: Vec<_> = by_room.map(|record| record.group.clone()).collect();
        by_room.iter().try_for_each(|group| self.listen_for_handed_back(group))
    }

    /// Comes back by an external commit into groups that the hub took back from a state that did not come,
    /// although this device listened for it.
    pub(in super::super) fn come_back_to_hubs(&mut self) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        let long = |since_ms: u64| now_ms.saturating_sub(since_ms) >= HANDED_BACK_WAIT_MS;
        let due = self.handed_back_ms.iter().filter(|(_, since_ms)| long(**since_ms));
        for group in due.map(|(group, _)| group.clone()).collect::<Vec<_>>() {
            self.handed_back_ms.insert(group.clone(), now_ms);
            self.come_back_by_itself(&group)?;
        }
        Ok(())
    }

    /// The state in which the hub takes the group back, if it is known.
    pub(super) fn handed_back_in(
        &self,
        group: &GroupId,
        nodes: &Nodes,
    ) -> Result<Option<Digest>, StoreError> {
        let handed: Option<HandedBack> = self.overlay.read(HANDED_BACK, &group.0)?;
        let hash = handed.map(|handed| handed.receipt.tbs.message_hash);
        Ok(hash.filter(|hash| nodes.contains_key(hash)))
    }

    /// The hub orders a group that its room did order, or may have while this device was out of it.
    pub(in super::super) fn note_room_order(&self, group: &GroupId) -> Result<(), StoreError> {
        if !self.was_ordered_by_room(group)? {
            self.overlay.put(BY_ROOM_BEFORE, &group.0, Vec::new());
        }
        Ok(())
    }

    /// The same, where this device was in the last state by its room: the commit that led there, before those of
    /// earlier times.
    fn note_last_by_room(&self, group: &GroupId, last: Digest) -> Result<(), StoreError> {
        let before = self.last_by_room(group)?.into_iter().filter(|other| *other != last);
        let kept = usize::try_from(ROOM_REWIND_EPOCHS).unwrap_or(usize::MAX);
        let hashes: Vec<u8> =
            std::iter::once(last).chain(before).take(kept).flat_map(|it| it.0).collect();
        self.overlay.put(BY_ROOM_BEFORE, &group.0, hashes);
        Ok(())
    }

    /// The last states of this device when its room ordered a group that its hub orders now, or has in between.
    pub(super) fn last_by_room(&self, group: &GroupId) -> Result<Vec<Digest>, StoreError> {
        let hashes = self.overlay.get(BY_ROOM_BEFORE, &group.0)?.unwrap_or_default();
        let hashes = hashes.chunks_exact(32).filter_map(|hash| hash.try_into().ok());
        Ok(hashes.map(Digest).collect())
    }

    /// Forgets that, with the group.
    pub(in super::super) fn forget_past_room_order(&self, group: &GroupId) {
        self.overlay.delete(BY_ROOM_BEFORE, &group.0);
    }

    /// Whether a commit in the room may be of a branch from when that ordered the group. Members who hear nothing
    /// of the others can make it as long as they like.
    pub(super) fn was_ordered_by_room(&self, group: &GroupId) -> Result<bool, StoreError> {
        Ok(self.overlay.get(BY_ROOM_BEFORE, &group.0)?.is_some())
    }

    /// Whether the hub has taken the group back, as far as this device was told.
    pub(in super::super) fn is_handed_back(&self, group: &GroupId) -> Result<bool, StoreError> {
        Ok(self.overlay.get(HANDED_BACK, &group.0)?.is_some())
    }

    /// The group is in a state that the hub has signed for: its order goes on.
    pub(super) fn end_room_order(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let head = self.record(group).and_then(|record| record.room_head);
        let handed: Option<HandedBack> = self.overlay.read(HANDED_BACK, &group.0)?;
        let Some(HandedBack { receipt, message }) =
            handed.filter(|handed| Some(handed.receipt.tbs.message_hash) == head)
        else {
            return Ok(());
        };
        self.forget_handed_back(group);
        self.note_last_by_room(group, receipt.tbs.message_hash)?;
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        self.mark_epoch(group, &loaded, &receipt)?;
        let epoch = loaded.group.current_epoch();
        self.give_back(group, loaded);
        self.wait_for_next_room_order(group, epoch)?;
        self.remember_handshake(&receipt, &message)?;
        self.change_record(group, |record| {
            record.last_receipt = Some(receipt);
            record.room_head = None;
        })?;
        self.apply_early(group)
    }

    pub(super) fn forget_handed_back(&mut self, group: &GroupId) {
        self.handed_back_ms.remove(group);
        self.overlay.delete(HANDED_BACK, &group.0);
    }

    /// A hub that is silent does not hold up the group.
    pub(in super::super) fn give_up_silent_hubs(&mut self) -> Result<(), StoreError> {
        let asking = |record: &&GroupRecord| {
            let asked = record.pending.as_ref().is_some_and(|p| !p.request.is_empty());
            record.room_head.is_some() && asked && record.rejoin.is_none()
        };
        let asking: Vec<_> = self.groups.values().filter(asking).map(|r| r.group.clone()).collect();
        for group in asking {
            let hash = self.record(&group).and_then(|r| r.pending.as_ref()).map(|p| p.hash);
            let made = self.own_commits_of(&group)?.into_iter().find(|own| Some(own.0) == hash);
            let made_ms = made.map_or(0, |(_, _, made_ms)| made_ms);
            if made_ms.saturating_add(HAND_BACK_WAIT_MS) <= self.now_ms {
                self.commit_refused(
                    &group,
                    "the hub does not answer: the group stays in its room",
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(HandedBack);
