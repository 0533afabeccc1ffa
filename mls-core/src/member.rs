//! One device of one account: the MLS client, as a state machine.
//!
//! One [`Input`] gives one [`Outcome`]: writes and outputs to commit together, before anything
//! is sent, and synced as its [`Durability`] says. Requests, messages and uploads are kept in the store until they are confirmed;
//! [`Member::pending`] gives them again after a restart, under the same ids.
//!
//! Each thing that it does stands in one file of its own; `advance` takes what waits as far as
//! it goes after each input. After a failed commit of the database drop the [`Member`] and open
//! it again: its memory is ahead.

mod admission;
mod advance;
mod ask_to_join;
mod claimed_package;
mod command;
mod commit;
mod counters;
mod create;
mod engine_storage;
mod epoch_authenticator;
mod epoch_change;
mod event;
mod events;
mod future;
mod group_record;
mod handshake;
mod hub_pin;
mod input;
mod intents;
mod invite;
mod key_packages;
mod keys;
mod known_keys;
mod leaf_update;
mod leave;
mod loaded;
mod outcome;
mod output;
mod pending_proposals;
mod ratchet;
mod receive;
mod rejoin;
mod remove;
mod requests;
mod rooms;
mod rotate;
mod seen;
mod send;
mod summary;
mod welcome;

pub use command::{Command, CommandId, MembersCommand, SendCommand};
pub use event::{
    CommandDone, CommandFailed, DeviceWaiting, EpochEvent, Event, EventRecord, Joined,
    MessageEvent, RemovedEvent, Sender, Undecryptable, WarningEvent,
};
pub use input::{Confirmation, Input, ReceivedMessage};
pub use outcome::{Durability, Outcome};
pub use output::{KeyPackageUpload, OutgoingMessage, Output};
pub use summary::{GroupSummary, MemberSummary};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mls_rs::error::MlsError;

use crate::address::{ClientId, RoomAddress};
use crate::engine::EngineError;
use crate::overlay::Overlay;
use crate::store::{Store, StoreError, Write};
use crate::wire::{GroupId, Notice};
use counters::Counters;
use engine_storage::{MemberClient, Slot};
use group_record::GroupRecords;
use keys::SignatureKey;
use loaded::Loaded;
use ratchet::Ratchet;

/// One device of one account; see the module.
pub struct Member {
    overlay: Overlay,
    client: ClientId,
    keys: SignatureKey,
    engine: MemberClient,
    /// Time of the input under way.
    now_ms: u64,
    /// Outputs of the input under way.
    outputs: Vec<Output>,
    /// Groups that the input under way gave something to do.
    touched: BTreeSet<GroupId>,
    groups: GroupRecords,
    loaded: BTreeMap<GroupId, Loaded>,
    /// Of the groups that were in memory since the member was opened.
    ratchets: BTreeMap<GroupId, Ratchet>,
    counters: Counters,
    requests: requests::Requests,
    intents: intents::Intents,
    /// Those that came with the input under way and are not written.
    new_intents: BTreeSet<u64>,
    ended: intents::Ended,
    unconfirmed: Vec<send::Unconfirmed>,
    future: future::Future,
    /// When each group was last asked for its newest handshakes.
    looked_ms: BTreeMap<GroupId, u64>,
    /// For which future messages handshakes were fetched: how many, from which seq.
    fetched_for: BTreeMap<GroupId, (usize, u64)>,
    welcomes: welcome::Welcomes,
    doubts: welcome::Doubts,
    rooms: rooms::Rooms,
    /// Rooms without a group, and when to ask for it.
    rooms_to_find: BTreeMap<RoomAddress, u64>,
    /// Rooms of Welcomes that could not be entered, as long as people were not told.
    uninvited: BTreeMap<RoomAddress, rooms::Uninvited>,
    watched: BTreeMap<GroupId, leave::Watch>,
    /// When expired things were last deleted.
    house_kept_ms: u64,
}

impl Member {
    /// Opens the member that `store` holds, or makes one with a fresh signature key for `client`:
    /// commit the writes first. A store of another client, or a damaged one, is an error.
    pub fn open(store: Arc<dyn Store>, client: ClientId) -> Result<(Self, Vec<Write>), StoreError> {
        let overlay = Overlay::new(store);
        let keys = SignatureKey::open(&overlay, &client)?;
        let engine = engine_storage::client(&overlay, Slot::Current, &client, &keys);
        let (intents, ended) = intents::open(&overlay)?;
        let member = Self {
            groups: group_record::open(&overlay)?,
            counters: Counters::open(&overlay)?,
            requests: requests::open(&overlay)?,
            unconfirmed: send::open(&overlay)?,
            future: future::open(&overlay)?,
            welcomes: welcome::open(&overlay)?,
            doubts: welcome::Doubts::default(),
            rooms: rooms::open(&overlay)?,
            intents,
            ended,
            new_intents: BTreeSet::new(),
            overlay,
            client,
            keys,
            engine,
            now_ms: 0,
            outputs: Vec::new(),
            touched: BTreeSet::new(),
            loaded: BTreeMap::new(),
            ratchets: BTreeMap::new(),
            fetched_for: BTreeMap::new(),
            looked_ms: BTreeMap::new(),
            rooms_to_find: BTreeMap::new(),
            uninvited: BTreeMap::new(),
            watched: BTreeMap::new(),
            house_kept_ms: 0,
        };
        let writes = member.overlay.take_writes();
        Ok((member, writes))
    }

