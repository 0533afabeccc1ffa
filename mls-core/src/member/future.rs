//! Messages that cannot be read yet: of an epoch to come, or of a group that a Welcome may
//! still bring. Bounded in number and in time; tried again after each commit and each join.

use std::collections::BTreeMap;

use mls_rs::group::ContentType;
use mls_rs::{MlsMessage, MlsMessageDescription};
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::event::Unreadable;
use super::group_record::State;
use super::requests::Purpose;
use super::seen::{group_prefix, message_key};
use super::{Member, ReceivedMessage};
use crate::address::{RoomAddress, UserId};
use crate::checkpoint::CheckpointBytes;
use crate::door;
use crate::engine::sha256;
use crate::limits::{APPLICATION_BYTES_MAX, FUTURE_FETCH_MS, FUTURE_KEEP_MS, FUTURE_MESSAGES_MAX};
use crate::overlay::{Overlay, decode};
use crate::policy::ROOM_REWIND_MS;
use crate::store::{Space, StoreError, Value};
use crate::wire::{Digest, GroupId};

const FUTURE: Space = "future_message";

/// A message that waits.
#[derive(Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Waiting {
    group: GroupId,
    epoch: u64,
    /// Its place in the order in which messages came.
    arrival: u64,
    arrived_ms: u64,
    room: RoomAddress,
    sender: Option<UserId>,
    sent_ms: u64,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    message: Vec<u8>,
    checkpoint: Option<CheckpointBytes>,
}

/// Where a message waits, and since when.
struct Place {
    epoch: u64,
    hash: Digest,
    arrival: u64,
    arrived_ms: u64,
}

/// What waits for one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffered {
    count: usize,
    /// When the oldest came.
    since_ms: u64,
    /// When the first has waited too long.
    until_ms: u64,
}

pub(super) type Future = BTreeMap<GroupId, Buffered>;

/// What waits in a store.
pub(super) fn open(overlay: &Overlay) -> Result<Future, StoreError> {
    let mut future = Future::new();
    overlay.each(FUTURE, &[], |_, value| {
        note(&mut future, &decode(FUTURE, value)?);
        Ok(true)
    })?;
    Ok(future)
}

fn note(future: &mut Future, waiting: &Waiting) {
    let since_ms = waiting.arrived_ms;
    let until_ms = since_ms.saturating_add(waiting.keep_ms());
    let new = Buffered { count: 0, since_ms, until_ms };
    let entry = future.entry(waiting.group.clone()).or_insert(new);
    entry.count = entry.count.saturating_add(1);
    entry.since_ms = entry.since_ms.min(since_ms);
    entry.until_ms = entry.until_ms.min(until_ms);
}

impl Member {
    /// Keeps a message of an epoch that this group has not reached.
    pub(super) fn keep_for_future(
        &mut self,
        group: &GroupId,
        epoch: u64,
        hash: &Digest,
        received: ReceivedMessage,
    ) -> Result<(), StoreError> {
        if self.future.get(group).is_some_and(|b| b.count >= FUTURE_MESSAGES_MAX) {
            let why = "too many messages wait for handshakes that did not come";
            return self.undecryptable(group, epoch, &received, Unreadable::TooManyWait, why);
        }
        self.keep(group, epoch, hash, received)
    }

    /// Keeps a message for a group that this device is not in, or not yet.
    pub(super) fn keep_for_unknown(
        &mut self,
        received: ReceivedMessage,
        hash: &Digest,
    ) -> Result<(), StoreError> {
        if received.message.len() > APPLICATION_BYTES_MAX {
            return Ok(());
        }
        let Ok(message) = MlsMessage::from_bytes(&received.message) else { return Ok(()) };
        let MlsMessageDescription::PrivateProtocolMessage {
            group_id,
            epoch_id,
            content_type: ContentType::Application | ContentType::Commit,
        } = message.description()
        else {
            return Ok(());
        };
        let group = GroupId(group_id.to_vec());
        let strange = |group: &GroupId| self.readable(group).is_none();
        // All groups that we are not in share one bound: anybody can make up their ids.
        let waiting: usize =
            self.future.iter().filter(|(group, _)| strange(group)).map(|(_, b)| b.count).sum();
        if waiting >= FUTURE_MESSAGES_MAX || !strange(&group) {
            return Ok(());
        }
        self.keep(&group, epoch_id, hash, received)
    }

