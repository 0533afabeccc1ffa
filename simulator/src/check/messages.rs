//! What was sent is read by everybody who was there, and stayed, once, in order.

use std::collections::BTreeMap;

use mls_core::address::RoomAddress;
use mls_core::limits::DAY_MS;
use mls_core::member::CommandId;
use mls_core::policy::{PAST_EPOCH_KEEP_MS, PAST_EPOCHS};
use mls_core::wire::Digest;

use crate::failure::{Failure, Rule};
use crate::record::{Followed, Given, Seen, Sent, State};
use crate::step::Device;
use crate::world::World;

impl World {
    pub(super) fn check_messages(&self) -> Result<(), Failure> {
        for (id, given) in &self.record.commands {
            let sent = given.message.and_then(|message| self.record.messages.get(&message));
            if let Some(sent) = sent {
                self.check_message(id, given, sent)?;
            }
        }
        for (device, seen) in self.record.seen.iter().filter(|(d, _)| self.counts(**d)) {
            self.check_readable(*device, seen)?;
            self.check_order(*device, seen)?;
        }
        Ok(())
    }

    /// Of a message that was confirmed.
    fn check_message(&self, id: &CommandId, given: &Given, sent: &Sent) -> Result<(), Failure> {
        let by_room = sent.leaf_by_room.is_some();
        let too_late =
            if by_room { self.was_replaced_before(sent) } else { self.is_too_late(sent) };
        if given.unanswered || too_late || self.record.is_excused(&sent.group) {
            return Ok(());
        }
        let late =
            |device| given.message.is_some_and(|id| self.record.late.contains(&(device, id)));
        for (device, seen) in self.record.seen.iter().filter(|(d, _)| self.counts(**d)) {
            let since = seen.since.get(&sent.group);
            if self.is_shut_out(*device)
                || late(*device)
                || self.record.went_before(*device, &sent.group, sent.epoch)
                || since.is_none_or(|since| *since > sent.epoch)
                || self.record.is_on_another_branch(*device, sent)
                || !self.reaches(sent, *device)?
            {
                continue;
            }
            let said = seen.unreadable.iter().any(|(group, epoch, why, _)| {
                // On a branch, what was given up may be the commit that leads there.
                let there = *epoch == sent.epoch || by_room && *epoch < sent.epoch;
                *group == sent.group && there && self.is_too_old(why)
            });
            Rule::NothingLost.holds(seen.has_heard(id) || said, || {
                let Sent { epoch, device: sender, .. } = sent;
                format!("d{device} has not read {id}, sent by d{sender} in epoch {epoch}")
            })?;
        }
        Ok(())
    }

    /// Whether a message comes, by the rules, into the room in which a device would read it.
    fn reaches(&self, sent: &Sent, device: Device) -> Result<bool, Failure> {
        let user = self.see(device)?.user();
        let inside = |room: &RoomAddress| {
            room.network == user.network()
                && self.rooms.get(room).is_some_and(|known| known.inside.contains(&user))
        };
        if !self.rooms_of(&sent.group).iter().any(inside) || !self.sender_stays(sent, device) {
            return Ok(false);
        }
        let (from, to) = (self.see(sent.device)?.network(), self.see(device)?.network());
        if from == to {
            return Ok(true);
        }
        // The hub copies what it reads while its sender has a leaf, and not what is too old.
        let read = sent.read.is_some_and(|(epoch, inside)| {
            inside && epoch.saturating_sub(sent.epoch) <= PAST_EPOCHS
        });
        Ok(read && !sent.dropped)
    }

    /// As [`World::sender_stayed`], of a message in a group that its room may have ordered.
    fn sender_stays(&self, sent: &Sent, reader: Device) -> bool {
        let reads = self.record.followed.get(&(reader, sent.group.clone()));
        let client = self.record.clients.get(sent.device);
        let Some(leaf) = &sent.leaf_by_room else {
            // The room may have put it out since.
            let by_room = reads.filter(|reads| reads.by_room_since.is_some());
            let is_in = |reads: &Followed| reads.leaf(client).is_some();
            return self.sender_stayed(sent) && by_room.is_none_or(is_in);
        };
        let since = self.record.seen.get(&sent.device).and_then(|seen| seen.since.get(&sent.group));
        reads.and_then(|reads| reads.leaf(client)).as_ref() == Some(leaf)
            && since.is_some_and(|since| *since <= sent.epoch)
    }

