//! Application messages: copied into the group's other rooms, once each, and not kept.

use super::rates::Rate;
use super::turn::{Turn, effect_id};
use super::{Effect, Relay, RoomMessage};
use super::{leaves, room_record};
use crate::door;
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

impl Turn<'_> {
    /// Relays a message, or drops it silently: nobody waits for an answer, and whoever sent what
    /// does not belong here is told nothing.
    pub(super) fn relay(&mut self, message: RoomMessage) -> Result<(), StoreError> {
        let RoomMessage { room, sender, sent_ms, message, .. } = message;
        let Some(record) = room_record::group(self.store, &room)? else { return Ok(()) };
        if record.rooms.len() < 2 || sender.network() != room.network {
            return Ok(());
        }
        let Ok(application) = door::from_room(&message, &record.group, record.epoch) else {
            return Ok(());
        };
        // Nobody is in an epoch that the hub has not announced.
        if application.epoch > record.epoch
            || leaves::count(self.store, &record.group, &sender)? == 0
        {
            return Ok(());
        }
        let hash = sha256(&message);
        if self.store.get(SEEN, &seen_key(&record.group, &hash))?.is_some()
            || self.rates.take(Rate::Messages, &[sender.as_str()], self.now_ms).is_err()
        {
            return Ok(());
        }
        self.remember_message(&record.group, &hash)?;
        for target in record.rooms.iter().filter(|target| **target != room) {
            self.effects.push(Effect::Relay(Relay {
                id: effect_id("relay", &[&room_record::key(target), &message]),
                room: target.clone(),
                sender: sender.clone(),
                sent_ms,
                group: record.group.clone(),
                epoch: application.epoch,
                message: message.clone(),
            }));
        }
        Ok(())
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