    fn keep(
        &mut self,
        group: &GroupId,
        epoch: u64,
        hash: &Digest,
        received: ReceivedMessage,
    ) -> Result<(), StoreError> {
        let key = message_key(group, epoch, hash);
        if self.overlay.get(FUTURE, &key)?.is_some() {
            return Ok(());
        }
        let waiting = Waiting {
            group: group.clone(),
            epoch,
            arrival: self.counters.next_arrival(&self.overlay)?,
            arrived_ms: self.now_ms,
            room: received.room,
            sender: received.sender,
            sent_ms: received.sent_ms,
            message: received.message,
            checkpoint: received.checkpoint,
        };
        note(&mut self.future, &waiting);
        self.overlay.write(FUTURE, &key, &waiting)
    }

    /// Reads what waited for the epoch that a group is in now, and what that leads to.
    ///
    /// Commits among it move the group: what waits for the next epoch comes when all of this one have come,
    /// or one that loses might find the group too far.
    pub(super) fn read_future(&mut self, group: &GroupId) -> Result<(), StoreError> {
        if let Some(again) = self.reading_future.get_mut(group) {
            *again = true;
            return Ok(());
        }
        let mut again = true;
        while again {
            self.reading_future.insert(group.clone(), false);
            let read = self.read_due(group);
            again = self.reading_future.remove(group).unwrap_or_default();
            read?;
        }
        Ok(())
    }

    /// Reads once what has waited for this epoch.
    fn read_due(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(epoch) = self.readable(group).map(|record| record.epoch) else { return Ok(()) };
        let epoch = self.last_readable_epoch(group, epoch)?;
        let (mut due, waiting) = self.take_future(group, |waiting| waiting.epoch <= epoch)?;
        self.set_buffered(group, &waiting);
        due.sort_by_key(|waiting| waiting.arrival);
        let mut others = Vec::new();
        for waiting in due {
            let place = Place::of(&waiting);
            let received = waiting.into_received();
            match door::from_room(&received.message, group, epoch) {
                Ok(message) => {
                    self.read_message(group, &place.hash, message, received)?;
                    self.keep_place(group, &place)?;
                }
                Err(_) => others.push((place, received)),
            }
        }
        // As if they came just now: a room's commits, by which messages of a later epoch are read, and
        // what is too old by now, or never for us.
        others.into_iter().try_for_each(|(place, received)| {
            self.message(received)?;
            self.keep_place(group, &place)
        })
    }

    /// What could not be read this time either stays where it was in the order of arrival, and as old.
    fn keep_place(&mut self, group: &GroupId, place: &Place) -> Result<(), StoreError> {
        let key = message_key(group, place.epoch, &place.hash);
        let Some(again) = self.overlay.read::<Waiting>(FUTURE, &key)? else { return Ok(()) };
        let (arrival, arrived_ms) = (place.arrival, place.arrived_ms);
        let again = Waiting { arrival, arrived_ms, ..again };
        if let Some(buffered) = self.future.get_mut(group) {
            buffered.since_ms = buffered.since_ms.min(arrived_ms);
            let until_ms = arrived_ms.saturating_add(again.keep_ms());
            buffered.until_ms = buffered.until_ms.min(until_ms);
        }
        self.overlay.write(FUTURE, &key, &again)
    }

    /// Gives up what waits for too long, and asks for the handshakes that it waits for.
    pub(super) fn age_future(&mut self) -> Result<(), StoreError> {
        // While Welcomes are asked for, nobody knows yet which groups these are.
        let welcomed = self.is_asking(|purpose| matches!(purpose, Purpose::Welcomes(_)));
        let waiting: Vec<_> =
            self.future.iter().map(|(group, buffered)| (group.clone(), *buffered)).collect();
        for (group, buffered) in waiting {
            let readable = self.readable(&group).is_some();
            let joined_ms = self.joined_ms(&group);
            let age_ms = self.now_ms.saturating_sub(buffered.since_ms.max(joined_ms));
            let until_ms = buffered.until_ms.max(joined_ms.saturating_add(FUTURE_KEEP_MS));
            // What this device did not hear of while it was away may be on its way now.
            let asked = if readable { self.asks_handshakes(&group) } else { welcomed };
            if self.now_ms >= until_ms && !asked {
                self.expire_future(&group)?;
            } else if age_ms >= FUTURE_FETCH_MS && readable {
                self.fetch_for_future(&group)?;
            }
        }
        Ok(())
    }

