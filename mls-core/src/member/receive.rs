//! Receiving: what a room brings is let in by the door, decrypted, and shown once.
//!
//! The sender that is shown is the leaf's; where the network names another account, that is
//! said beside it, and the message is never dropped for it, or a server could burn a message by
//! sending a copy. A message that fails to decrypt may have consumed a key: see
//! [`super::loaded`] for what follows.

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::group::ReceivedMessage as Received;

use super::epoch_change::client_at;
use super::event::{MessageEvent, Sender, Undecryptable, Unreadable};
use super::group_record::{GroupRecord, State};
use super::loaded::Loaded;
use super::seen::message_key;
use super::send::OWN_MESSAGE;
use super::warning::WarningKind;
use super::{Event, Member, ReceivedMessage, engine_fault, is_storage_fault};
use crate::address::{ClientId, RoomAddress, UserId};
use crate::door::{self, ApplicationMessage, DoorError};
use crate::engine::sha256;
use crate::limits::EPOCHS_REMEMBERED;
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

/// A message that was read.
pub(super) struct Decrypted {
    pub(super) sender: ClientId,
    leaf: u32,
    /// Which of the sender's messages of the epoch it is; nobody signed that.
    generation: Option<u32>,
    pub(super) content: Vec<u8>,
}

impl Member {
    /// A message came in a room.
    pub(super) fn message(&mut self, received: ReceivedMessage) -> Result<(), StoreError> {
        let hash = sha256(&received.message);
        let Some(record) = self.group_of_room(&received.room) else {
            return self.keep_for_unknown(received, &hash);
        };
        let group = record.group.clone();
        self.message_in(&group, &hash, received)
    }

    fn message_in(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        received: ReceivedMessage,
    ) -> Result<(), StoreError> {
        let Some(record) = self.record(group) else { return Ok(()) };
        let (state, epoch_now) = (record.state, record.epoch);
        match state {
            // The hub may have taken a group whose maker does not know that yet, and others speak in it.
            State::Gone | State::Registering => return self.keep_for_unknown(received, hash),
            State::Live | State::Rejoining | State::Ended => {}
        }
        if let Some(taken) = self.commit_in_room(group, hash, &received)? {
            return Ok(taken);
        }
        match door::from_room(&received.message, group, epoch_now) {
            Ok(message) if self.was_seen(group, message.epoch, hash)? => Ok(()),
            // Also after the group went back to the hub from an epoch of before.
            Ok(message) if message.epoch > epoch_now && self.has_branches(group)? => {
                self.read_on_branches(group, hash, message, received)
            }
            Ok(message) if state == State::Rejoining || message.epoch > epoch_now => {
                self.keep_for_future(group, message.epoch, hash, received)
            }
            Ok(message) => self.read_unseen(group, hash, message, received),
            Err(DoorError::OtherGroup) => self.message_of_other(received, hash),
            Err(error) => self.not_let_in(group, hash, error, &received),
        }
    }

    /// A message of another group than the one that lives in the room now, as far as that is known: the group
    /// before it, or the one that is to follow, or another that this device is in.
    pub(super) fn message_of_other(
        &mut self,
        received: ReceivedMessage,
        hash: &Digest,
    ) -> Result<(), StoreError> {
        let ended = |record: &&GroupRecord| {
            record.state == State::Ended && record.rooms.contains(&received.room)
        };
        let live = |group: &GroupId| {
            self.readable(group).is_some_and(|record| record.rooms.contains(&received.room))
        };
        if let Some(group) = group_of(&received.message).filter(live) {
            return self.message_in(&group, hash, received);
        }
        let ended: Vec<_> =
            self.groups.values().filter(ended).map(|r| (r.group.clone(), r.epoch)).collect();
        for (group, epoch_now) in &ended {
            if let Ok(message) = door::from_room(&received.message, group, *epoch_now) {
                return self.read_message(group, hash, message, received);
            }
        }
        // Of one that is to follow, even if nothing is known yet of a new start.
        self.keep_for_unknown(received, hash)
    }