    /// Decides about one input. `now_ms` is the time in milliseconds since 1970. After an error
    /// (the machine's fault) nothing is to be written: drop the member and open it again.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Result<Outcome, StoreError> {
        self.now_ms = now_ms;
        let decided = self.decide(input).and_then(|()| self.advance());
        match decided.and_then(|()| self.save_new_intents()) {
            Ok(()) => {
                Ok(Outcome::new(self.overlay.take_writes(), std::mem::take(&mut self.outputs)))
            }
            Err(error) => {
                self.overlay.discard();
                self.outputs.clear();
                self.loaded.clear();
                self.ratchets.clear();
                self.counters.reserve_again();
                self.new_intents.clear();
                Err(error)
            }
        }
    }

    fn decide(&mut self, input: Input) -> Result<(), StoreError> {
        match input {
            Input::Command(id, command) => self.take_command(id, command),
            Input::Answer(id, result) => self.answered(&id, result),
            Input::Notice(Notice::Handshake(handshake)) => self.handshake(handshake),
            Input::Notice(Notice::Welcome(welcome)) => self.welcome(welcome),
            Input::Notice(Notice::KeyPackagesLow(low)) if low.device == self.client.device() => {
                self.key_packages_left(low.count)
            }
            Input::Notice(Notice::KeyPackagesLow(_)) => Ok(()),
            Input::Notice(Notice::MembershipWarning(warning)) => {
                self.warn(&warning.group, warning.text)
            }
            Input::Notice(Notice::DeviceWaiting(waiting)) => self.device_waits(waiting),
            Input::Message(message) => self.message(message),
            Input::Confirmed(Confirmation::Sent(id)) => self.sent(&id),
            Input::Confirmed(Confirmation::NotSent(id, why)) => self.not_sent(&id, why),
            Input::Confirmed(Confirmation::KeyPackagesUploaded(id)) => {
                self.key_packages_uploaded(&id)
            }
            Input::Confirmed(Confirmation::Room(room, result)) => {
                self.room_confirmed(&room, result)
            }
            Input::RoomJoined(room) => self.room_joined(&room),
            Input::RoomLeft(room) => self.room_left(&room),
            Input::CleartextInRoom { room, sender } => self.cleartext(&room, sender),
            Input::KeyPackagesLeft(left) => self.key_packages_left(left),
            Input::Connected => self.connected(),
            Input::Tick => self.tick(),
        }
    }

    fn take_command(&mut self, id: CommandId, command: Command) -> Result<(), StoreError> {
        let publishes = matches!(command, Command::PublishKeyPackages);
        self.command(id, command)?;
        self.start_creates()?;
        let waiting: Vec<_> = self.intents.keys().copied().filter(|_| publishes).collect();
        for number in waiting {
            let publish =
                |intent: &intents::Intent| matches!(intent.command, Command::PublishKeyPackages);
            if self.intents.get(&number).is_some_and(publish) {
                self.step_publish(number)?;
            }
        }
        Ok(())
    }

    fn connected(&mut self) -> Result<(), StoreError> {
        self.need_hub()?;
        self.hurry_requests();
        self.fetched_for.clear();
        self.watch_left_rooms();
        self.look_for_newest()?;
        self.fill_pool(crate::policy::KEY_PACKAGE_REFILL)?;
        self.try_welcomes()?;
        self.fetch_welcomes()?;
        self.tick()
    }

    /// All that was to be done and is not confirmed, and events not yet marked as seen.
    pub fn pending(&self) -> Result<Vec<Output>, StoreError> {
        let events = self.unseen_events()?.into_iter().map(Output::Event);
        let uploads = self.uploads()?.into_iter().map(Output::UploadKeyPackages);
        let mut outputs: Vec<_> = events.chain(self.pending_rooms()).chain(uploads).collect();
        outputs.extend(self.pending_requests()?);
        outputs.extend(self.pending_messages()?);
        Ok(outputs)
    }

    /// Marks events up to `number` as seen. If the database fails, they are given again.
    pub fn seen(&mut self, number: u64) -> Vec<Write> {
        match self.forget_events(number) {
            Ok(()) => self.overlay.take_writes(),
            Err(_) => {
                self.overlay.discard();
                Vec::new()
            }
        }
    }

    /// An orderly end, or a pause: gives back what was reserved and not used. Commit the writes
    /// with a sync. Not after an error of the database, which may lack what memory has.
    pub fn rest(&mut self) -> Result<Vec<Write>, StoreError> {
        self.give_back_generations()?;
        self.counters.give_back(&self.overlay)?;
        Ok(self.overlay.take_writes())
    }

    /// The client that this device is.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// The Ed25519 public key in all credentials of this device.
    pub fn signature_key(&self) -> &[u8] {
        self.keys.public()
    }

    /// Signs with the device's signature key, for announcements outside MLS. Whoever calls puts
    /// a label of its own before `bytes`. An error means that the crypto provider failed.
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
        self.keys.sign(bytes)
    }
}

/// An error of the engine where only a damaged database or machine can cause one.
fn engine_fault(error: &MlsError) -> StoreError {
    StoreError(format!("the MLS engine failed: {error}"))
}

/// Whether the engine failed because our storage below it did.
fn is_storage_fault(error: &MlsError) -> bool {
    matches!(
        error,
        MlsError::GroupStorageError(_)
            | MlsError::KeyPackageRepoError(_)
            | MlsError::PskStoreError(_)
    )
}
