//! Messages that come faster than their sender's rate: held back, and let go when it allows.
//!
//! There is one queue a sender, over all groups, because there is one rate a sender. While
//! something is in it the sender's new messages go to its end, so none overtakes another. When the
//! next one may go stands in the store: a restart fills the buckets, but lets no queue run empty
//! at once.

use super::group_record::{self, GroupRecord};
use super::held_queue::{self, HeldQueue};
use super::rates::Rate;
use super::relay::Accepted;
use super::turn::{Turn, effect_id};
use super::{Effect, Notify};
use crate::address::UserId;
use crate::identity::clients;
use crate::limits::{HELD_CATCH_UP_MS, HELD_SENDERS_PER_TURN_MAX};
use crate::store::StoreError;
use crate::wire::Notice;
use crate::wire::membership_warning::MembershipWarning;

impl Turn<'_> {
    /// Copies a message or holds it back; `false` where there is no place to hold it, and it is
    /// dropped.
    pub(super) fn copy_or_hold(
        &mut self,
        record: &GroupRecord,
        message: Accepted,
    ) -> Result<bool, StoreError> {
        let sender = &message.sender;
        if let Some(queue) = HeldQueue::read(self.store, sender)? {
            return self.hold(record, queue, &message);
        }
        match self.rates.take(Rate::Messages, &[sender.as_str()], self.now_ms) {
            Ok(()) => {
                self.copy(record, message);
                Ok(true)
            }
            Err(wait_ms) => {
                let due_ms = self.now_ms.saturating_add(wait_ms);
                self.hold(record, HeldQueue::new(sender, due_ms), &message)
            }
        }
    }

    /// Lets go what may go by now, within a bound; the rest is due at once.
    pub(super) fn release_due(&mut self) -> Result<(), StoreError> {
        let senders = held_queue::due_senders(self.store, self.now_ms, HELD_SENDERS_PER_TURN_MAX)?;
        for sender in senders {
            if let Some(queue) = HeldQueue::read(self.store, &sender)? {
                self.release(&sender, queue)?;
            }
        }
        Ok(())
    }

    /// Lets go everything of a member who is about to go: it was valid when it came. Later its
    /// ghost would have to come back to post it, and members who applied the Remove cannot read it.
    pub(super) fn release_before_leaving(
        &mut self,
        record: &GroupRecord,
        sender: &UserId,
    ) -> Result<(), StoreError> {
        for message in self.take_held(record, sender)? {
            self.copy(record, message);
        }
        Ok(())
    }

    /// Forgets everything of a member whose ghost was put out of the room that it would go to.
    pub(super) fn forget_held(
        &mut self,
        record: &GroupRecord,
        sender: &UserId,
    ) -> Result<(), StoreError> {
        self.take_held(record, sender).map(drop)
    }

    fn hold(
        &mut self,
        record: &GroupRecord,
        mut queue: HeldQueue,
        message: &Accepted,
    ) -> Result<bool, StoreError> {
        if !queue.has_place(self.store)? {
            self.tell_dropped(record, message)?;
            return Ok(false);
        }
        queue.push(self.store, message)?;
        let due_ms = queue.due_ms();
        queue.keep(self.store, due_ms)?;
        Ok(true)
    }

    /// Lets go as many as the time since the last one allows. What is far too late, after a
    /// stop, is not made up for: or all would go at once.
    fn release(&mut self, sender: &UserId, mut queue: HeldQueue) -> Result<(), StoreError> {
        let wait_ms = Rate::Messages.wait_ms();
        let earliest = self.now_ms.saturating_sub(HELD_CATCH_UP_MS.saturating_sub(wait_ms));
        let mut due_ms = queue.due_ms().max(earliest);
        while due_ms <= self.now_ms {
            let Some(message) = queue.pop(self.store)? else { break };
            // The bucket counts it too, or it would be full when the last one has gone.
            let _ = self.rates.take(Rate::Messages, &[sender.as_str()], self.now_ms);
            if let Some(record) = group_record::read(self.store, &message.group)? {
                self.copy(&record, message);
            }
            due_ms = due_ms.saturating_add(wait_ms);
        }
        queue.keep(self.store, due_ms)
    }

    fn take_held(
        &mut self,
        record: &GroupRecord,
        sender: &UserId,
    ) -> Result<Vec<Accepted>, StoreError> {
        let Some(mut queue) = HeldQueue::read(self.store, sender)? else { return Ok(Vec::new()) };
        let taken = queue.take_group(self.store, &record.group)?;
        let due_ms = queue.due_ms();
        queue.keep(self.store, due_ms)?;
        Ok(taken)
    }

    /// Tells every client of the group, now and then, that not all of a sender's messages go over.
    fn tell_dropped(&mut self, record: &GroupRecord, lost: &Accepted) -> Result<(), StoreError> {
        let sender = &lost.sender;
        if self.rates.take(Rate::DroppedNotices, &[sender.as_str()], self.now_ms).is_err() {
            return Ok(());
        }
        let text = format!(
            "{sender} sends faster than messages are carried between the networks: some of theirs \
             are not carried"
        );
        let public = self.groups.copy(self.store, record)?;
        for client in clients(&public.roster()) {
            let id = effect_id("dropped", &[&lost.message, client.as_str().as_bytes()]);
            let warning = MembershipWarning { group: record.group.clone(), text: text.clone() };
            let notice = Notice::MembershipWarning(warning);
            self.effects.push(Effect::Notify(Notify { id, to: client, notice }));
        }
        Ok(())
    }
}