    /// Somebody posted in clear into a room of a group.
    pub(super) fn cleartext(
        &mut self,
        room: &RoomAddress,
        sender: Option<UserId>,
    ) -> Result<(), StoreError> {
        let Some(group) = self.group_of_room(room).map(|r| r.group.clone()) else {
            return Ok(());
        };
        let who = sender.map_or("somebody".to_owned(), |user| user.address());
        self.warn(
            &group,
            WarningKind::MessageInClear,
            format!("{who} sent a message in clear into {room}: anybody can read it"),
        )
    }

    /// Decrypts a message of this epoch or of one not long past, unless it was dealt with.
    pub(super) fn read_message(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        message: ApplicationMessage,
        received: ReceivedMessage,
    ) -> Result<(), StoreError> {
        match self.was_seen(group, message.epoch, hash)? {
            true => Ok(()),
            false => self.read_unseen(group, hash, message, received),
        }
    }

    fn read_unseen(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        message: ApplicationMessage,
        received: ReceivedMessage,
    ) -> Result<(), StoreError> {
        let epoch = message.epoch;
        let before = self.record(group).is_some_and(|r| epoch < r.joined_epoch);
        if let Some(content) = self.own_content(group, epoch, hash)? {
            return self.came_home(group, epoch, hash, content, &received);
        }
        if before {
            // From before we joined: not for us, and nothing that we could miss.
            self.mark_seen(group, epoch, hash);
            return Ok(());
        }
        let Some(mut loaded) = self.take_group(group)? else {
            return self.keep_for_future(group, epoch, hash, received);
        };
        self.mark_seen(group, epoch, hash);
        let checkpoint = self.judge_checkpoint(group, epoch, &loaded, &received)?;
        match self.decrypt_certainly(group, &mut loaded, message.message.clone())? {
            Ok(Some(Decrypted { sender, leaf, generation, content })) => {
                self.count_decrypted(group, &mut loaded)?;
                self.give_back(group, loaded);
                self.heard_from(group, &sender, checkpoint.is_some())?;
                if let Some(generation) = generation {
                    let key = (group.clone(), epoch, leaf);
                    self.generation_came(key, &sender, generation, checkpoint.as_ref())?;
                }
                self.show(group, epoch, sender, content, &received)
            }
            // Our own, whose content was shown long ago.
            Ok(None) => {
                self.give_back(group, loaded);
                Ok(())
            }
            Err(error) if is_storage_fault(&error) => Err(engine_fault(&error)),
            Err(error) => {
                if !left_untouched(&error) {
                    loaded.doubt(self.now_ms);
                }
                self.give_back(group, loaded);
                if self.has_branches(group)? {
                    self.unmark_seen(group, epoch, hash);
                    return self.read_on_branches(group, hash, message, received);
                }
                self.undecryptable(group, epoch, &received, reason(&error), error.to_string())
            }
        }
    }

    /// Decrypts; where the key is gone and a damaged copy may have taken it, once more with the
    /// group as it was before.
    fn decrypt_certainly(
        &self,
        group: &GroupId,
        loaded: &mut Loaded,
        message: MlsMessage,
    ) -> Result<Result<Option<Decrypted>, MlsError>, StoreError> {
        if !loaded.is_in_doubt() {
            return Ok(decrypt(loaded, message));
        }
        match decrypt(loaded, message.clone()) {
            Err(MlsError::KeyMissing(_)) if loaded.may_be_read_again() => {
                loaded.renew(self.read_group(group)?);
                Ok(decrypt(loaded, message))
            }
            result => Ok(result),
        }
    }

    /// Our own message came back: it is in the room, and is shown now.
    pub(super) fn came_home(
        &mut self,
        group: &GroupId,
        epoch: u64,
        hash: &Digest,
        content: Vec<u8>,
        received: &ReceivedMessage,
    ) -> Result<(), StoreError> {
        self.mark_seen(group, epoch, hash);
        self.sent(hash)?;
        self.overlay.delete(OWN_MESSAGE, &message_key(group, epoch, hash));
        self.show(group, epoch, self.client.clone(), content, received)
    }

    pub(super) fn show(
        &mut self,
        group: &GroupId,
        epoch: u64,
        sender: ClientId,
        content: Vec<u8>,
        received: &ReceivedMessage,
    ) -> Result<(), StoreError> {
        let network_says = received.sender.clone().filter(|user| *user != sender.user());
        let message = MessageEvent {
            group: group.clone(),
            epoch,
            sender: Sender { client: sender, network_says },
            sent_ms: received.sent_ms,
            content,
        };
        self.emit(Event::Message(message)).map(|_| ())
    }

