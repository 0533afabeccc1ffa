//! Sending: encrypt, keep until the room has it, recognise it when it comes back.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::event::CommandDone;
use super::intents::Step;
use super::loaded::Loaded;
use super::pending_proposals::is_to_be_removed;
use super::seen::message_key;
use super::{Command, CommandId, Event, Member, OutgoingMessage, Output, engine_fault};
use crate::engine::sha256;
use crate::limits::{APPLICATION_BYTES_MAX, MESSAGES_UNCONFIRMED_MAX, PLAINTEXT_BYTES_MAX};
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

/// Messages that the room may not have yet, in the order of sending.
pub(super) const OUTGOING: Space = "outgoing_message";
/// Contents of own messages that the room has, as far as we know, and that have not come back
/// from it, by group, epoch and hash.
pub(super) const OWN_MESSAGE: Space = "own_message";

/// A message that the room may not have yet.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Outgoing {
    command: CommandId,
    message: OutgoingMessage,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    content: Vec<u8>,
}

/// Messages that the room may not have yet, in memory without their bytes.
#[derive(Clone, Debug)]
pub(super) struct Unconfirmed {
    number: u64,
    id: Digest,
    group: GroupId,
    epoch: u64,
    command: CommandId,
}

/// The unconfirmed messages that a store holds.
pub(super) fn open(overlay: &Overlay) -> Result<Vec<Unconfirmed>, StoreError> {
    let mut unconfirmed = Vec::new();
    for (key, value) in overlay.scan(OUTGOING, &[], &[], usize::from(u16::MAX))? {
        let outgoing: Outgoing = decode(OUTGOING, &value)?;
        let number = key.try_into().map(u64::from_be_bytes).unwrap_or_default();
        let OutgoingMessage { id, group, epoch, .. } = outgoing.message;
        unconfirmed.push(Unconfirmed { number, id, group, epoch, command: outgoing.command });
    }
    Ok(unconfirmed)
}

impl Member {
    /// Sends the content of a Send command, if nothing stands before it.
    pub(super) fn step_send(&mut self, number: u64) -> Result<Step, StoreError> {
        let Some((id, Command::Send(send))) =
            self.intents.get(&number).map(|i| (i.id.clone(), i.command.clone()))
        else {
            return Ok(Step::Next);
        };
        if send.content.len() > PLAINTEXT_BYTES_MAX {
            let why = format!("the content is longer than {PLAINTEXT_BYTES_MAX} bytes");
            return self.fail(number, why).map(|()| Step::Next);
        }
        let group = send.group;
        let busy = self.record(&group).is_none_or(|r| {
            r.pending.is_some()
                || r.proposing.is_some()
                || r.rejoin.is_some()
                || r.broken_seq.is_some()
        });
        let Some(room) = self.own_room(&group) else {
            let why = "the group has no room on this device's network";
            return self.fail(number, why).map(|()| Step::Next);
        };
        if !self.is_in_room(&room) {
            // If that cannot be, the command fails; see `rooms`.
            return self.want_room(&room).map(|()| Step::Wait);
        }
        if busy || self.unconfirmed_in(&group) >= MESSAGES_UNCONFIRMED_MAX {
            return Ok(Step::Wait);
        }
        if self.is_said_to_have_ended(&group)? {
            return Ok(Step::Wait);
        }
        let Some(loaded) = self.take_group(&group)? else { return Ok(Step::Wait) };
        let Some(mut loaded) = self.clear_way(&group, loaded)? else { return Ok(Step::Wait) };
        let checkpoint = self.next_checkpoint(&group, &mut loaded)?;
        let message = match loaded.group.encrypt_application_message(&send.content, Vec::new()) {
            Ok(message) => message.to_bytes().map_err(|e| engine_fault(&e))?,
            Err(error) => {
                let why = format!("the message cannot be encrypted: {error}");
                return self.fail(number, why).map(|()| Step::Next);
            }
        };
        self.count_encrypted(&group, &mut loaded)?;
        if message.len() > APPLICATION_BYTES_MAX {
            self.give_back(&group, loaded);
            let why = format!("the message is longer than {APPLICATION_BYTES_MAX} bytes");
            return self.fail(number, why).map(|()| Step::Next);
        }
        let message = OutgoingMessage {
            id: sha256(&message),
            room,
            suite: u16::from(loaded.group.cipher_suite()),
            epoch: loaded.group.current_epoch(),
            group: group.clone(),
            message,
            checkpoint,
        };
        self.count_sent(&group, &loaded)?;
        self.give_back(&group, loaded);
        self.drop_intent(number);
        self.hand_out(id, message, send.content).map(|()| Step::Next)
    }

    /// Commits what the engine wants committed before it encrypts. The group, if it may.
    fn clear_way(&mut self, group: &GroupId, loaded: Loaded) -> Result<Option<Loaded>, StoreError> {
        if !loaded.group.commit_required() {
            return self.update_before_message(group, loaded);
        }
        if is_to_be_removed(&loaded) || !self.may_commit(group) {
            self.give_back(group, loaded);
            return Ok(None);
        }
        self.commit_pending(group, loaded).map(|_| None)
    }

