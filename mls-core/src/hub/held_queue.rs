//! What is held back of each sender: a queue in the store, and when its first message may go.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::relay::Accepted;
use crate::address::UserId;
use crate::limits::{HELD_MESSAGES_MAX, HELD_MESSAGES_PER_SENDER_MAX};
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Held messages, by sender and number.
const MESSAGE: Space = "held_message";
/// The queue of each sender that has one.
const QUEUE: Space = "held_queue";
/// The same senders by the time at which each may go on.
const DUE: Space = "held_due";
/// How many messages are held of all senders, under the empty key.
const TOTAL: Space = "held_total";

/// The queue of one sender; it is in the store while there is something in it.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct HeldQueue {
    sender: UserId,
    /// The number of the oldest message, if none was taken out from the middle.
    first: u64,
    /// The number of the next one to come.
    next: u64,
    /// How many there are.
    count: u32,
    due_ms: u64,
}

impl HeldQueue {
    /// An empty one, whose first message may go at `due_ms`.
    pub(super) fn new(sender: &UserId, due_ms: u64) -> Self {
        Self { sender: sender.clone(), first: 0, next: 0, count: 0, due_ms }
    }

    /// The sender's, if anything of theirs is held.
    pub(super) fn read(store: &Overlay, sender: &UserId) -> Result<Option<Self>, StoreError> {
        store.read(QUEUE, sender.as_str().as_bytes())
    }

    /// When its first message may go, in milliseconds since 1970.
    pub(super) fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// Whether there is place for one more, of this sender and of all together.
    pub(super) fn has_place(&self, store: &Overlay) -> Result<bool, StoreError> {
        Ok(self.count < HELD_MESSAGES_PER_SENDER_MAX && total(store)? < HELD_MESSAGES_MAX)
    }

    /// Puts a message at the end.
    pub(super) fn push(&mut self, store: &Overlay, message: &Accepted) -> Result<(), StoreError> {
        store.write(MESSAGE, &message_key(&self.sender, self.next), message)?;
        self.next = self.next.saturating_add(1);
        self.count = self.count.saturating_add(1);
        store.write(TOTAL, &[], &total(store)?.saturating_add(1))
    }

    /// Takes the oldest message.
    pub(super) fn pop(&mut self, store: &Overlay) -> Result<Option<Accepted>, StoreError> {
        while self.first < self.next {
            let number = self.first;
            self.first = number.saturating_add(1);
            if let Some(message) = self.look(store, number)? {
                self.take(store, number)?;
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Takes every message for one group, the oldest first.
    pub(super) fn take_group(
        &mut self,
        store: &Overlay,
        group: &GroupId,
    ) -> Result<Vec<Accepted>, StoreError> {
        let mut taken = Vec::new();
        for number in self.first..self.next {
            let message = self.look(store, number)?;
            if let Some(message) = message.filter(|message| message.group == *group) {
                self.take(store, number)?;
                taken.push(message);
            }
        }
        Ok(taken)
    }

    /// Stores the queue, whose first message may now go at `due_ms`; an empty one goes.
    pub(super) fn keep(mut self, store: &Overlay, due_ms: u64) -> Result<(), StoreError> {
        let key = self.sender.as_str().as_bytes().to_vec();
        store.delete(DUE, &due_key(&self.sender, self.due_ms));
        if self.count == 0 {
            store.delete(QUEUE, &key);
            return Ok(());
        }
        self.due_ms = due_ms;
        store.write(DUE, &due_key(&self.sender, due_ms), &self.sender)?;
        store.write(QUEUE, &key, &self)
    }

    fn look(&self, store: &Overlay, number: u64) -> Result<Option<Accepted>, StoreError> {
        store.read(MESSAGE, &message_key(&self.sender, number))
    }

    fn take(&mut self, store: &Overlay, number: u64) -> Result<(), StoreError> {
        store.delete(MESSAGE, &message_key(&self.sender, number));
        self.count = self.count.saturating_sub(1);
        match total(store)?.saturating_sub(1) {
            0 => store.delete(TOTAL, &[]),
            left => store.write(TOTAL, &[], &left)?,
        }
        Ok(())
    }
}

/// When the first of all held messages may go, in milliseconds since 1970.
pub(super) fn next_due_ms(store: &Overlay) -> Result<Option<u64>, StoreError> {
    let first = store.scan(DUE, b"", b"", 1)?;
    Ok(first.first().and_then(|(key, _)| time_of(key)))
}

/// At most `limit` senders of whom a message may go by `now_ms`, who waits longest first.
pub(super) fn due_senders(
    store: &Overlay,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<UserId>, StoreError> {
    let first = store.scan(DUE, b"", b"", limit)?;
    let due = first.iter().take_while(|(key, _)| time_of(key).is_some_and(|at| at <= now_ms));
    due.map(|(_, value)| decode(DUE, value)).collect()
}

fn total(store: &Overlay) -> Result<u32, StoreError> {
    Ok(store.read(TOTAL, &[])?.unwrap_or(0))
}

fn time_of(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|time| u64::from_be_bytes(*time))
}

/// No account's name holds a zero byte.
fn message_key(sender: &UserId, number: u64) -> Vec<u8> {
    [sender.as_str().as_bytes(), &[0], &number.to_be_bytes()].concat()
}

fn due_key(sender: &UserId, due_ms: u64) -> Vec<u8> {
    [due_ms.to_be_bytes().as_slice(), sender.as_str().as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(HeldQueue);