    pub(super) fn undecryptable(
        &mut self,
        group: &GroupId,
        epoch: u64,
        received: &ReceivedMessage,
        reason: Unreadable,
        why: impl Into<String>,
    ) -> Result<(), StoreError> {
        let event = Undecryptable {
            group: group.clone(),
            epoch,
            network_sender: received.sender.clone(),
            reason,
            why: why.into(),
        };
        self.emit(Event::Undecryptable(event)).map(|_| ())
    }

    /// The door kept a message out; people are told once.
    pub(super) fn not_let_in(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        error: DoorError,
        received: &ReceivedMessage,
    ) -> Result<(), StoreError> {
        let Some(record) = self.record(group) else { return Ok(()) };
        let (epoch_now, joined) = (record.epoch, record.joined_epoch);
        let named = MlsMessage::from_bytes(&received.message).ok().and_then(|m| m.epoch());
        let epoch = named.unwrap_or(epoch_now);
        // A made-up epoch must not choose where, or for how long, a hash is kept.
        let kept_under = epoch.clamp(epoch_now.saturating_sub(EPOCHS_REMEMBERED), epoch_now);
        if self.was_seen(group, kept_under, hash)? {
            return Ok(());
        }
        self.mark_seen(group, kept_under, hash);
        match error {
            DoorError::TooOld if epoch < joined => Ok(()),
            DoorError::TooOld => self.late(group, epoch, hash, error, received),
            error => self.warn(
                group,
                WarningKind::Refused,
                format!("something in {} was refused: {error}", received.room),
            ),
        }
    }

    /// A message of long ago: ours is still known by its hash, others cannot be read.
    fn late(
        &mut self,
        group: &GroupId,
        epoch: u64,
        hash: &Digest,
        error: DoorError,
        received: &ReceivedMessage,
    ) -> Result<(), StoreError> {
        match self.own_content(group, epoch, hash)? {
            Some(content) => self.came_home(group, epoch, hash, content, received),
            None => {
                let why = error.to_string();
                self.undecryptable(group, epoch, received, Unreadable::TooLate, why)
            }
        }
    }

    /// The record of a group that messages can be read in.
    pub(super) fn readable(&self, group: &GroupId) -> Option<&GroupRecord> {
        self.record(group).filter(|record| record.state == State::Live)
    }
}

/// The group that a message names.
fn group_of(message: &[u8]) -> Option<GroupId> {
    let message = MlsMessage::from_bytes(message).ok()?;
    message.group_id().map(|id| GroupId(id.to_vec()))
}

/// Whether the engine refuses like this before it takes a key (mls-rs 0.57: `check_metadata`, the
/// epoch's lookup, and `SecretKeyRatchet::get_message_key` before it derives).
fn left_untouched(error: &MlsError) -> bool {
    matches!(
        error,
        MlsError::EpochNotFound
            | MlsError::InvalidEpoch
            | MlsError::GroupIdMismatch
            | MlsError::ProtocolVersionMismatch
            | MlsError::KeyMissing(_)
            | MlsError::InvalidFutureGeneration(_)
    )
}

fn reason(error: &MlsError) -> Unreadable {
    match error {
        MlsError::EpochNotFound => Unreadable::TooLate,
        MlsError::KeyMissing(_) | MlsError::InvalidFutureGeneration(_) => Unreadable::NoKey,
        _ => Unreadable::Broken,
    }
}

/// The sender and the content; nothing for a message of our own.
pub(super) fn decrypt(
    loaded: &mut Loaded,
    message: MlsMessage,
) -> Result<Option<Decrypted>, MlsError> {
    let received = match loaded.group.process_incoming_message(message) {
        Ok(Received::ApplicationMessage(received)) => received,
        Ok(_) => return Err(MlsError::UnexpectedMessageType),
        Err(MlsError::CantProcessMessageFromSelf) => return Ok(None),
        Err(error) => return Err(error),
    };
    let sender =
        client_at(&loaded.group.roster(), received.sender_index).ok_or(MlsError::MemberNotFound)?;
    Ok(Some(Decrypted {
        sender,
        leaf: received.sender_index,
        generation: received.unauthenticated_key_generation,
        content: received.data().to_vec(),
    }))
}
