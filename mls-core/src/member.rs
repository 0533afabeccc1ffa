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
mod alarm;
mod ask_to_join;
mod authority_pin;
mod branch;
mod branched;
mod change_settings;
mod checkpoints;
mod claimed_package;
mod claiming;
mod command;
mod commit;
mod counters;
mod create;
mod credentials;
mod early;
mod ended_at_hub;
mod ended_on_way;
mod engine_storage;
mod enter;
mod epoch_change;
mod event;
mod events;
mod exporter;
mod external_commit;
mod fetch_handshakes;
mod followed;
mod founded;
mod future;
mod gaps;
mod gone_groups;
mod group_keys;
mod group_record;
mod handshake;
mod hub_keys;
mod hub_pin;
mod identity_command;
mod input;
mod intents;
mod invite;
mod join;
mod kept_evidence;
mod kept_packages;
mod key_history;
mod key_packages;
mod keys;
mod knock;
mod known_identities;
mod known_keys;
mod leaf_update;
mod leave;
mod left_by_wish;
mod loaded;
mod log_watch;
mod lone_devices;
mod membership_log;
mod no_certificate;
mod one_commit;
mod opening;
mod other_hub;
mod outcome;
mod output;
mod overtaken;
mod own_identity;
mod own_revocation;
mod parent_copy;
pub mod passive_client;
mod pending_proposals;
mod pinned_anchors;
mod propose;
mod psks;
mod ratchet;
mod receive;
mod recovery;
mod reinit;
mod rejoin;
mod remove;
mod replaced;
mod replaced_proof;
mod requests;
mod restart;
mod revocations;
mod revoke;
mod room_order;
mod rooms;
mod rotate;
mod rotate_everywhere;
mod sealed_handshakes;
mod seen;
mod send;
mod stale_uploads;
mod succeeded;
mod successor;
mod summary;
mod unheard;
mod verifying;
mod warning;
mod welcome;

pub use alarm::{
    Alarm, AlarmEvent, HubContradicts, LogForked, MessagesMissing, OtherStateSeen, UnsignedDevice,
    VerifiedUserChanged,
};
pub use command::{
    BranchCommand, Command, CommandId, CreateGroupWith, HoldPsk, MembersCommand, ProposeCommand,
    ReInitCommand, SendCommand, SettingsCommand, UsePastEpoch, UsePsk, Wish,
};
pub use event::{
    AnchorsChanged, CommandDone, CommandFailed, DeviceWaiting, EpochEvent, Event, EventRecord,
    HeardFrom, Joined, KnockDeniedEvent, KnockedEvent, MessageEvent, RemovedEvent, Restarted,
    RewoundEvent, Sender, StartedAnew, Undecryptable, Unreadable,
};
pub use exporter::{ExportError, ExportedSecret};
pub use identity_command::{IdentityCommand, VerifyUser};
pub use input::{Confirmation, Input, ReceivedMessage};
pub use log_watch::{
    Asked, DeviceCertified, KeptFork, LogSummary, LoggedEntry, NotAsked, NotLogged,
};
pub use lone_devices::LoneDevice;
pub use membership_log::{ChangeKind, MembershipChange, MembershipEntry, Proposer};
pub use other_hub::AskAuthorities;
pub use outcome::{Durability, Outcome};
pub use output::{KeyPackageUpload, OutgoingMessage, Output};
pub use own_identity::{IdentitySummary, SignDeviceError};
pub use pinned_anchors::{AnchorSource, DomainAnchors, DomainAnchorsCommand};
pub use summary::{GroupSummary, IdentityStanding, MemberSummary, NamedAnchor};
pub use warning::{WarningEvent, WarningKind};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mls_rs::error::MlsError;
use mls_rs_core::crypto::CipherSuite;

use crate::address::{ClientId, RoomAddress};
use crate::crypto::Crypto;
use crate::engine::EngineError;
use crate::limits::{LOG_AGAIN_MS, LOG_ASKED_AGAIN_MS};
use crate::overlay::Overlay;
use crate::policy::KEY_PACKAGE_BACKDATING_S;
use crate::seal::Sealer;
use crate::store::{StoreError, Write};
use crate::wire::{GroupId, Notice};
use counters::Counters;
use engine_storage::{MemberClient, PACKAGE_LIFETIME, Slot};
use group_record::GroupRecords;
use key_packages::Fill;
use keys::{SUITE, SignatureKeys};
use loaded::Loaded;
use ratchet::Ratchet;