    fn hand_out(
        &mut self,
        command: CommandId,
        message: OutgoingMessage,
        content: Vec<u8>,
    ) -> Result<(), StoreError> {
        let number = self.counters.next_arrival(&self.overlay)?;
        let (id, group, epoch) = (message.id, message.group.clone(), message.epoch);
        let outgoing = Outgoing { command: command.clone(), message: message.clone(), content };
        self.overlay.write_new(OUTGOING, &number.to_be_bytes(), &outgoing)?;
        self.unconfirmed.push(Unconfirmed { number, id, group, epoch, command });
        self.outputs.push(Output::Send(message));
        Ok(())
    }

    /// The room has a message.
    pub(super) fn sent(&mut self, id: &Digest) -> Result<(), StoreError> {
        let Some(sent) = self.take_unconfirmed(id)? else { return self.room_commit_sent(id) };
        self.reserve_ahead(&sent.group)?;
        let done = CommandDone { id: sent.command.clone(), group: Some(sent.group) };
        self.finish(&sent.command, Event::CommandDone(done))
    }

    /// Fails the messages that wait for a group's room.
    pub(super) fn fail_waiting_messages(
        &mut self,
        group: &GroupId,
        why: &str,
    ) -> Result<(), StoreError> {
        let waits = |command: &Command| matches!(command, Command::Send(s) if s.group == *group);
        let waiting: Vec<_> =
            self.intents.values().filter(|i| waits(&i.command)).map(|i| i.number).collect();
        for number in waiting {
            self.fail(number, why)?;
        }
        Ok(())
    }

    /// The network will never take a message.
    pub(super) fn not_sent(&mut self, id: &Digest, why: String) -> Result<(), StoreError> {
        let Some(lost) = self.take_unconfirmed(id)? else {
            return self.room_commit_not_sent(id, &why);
        };
        let failed = super::CommandFailed { id: lost.command.clone(), why };
        self.finish(&lost.command, Event::CommandFailed(failed))
    }

    fn take_unconfirmed(&mut self, id: &Digest) -> Result<Option<Unconfirmed>, StoreError> {
        let Some(place) = self.unconfirmed.iter().position(|u| u.id == *id) else {
            return Ok(None);
        };
        let taken = self.unconfirmed.remove(place);
        self.keep_content(&taken)?;
        self.touched.insert(taken.group.clone());
        Ok(Some(taken))
    }

    /// Keeps of a message only what is shown when it comes back from the room.
    fn keep_content(&mut self, message: &Unconfirmed) -> Result<(), StoreError> {
        let place = message.number.to_be_bytes();
        if let Some(outgoing) = self.overlay.read::<Outgoing>(OUTGOING, &place)? {
            let key = message_key(&message.group, message.epoch, &message.id);
            self.overlay.put_new(OWN_MESSAGE, &key, outgoing.content);
        }
        self.overlay.delete(OUTGOING, &place);
        Ok(())
    }

    /// The content of an own message that has not come back yet.
    pub(super) fn own_content(
        &self,
        group: &GroupId,
        epoch: u64,
        hash: &Digest,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let unconfirmed = self.unconfirmed.iter().find(|u| u.id == *hash && u.group == *group);
        if let Some(unconfirmed) = unconfirmed {
            let outgoing = self.overlay.read(OUTGOING, &unconfirmed.number.to_be_bytes())?;
            return Ok(outgoing.map(|outgoing: Outgoing| outgoing.content));
        }
        let content = self.overlay.get(OWN_MESSAGE, &message_key(group, epoch, hash))?;
        Ok(content.map(|content| content.to_vec()))
    }

    /// Gives up the messages of a group that are not confirmed.
    pub(super) fn fail_outgoing(&mut self, group: &GroupId, why: &str) -> Result<(), StoreError> {
        let (gone, kept) = std::mem::take(&mut self.unconfirmed)
            .into_iter()
            .partition(|unconfirmed| unconfirmed.group == *group);
        self.unconfirmed = kept;
        for message in gone {
            self.keep_content(&message)?;
            let failed = super::CommandFailed { id: message.command.clone(), why: why.to_owned() };
            self.finish(&message.command, Event::CommandFailed(failed))?;
        }
        Ok(())
    }

    /// Messages of a group that are not confirmed.
    pub(super) fn unconfirmed_in(&self, group: &GroupId) -> usize {
        self.unconfirmed.iter().filter(|u| u.group == *group).count()
    }

    /// Whether a command is a message under way.
    pub(super) fn is_outgoing(&self, command: &CommandId) -> bool {
        self.unconfirmed.iter().any(|u| u.command == *command)
    }

    /// All messages that are not confirmed, in order.
    pub(super) fn pending_messages(&self) -> Result<Vec<Output>, StoreError> {
        let entries = self.overlay.scan(OUTGOING, &[], &[], usize::from(u16::MAX))?;
        let output = |(_, value): (_, crate::store::Value)| {
            decode::<Outgoing>(OUTGOING, &value).map(|outgoing| Output::Send(outgoing.message))
        };
        entries.into_iter().map(output).collect()
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Outgoing);
