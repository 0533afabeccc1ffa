//! Application messages: copied into the group's other rooms, once each, and kept only while the
//! sender's rate holds them back ([`super::held`]).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::GroupRecord;
use super::turn::{Turn, effect_id};
use super::{Effect, Relay, RoomMessage};
use super::{group_record, leaves, room_record};
use crate::address::{RoomAddress, UserId};
use crate::door::{self, ApplicationMessage};
use crate::engine::sha256;
use crate::limits::SEEN_MESSAGES_MAX;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

/// Hashes of relayed messages, by group and hash.
const SEEN: Space = "seen_message";
/// The same in the order in which they came, by group and number.
const SEEN_ORDER: Space = "seen_order";
/// The next number of each group.
const SEEN_NEXT: Space = "seen_next";

/// A message that is to be copied, now or later.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Accepted {
    /// The group.
    pub(super) group: GroupId,
    /// The room that it came in.
    pub(super) room: RoomAddress,
    /// Who sent it there.
    pub(super) sender: UserId,
    /// When, as that network says, in milliseconds since 1970.
    pub(super) sent_ms: u64,
    /// The epoch in which it was sent.
    pub(super) epoch: u64,
    /// The MLSMessage.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) message: Vec<u8>,
}

impl Turn<'_> {
    /// Relays a message, or drops it silently: nobody waits for an answer, and whoever sent what
    /// does not belong here is told nothing.
    pub(super) fn relay(&mut self, message: RoomMessage) -> Result<(), StoreError> {
        let RoomMessage { room, sender, sent_ms, message, .. } = message;
        let Some((record, application)) = self.let_in(&room, &message)? else { return Ok(()) };
        if record.rooms.len() < 2 || sender.network() != room.network {
            return Ok(());
        }
        // Nobody is in an epoch that the hub has not announced.
        if application.epoch > record.epoch
            || leaves::count(self.store, &record.group, &sender)? == 0
        {
            return Ok(());
        }
        let hash = sha256(&message);
        if self.store.get(SEEN, &seen_key(&record.group, &hash))?.is_some() {
            return Ok(());
        }
        let (group, epoch) = (record.group.clone(), application.epoch);
        let accepted = Accepted { group, room, sender, sent_ms, epoch, message };
        if self.copy_or_hold(&record, accepted)? {
            self.remember_message(&record.group, &hash)?;
        }
        Ok(())
    }

    /// The group of the room that a message is of, the present one or the one before it, if the door
    /// lets the message in.
    fn let_in(
        &self,
        room: &RoomAddress,
        message: &[u8],
    ) -> Result<Option<(GroupRecord, ApplicationMessage)>, StoreError> {
        let Some(record) = room_record::read(self.store, room)? else { return Ok(None) };
        for group in record.group.iter().chain(&record.former) {
            let group = group_record::read(self.store, group)?;
            let Some(group) = group.filter(|group| group.rooms.contains(room)) else { continue };
            if let Ok(application) = door::from_room(message, &group.group, group.epoch) {
                return Ok(Some((group, application)));
            }
        }
        Ok(None)
    }

    /// Has a message posted into every room of its group but the one that it came in.
    pub(super) fn copy(&mut self, record: &GroupRecord, accepted: Accepted) {
        for target in record.rooms.iter().filter(|target| **target != accepted.room) {
            self.effects.push(Effect::Relay(Relay {
                id: effect_id("relay", &[&room_record::key(target), &accepted.message]),
                room: target.clone(),
                sender: accepted.sender.clone(),
                sent_ms: accepted.sent_ms,
                group: accepted.group.clone(),
                epoch: accepted.epoch,
                message: accepted.message.clone(),
            }));
        }
    }

    /// Remembers a hash, and forgets the one that came [`SEEN_MESSAGES_MAX`] before it.
    fn remember_message(&self, group: &GroupId, hash: &Digest) -> Result<(), StoreError> {
        let number: u64 = self.store.read(SEEN_NEXT, &group.0)?.unwrap_or(0);
        self.store.put(SEEN, &seen_key(group, hash), Vec::new());
        self.store.write(SEEN_ORDER, &order_key(group, number), hash)?;
        self.store.write(SEEN_NEXT, &group.0, &number.saturating_add(1))?;
        let kept = u64::try_from(SEEN_MESSAGES_MAX).unwrap_or(u64::MAX);
        if let Some(oldest) = number.checked_sub(kept) {
            let key = order_key(group, oldest);
            if let Some(hash) = self.store.read::<Digest>(SEEN_ORDER, &key)? {
                self.store.delete(SEEN, &seen_key(group, &hash));
            }
            self.store.delete(SEEN_ORDER, &key);
        }
        Ok(())
    }
}

fn seen_key(group: &GroupId, hash: &Digest) -> Vec<u8> {
    [group.0.as_slice(), &hash.0].concat()
}

fn order_key(group: &GroupId, number: u64) -> Vec<u8> {
    [group.0.as_slice(), &number.to_be_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Accepted);