/// One device of one account; see the module.
pub struct Member {
    overlay: Overlay,
    crypto: Crypto,
    client: ClientId,
    keys: SignatureKeys,
    own_identity: own_identity::OwnIdentity,
    /// Loads groups of any suite.
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
    /// Whose devices are in which groups.
    survey: lone_devices::Survey,
    /// Handshakes that are at the hub, of which the answer to what it is asked may not know yet.
    wanted_seq: BTreeMap<GroupId, u64>,
    /// When each group was last asked for its newest handshakes.
    looked_ms: BTreeMap<GroupId, u64>,
    /// When what an unknown key has signed made us fetch a group's handshakes.
    unsigned_ms: BTreeMap<GroupId, u64>,
    /// For which future messages handshakes were fetched: how many, from which seq.
    fetched_for: BTreeMap<GroupId, (usize, u64)>,
    /// Groups whose waiting messages are being read, and whether there may be more by now.
    reading_future: BTreeMap<GroupId, bool>,
    log: log_watch::LogMemory,
    welcomes: welcome::Welcomes,
    doubts: welcome::Doubts,
    checkpoints: checkpoints::Checkpoints,
    patience: credentials::Patience,
    kept_packages: kept_packages::KeptPackages,
    /// Since when each group is waited for that is renewed with all others.
    renewing_since: BTreeMap<GroupId, u64>,
    revocations: revocations::KnownRevocations,
    gaps: gaps::Gaps,
    /// When people were last told that a group may have fallen apart.
    fell_apart_ms: BTreeMap<GroupId, u64>,
    /// Since when this device listens for the state from which each group went back to its hub.
    handed_back_ms: BTreeMap<GroupId, u64>,
    rooms: rooms::Rooms,
    /// Rooms without a group, and when to ask for it.
    rooms_to_find: BTreeMap<RoomAddress, u64>,
    /// Rooms of Welcomes that could not be entered, as long as people were not told.
    uninvited: BTreeMap<RoomAddress, rooms::Uninvited>,
    watched: BTreeMap<GroupId, leave::Watch>,
    /// Seals requests to the hub that is pinned.
    sealer: Sealer,
    /// Handshakes that could not be opened.
    unopened: sealed_handshakes::UnopenedByGroup,
    unheard: unheard::Unheard,
    /// Of groups that this device is on its way back into, where others have other keys.
    key_histories: BTreeMap<GroupId, key_history::KeyHistory>,
    /// When expired things were last deleted.
    house_kept_ms: u64,
}

impl Member {
    /// Decides about one input. `now_ms` is the time in milliseconds since 1970. After an error
    /// (the machine's fault) nothing is to be written: drop the member and open it again.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Result<Outcome, StoreError> {
        self.now_ms = now_ms;
        let decided = self.decide(input).and_then(|()| self.advance());
        let decided = decided.and_then(|()| self.save_new_intents());
        match self.crypto.check_source().and(decided) {
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
            Input::Notice(Notice::Handshake(sealed)) => self.sealed_handshake(sealed),
            Input::Notice(Notice::WelcomeWaiting(waiting)) => self.welcome_waits(&waiting),
            Input::Notice(Notice::KeyPackagesLow(low)) if low.device == self.client.device() => {
                self.key_packages_left(low.suite.into(), low.count)
            }
            Input::Notice(Notice::KeyPackagesLow(_)) => Ok(()),
            Input::Notice(Notice::MembershipWarning(warning)) => {
                self.warn(&warning.group, WarningKind::HubReports, warning.text)
            }
            Input::Notice(Notice::DeviceWaiting(waiting)) => self.device_waits(waiting),
            Input::Notice(Notice::Knocked(knocked)) => self.somebody_knocks(knocked),
            Input::Notice(Notice::KnockDenied(denied)) => self.knock_denied(denied),
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
            Input::KeyPackagesLeft { suite, count } => self.key_packages_left(suite.into(), count),
            Input::Connected => self.connected(),
            Input::Tick => self.tick(),
            Input::LookForRevocations => self.want_revocations(),
            Input::LookIntoLog => self.look_into_log(LOG_AGAIN_MS),
            Input::LookIntoLogNow => self.look_into_log(LOG_ASKED_AGAIN_MS),
        }
    }

    fn take_command(&mut self, id: CommandId, command: Command) -> Result<(), StoreError> {
        let publishes = matches!(command, Command::PublishKeyPackages);
        self.command(id, command)?;
        self.start_creates()?;
        self.start_joins()?;
        self.start_knocks()?;
        self.start_revocations()?;
        self.step_everywhere()?;
        if publishes { self.start_publishing() } else { Ok(()) }
    }

    fn connected(&mut self) -> Result<(), StoreError> {
        self.ask_hub_again()?;
        self.want_credentials()?;
        self.hurry_requests();
        self.fetched_for.clear();
        self.listen_anew()?;
        self.watch_left_rooms();
        self.look_for_newest()?;
        self.fill_pools(Fill::BelowHalf)?;
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
        outputs.extend(self.pending_room_commits()?);
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

    /// The Ed25519 public key in this device's credentials in groups of suites 1 and 3; what
    /// [`Member::sign`] signs with.
    pub fn signature_key(&self) -> &[u8] {
        self.keys.own().public()
    }

    /// Seals what this device asks, to the hub that is pinned, and opens the answers: for the
    /// connection, which carries nothing else.
    pub fn sealer(&self) -> Sealer {
        self.sealer.clone()
    }

    /// The engine's client that makes and joins groups of a suite.
    fn engine_of(&self, suite: CipherSuite) -> MemberClient {
        self.engine_with(self.keys.of(suite), suite)
    }

    /// The same with another key of this device.
    fn engine_with(&self, key: &keys::SignatureKey, suite: CipherSuite) -> MemberClient {
        let begin_s = (self.now_ms / 1000).saturating_sub(KEY_PACKAGE_BACKDATING_S);
        let certified = Duration::from_secs(key.until_s().saturating_sub(begin_s));
        let lifetime = PACKAGE_LIFETIME.min(certified);
        engine_storage::client(&self.overlay, &self.crypto, Slot::Current, key, suite, lifetime)
    }

    /// Signs with the device's signature key, for announcements outside MLS. Whoever calls puts
    /// a label of its own before `bytes`. An error means that the crypto provider failed.
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
        self.keys.own().sign(SUITE, bytes)
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