    /// Since when messages of a group can wait for its handshakes.
    fn joined_ms(&self, group: &GroupId) -> u64 {
        self.readable(group).map_or(0, |record| record.joined_at_ms)
    }

    /// Once for what waits; again only when more comes or the connection is new.
    fn fetch_for_future(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let count = self.future.get(group).map_or(0, |b| b.count);
        let next = self.record(group).map_or(0, super::group_record::GroupRecord::next_seq);
        if self.fetched_for.get(group) == Some(&(count, next)) || self.asks_handshakes(group) {
            return Ok(());
        }
        self.fetched_for.insert(group.clone(), (count, next));
        self.fetch_handshakes(group)
    }

    fn expire_future(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let (now_ms, joined_ms) = (self.now_ms, self.joined_ms(group));
        let age_ms = |waiting: &Waiting| now_ms.saturating_sub(waiting.arrived_ms.max(joined_ms));
        let old = |waiting: &Waiting| age_ms(waiting) >= waiting.keep_ms();
        let (old, kept) = self.take_future(group, old)?;
        self.set_buffered(group, &kept);
        let known = self.record(group).is_some_and(|r| r.state != State::Gone);
        for waiting in old.into_iter().filter(|_| known) {
            let epoch = waiting.epoch;
            let why = "the handshakes before it did not come within a day";
            let (received, reason) = (waiting.into_received(), Unreadable::NoHandshakes);
            self.undecryptable(group, epoch, &received, reason, why)?;
        }
        Ok(())
    }

    /// Takes out what `due` names; gives that and the rest.
    fn take_future(
        &mut self,
        group: &GroupId,
        due: impl Fn(&Waiting) -> bool,
    ) -> Result<(Vec<Waiting>, Vec<Waiting>), StoreError> {
        let prefix = group_prefix(group);
        if !self.future.contains_key(group) {
            return Ok((Vec::new(), Vec::new()));
        }
        let entries = self.overlay.scan(FUTURE, &prefix, &prefix, FUTURE_MESSAGES_MAX * 2)?;
        let read = |(key, value): (Vec<u8>, Value)| {
            decode::<Waiting>(FUTURE, &value).map(|waiting| (key, waiting))
        };
        let entries: Vec<_> = entries.into_iter().map(read).collect::<Result<_, _>>()?;
        let (taken, kept): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, w)| due(w));
        for (key, _) in &taken {
            self.overlay.delete(FUTURE, key);
        }
        let waiting =
            |entries: Vec<(Vec<u8>, Waiting)>| entries.into_iter().map(|(_, w)| w).collect();
        Ok((waiting(taken), waiting(kept)))
    }

    fn set_buffered(&mut self, group: &GroupId, waiting: &[Waiting]) {
        self.future.remove(group);
        for entry in waiting {
            note(&mut self.future, entry);
        }
    }
}

impl Place {
    fn of(waiting: &Waiting) -> Self {
        let Waiting { epoch, arrival, arrived_ms, .. } = *waiting;
        Self { epoch, hash: sha256(&waiting.message), arrival, arrived_ms }
    }
}

impl Waiting {
    /// How long it is kept: the commits of a room as long as they can take epochs back, for without one
    /// of them this device would go another way.
    fn keep_ms(&self) -> u64 {
        let message = MlsMessage::from_bytes(&self.message).ok();
        match message.as_ref().map(MlsMessage::description) {
            Some(MlsMessageDescription::PrivateProtocolMessage {
                content_type: ContentType::Commit,
                ..
            }) => ROOM_REWIND_MS,
            _ => FUTURE_KEEP_MS,
        }
    }

    fn into_received(self) -> ReceivedMessage {
        ReceivedMessage {
            room: self.room,
            sender: self.sender,
            sent_ms: self.sent_ms,
            message: self.message,
            checkpoint: self.checkpoint,
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Waiting);