    /// Whether its sender kept its leaf and key: the engine reads no late message of one who did
    /// not (mls-rs checks past senders against the tree of today).
    fn sender_stayed(&self, sent: &Sent) -> bool {
        let client = self.record.clients.get(sent.device);
        let states = self
            .record
            .states
            .range((sent.group.clone(), sent.epoch)..=(sent.group.clone(), u64::MAX));
        let leaf = |state: &State| {
            state.members.iter().find(|(member, ..)| Some(member) == client).cloned()
        };
        let mut leaves = states.map(|(_, state)| leaf(state));
        let first = leaves.next().flatten();
        first.is_some() && leaves.all(|leaf| leaf == first)
    }

    /// Whether its epoch had ended long before it could come to everybody, in time or in commits.
    fn is_too_late(&self, sent: &Sent) -> bool {
        let end = self.record.ends.get(&(sent.group.clone(), sent.epoch));
        let epoch = self.record.epochs.get(&sent.group).copied().unwrap_or(0);
        // Past epochs are kept for two days: what came within one was in time for everybody.
        let in_time =
            end.is_none_or(|end| self.healed_ms < end.at_ms + PAST_EPOCH_KEEP_MS - DAY_MS);
        let many = epoch.saturating_sub(sent.epoch) > PAST_EPOCHS;
        !in_time || many || self.was_replaced_before(sent)
    }

    /// Whether another group had long taken the place of the one in which it was sent.
    fn was_replaced_before(&self, sent: &Sent) -> bool {
        let ended_ms = self.record.ended.get(&sent.group);
        ended_ms.is_some_and(|at_ms| self.healed_ms >= at_ms + PAST_EPOCH_KEEP_MS - DAY_MS)
    }

    /// Whether it need not be read by a device.
    fn is_excused(&self, sent: &Sent, device: Device) -> bool {
        match sent.leaf_by_room {
            Some(_) => {
                !self.sender_stays(sent, device)
                    || self.was_replaced_before(sent)
                    || self.record.is_on_another_branch(device, sent)
            }
            None => self.is_too_late(sent) || !self.sender_stays(sent, device),
        }
    }

    /// Whether a message was given up since its epoch did not come to its device within a day, and
    /// there was such a day.
    fn is_too_old(&self, why: &str) -> bool {
        self.now_ms - self.begins.at_ms() > DAY_MS && why.contains("did not come within a day")
    }

    fn check_readable(&self, device: Device, seen: &Seen) -> Result<(), Failure> {
        for (group, epoch, why, since) in &seen.unreadable {
            let of_epoch = self.record.messages.iter();
            let of_epoch = of_epoch.filter(|(_, s)| s.group == *group && s.epoch == *epoch);
            let late = |id: &Digest| self.record.late.contains(&(device, *id));
            let excused = since.is_none_or(|since| since > *epoch)
                || self.record.shut_out
                || self.record.went_before(device, group, *epoch)
                || self.is_too_old(why)
                || self.record.is_excused(group)
                || of_epoch.into_iter().any(|(id, s)| late(id) || self.is_excused(s, device));
            Rule::NoFalseAlarm.holds(excused, || {
                format!("d{device} cannot read a message of epoch {epoch}: {why}")
            })?;
        }
        Ok(())
    }

    /// Each sender's messages in a group come in the order of its commands; of what it says into a group that has
    /// been replaced some may have been sent in the next.
    fn check_order(&self, device: Device, seen: &Seen) -> Result<(), Failure> {
        if self.record.swapped {
            return Ok(());
        }
        let mut last: BTreeMap<(Device, usize), &Given> = BTreeMap::new();
        for id in &seen.heard {
            let Some(given) = self.record.commands.get(id).filter(|given| !given.again) else {
                continue;
            };
            let mls_core::member::Command::Send(send) = &given.command else { continue };
            let sent = given.message.and_then(|message| self.record.messages.get(&message));
            let group = sent.map_or(&send.group, |sent| &sent.group);
            let of = (given.device, self.ordinal(group));
            let ordered = last.insert(of, given).is_none_or(|before| {
                let messages = given.message.zip(before.message);
                before.number < given.number
                    || messages.is_some_and(|(a, b)| self.record.are_on_two_branches(&a, &b))
            });
            Rule::InOrder.holds(ordered, || {
                format!("d{device} shows {id} after a later message of its sender")
            })?;
        }
        Ok(())
    }
}
