//! What the MLS engine keeps (groups, past epochs, key packages, PSKs), laid into our store.
//!
//! The engine writes while it works; everything lands in the [`Overlay`] and is committed with
//! the rest of the input. A group under way back in (see [`super::rejoin`]) lies in a second
//! slot beside the group that it will replace.

use std::time::Duration;

use mls_rs::Client;
use mls_rs::Group;
use mls_rs::MlsRules;
use mls_rs::client_builder::{
    BaseConfig, ClientBuilder, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider,
    WithKeyPackageRepo, WithMlsRules, WithPskStore,
};
use mls_rs::group::ReinitClient;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::error::IntoAnyError;
use mls_rs_core::group::{EpochRecord, GroupState, GroupStateStorage};
use mls_rs_core::identity::IdentityProvider;
use mls_rs_core::key_package::{KeyPackageData, KeyPackageStorage};
use mls_rs_core::psk::{ExternalPskId, PreSharedKey, PreSharedKeyStorage};
use zeroize::Zeroizing;

use super::Member;
use super::keys::{SUITE, SignatureKey};
use crate::crypto::Crypto;
use crate::identity::ClientIdentity;
use crate::overlay::Overlay;
use crate::policy::{
    BRIDGE_GROUP_EXTENSION, HELD_PSKS_EXTENSION, KEY_PACKAGE_BACKDATING_S, KEY_PACKAGE_LIFETIME_S,
    LAST_RESORT_EXTENSION, PAST_EPOCHS, USER_IDENTITY_EXTENSION,
};
use crate::rules::GroupRules;
use crate::store::{Space, StoreError, Value};

/// A group's whole private state, by slot and group.
pub(super) const GROUP_STATE: Space = "group_state";
/// Past epochs, by slot, group and number.
pub(super) const EPOCH: Space = "epoch";
/// Private parts of published key packages, by reference.
pub(super) const KEY_PACKAGE: Space = "key_package";
/// External PSKs, by id.
pub(super) const PSK: Space = "psk";
/// More past epochs of one group are never there.
const EPOCHS_READ_MAX: usize = 64;

/// The engine's configuration over our storage, under rules `R` and with identities by `I`.
pub(super) type EngineConfig<R, I> = WithKeyPackageRepo<
    EngineStorage,
    WithPskStore<
        EngineStorage,
        WithGroupStateStorage<
            EngineStorage,
            WithMlsRules<R, WithIdentityProvider<I, WithCryptoProvider<Crypto, BaseConfig>>>,
        >,
    >,
>;
pub(super) type MemberConfig = EngineConfig<GroupRules, ClientIdentity>;
pub(super) type MemberClient = Client<MemberConfig>;
pub(super) type MemberGroup = Group<MemberConfig>;
pub(super) type ReInitClient = ReinitClient<MemberConfig>;

/// Which of the two states of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The group that is used.
    Current,
    /// A group joined by an external commit that has no receipt yet.
    Candidate,
    /// The group with a proposal of our own that has no receipt yet.
    Proposed,
    /// An older state of the group, from which handshakes are replayed within one input.
    Replay,
}

/// The engine's storage over an overlay.
#[derive(Clone)]
pub(super) struct EngineStorage {
    overlay: Overlay,
    slot: Slot,
}

/// How long a key package lives where nothing else ends it.
pub(super) const PACKAGE_LIFETIME: Duration =
    Duration::from_secs(KEY_PACKAGE_LIFETIME_S + KEY_PACKAGE_BACKDATING_S);

/// The engine's client for one slot and suite, whose new leaves have this key.
pub(super) fn client(
    overlay: &Overlay,
    crypto: &Crypto,
    slot: Slot,
    key: &SignatureKey,
    suite: CipherSuite,
    package_lifetime: Duration,
) -> MemberClient {
    builder(overlay, slot, crypto.clone(), GroupRules, ClientIdentity)
        .extension_types([
            BRIDGE_GROUP_EXTENSION,
            LAST_RESORT_EXTENSION,
            HELD_PSKS_EXTENSION,
            USER_IDENTITY_EXTENSION,
        ])
        .key_package_lifetime(package_lifetime)
        .signing_identity(key.identity(), key.secret().clone(), suite)
        .build()
}

impl Member {
    /// The engine's client for groups that are there, of any suite: their own keys come with their states.
    pub(super) fn loader(&self, slot: Slot) -> MemberClient {
        client(&self.overlay, &self.crypto, slot, self.keys.own(), SUITE, PACKAGE_LIFETIME)
    }
}

/// An engine over our storage, for whatever rules and identities.
pub(super) fn builder<R: MlsRules + Clone, I: IdentityProvider + Clone>(
    overlay: &Overlay,
    slot: Slot,
    crypto: Crypto,
    rules: R,
    identities: I,
) -> ClientBuilder<EngineConfig<R, I>> {
    let storage = EngineStorage { overlay: overlay.clone(), slot };
    Client::builder()
        .crypto_provider(crypto)
        .identity_provider(identities)
        .mls_rules(rules)
        .group_state_storage(storage.clone())
        .psk_store(storage.clone())
        .key_package_repo(storage)
}

/// Deletes all that the engine keeps of a group in one slot.
pub(super) fn delete(overlay: &Overlay, slot: Slot, group: &[u8]) -> Result<(), StoreError> {
    overlay.delete(GROUP_STATE, &state_key(slot, group));
    delete_epochs_until(overlay, slot, group, u64::MAX)
}

/// Deletes the past epochs of a group up to this one.
pub(super) fn delete_epochs_until(
    overlay: &Overlay,
    slot: Slot,
    group: &[u8],
    epoch: u64,
) -> Result<(), StoreError> {
    let (prefix, last) = (epoch_prefix(slot, group), epoch_key(slot, group, epoch));
    for (key, _) in overlay.scan(EPOCH, &prefix, &prefix, EPOCHS_READ_MAX)? {
        if key <= last {
            overlay.delete(EPOCH, &key);
        }
    }
    Ok(())
}

/// Deletes the past epochs of a group from this one on.
pub(super) fn delete_epochs_from(
    overlay: &Overlay,
    slot: Slot,
    group: &[u8],
    epoch: u64,
) -> Result<(), StoreError> {
    let (prefix, first) = (epoch_prefix(slot, group), epoch_key(slot, group, epoch));
    for (key, _) in overlay.scan(EPOCH, &prefix, &first, EPOCHS_READ_MAX)? {
        overlay.delete(EPOCH, &key);
    }
    Ok(())
}

/// A past epoch of a group, as the engine wrote it.
pub(super) fn past_epoch(
    overlay: &Overlay,
    slot: Slot,
    group: &[u8],
    epoch: u64,
) -> Result<Option<Value>, StoreError> {
    overlay.get(EPOCH, &epoch_key(slot, group, epoch))
}

/// Puts a past epoch that the engine wrote.
pub(super) fn set_past_epoch(
    overlay: &Overlay,
    slot: Slot,
    group: &[u8],
    epoch: u64,
    bytes: &[u8],
) {
    overlay.put(EPOCH, &epoch_key(slot, group, epoch), bytes.to_vec());
}

/// Puts the candidate into the place of the current group. Past epochs do not come along: the
/// candidate has none that it could read.
pub(super) fn adopt_candidate(overlay: &Overlay, group: &[u8]) -> Result<bool, StoreError> {
    if !exists(overlay, Slot::Candidate, group)? {
        return Ok(false);
    }
    delete_epochs_until(overlay, Slot::Current, group, u64::MAX)?;
    delete_epochs_until(overlay, Slot::Candidate, group, u64::MAX)?;
    adopt(overlay, Slot::Candidate, group)
}

/// Puts the state in `slot`, if there is one, into the place of the current one.
pub(super) fn adopt(overlay: &Overlay, slot: Slot, group: &[u8]) -> Result<bool, StoreError> {
    let Some(state) = overlay.get(GROUP_STATE, &state_key(slot, group))? else {
        return Ok(false);
    };
    overlay.delete(GROUP_STATE, &state_key(slot, group));
    overlay.put(GROUP_STATE, &state_key(Slot::Current, group), state.to_vec());
    Ok(true)
}

/// Lets `change` write the current state of a group, then puts what it wrote into the slot of
/// proposals and the state from before back into its place.
pub(super) fn set_aside<T>(
    overlay: &Overlay,
    group: &[u8],
    change: impl FnOnce() -> T,
) -> Result<T, StoreError> {
    let current = state_key(Slot::Current, group);
    let before = overlay.get(GROUP_STATE, &current)?;
    let changed = change();
    if let (Some(before), Some(after)) = (before, overlay.get(GROUP_STATE, &current)?) {
        overlay.put(GROUP_STATE, &state_key(Slot::Proposed, group), after.to_vec());
        overlay.put(GROUP_STATE, &current, before.to_vec());
    }
    Ok(changed)
}

/// Lets `load` read another state in the place of the current one, which is there again afterwards.
pub(super) fn with_state<T>(
    overlay: &Overlay,
    group: &[u8],
    state: &[u8],
    load: impl FnOnce() -> T,
) -> Result<T, StoreError> {
    let current = state_key(Slot::Current, group);
    let before = overlay.get(GROUP_STATE, &current)?;
    overlay.put(GROUP_STATE, &current, state.to_vec());
    let loaded = load();
    match before {
        Some(before) => overlay.put(GROUP_STATE, &current, before.to_vec()),
        None => overlay.delete(GROUP_STATE, &current),
    }
    Ok(loaded)
}

/// Puts the replayed state into the place of the current group, and the end of the epochs between
/// with it. Past epochs that are there already stay as they are: their keys are used up further.
pub(super) fn adopt_replay(overlay: &Overlay, group: &[u8]) -> Result<(), StoreError> {
    if let Some(state) = state(overlay, Slot::Replay, group)? {
        set_state(overlay, Slot::Current, group, &state);
    }
    let prefix = epoch_prefix(Slot::Replay, group);
    for (key, value) in overlay.scan(EPOCH, &prefix, &prefix, EPOCHS_READ_MAX)? {
        let number = key.get(prefix.len()..).unwrap_or_default();
        let current = [epoch_prefix(Slot::Current, group).as_slice(), number].concat();
        if overlay.get(EPOCH, &current)?.is_none() {
            overlay.put(EPOCH, &current, value.to_vec());
        }
    }
    Ok(())
}

/// A group's whole private state, as the engine wrote it.
pub(super) fn state(
    overlay: &Overlay,
    slot: Slot,
    group: &[u8],
) -> Result<Option<Value>, StoreError> {
    overlay.get(GROUP_STATE, &state_key(slot, group))
}

/// Puts a state that the engine wrote.
pub(super) fn set_state(overlay: &Overlay, slot: Slot, group: &[u8], state: &[u8]) {
    overlay.put(GROUP_STATE, &state_key(slot, group), state.to_vec());
}

/// Whether there is a state of the group.
pub(super) fn exists(overlay: &Overlay, slot: Slot, group: &[u8]) -> Result<bool, StoreError> {
    Ok(overlay.get(GROUP_STATE, &state_key(slot, group))?.is_some())
}

fn state_key(slot: Slot, group: &[u8]) -> Vec<u8> {
    [&[slot_byte(slot)], group].concat()
}

/// The group is preceded by its length, so that no group's prefix is another's.
fn epoch_prefix(slot: Slot, group: &[u8]) -> Vec<u8> {
    let length = u32::try_from(group.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[slot_byte(slot)], length.as_slice(), group].concat()
}

fn epoch_key(slot: Slot, group: &[u8], epoch: u64) -> Vec<u8> {
    [epoch_prefix(slot, group), epoch.to_be_bytes().to_vec()].concat()
}

fn slot_byte(slot: Slot) -> u8 {
    match slot {
        Slot::Current => 0,
        Slot::Candidate => 1,
        Slot::Proposed => 2,
        Slot::Replay => 3,
    }
}

impl IntoAnyError for StoreError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

impl EngineStorage {
    fn newest_epoch(&self, group: &[u8]) -> Result<Option<u64>, StoreError> {
        let prefix = epoch_prefix(self.slot, group);
        let epochs = self.overlay.scan(EPOCH, &prefix, &prefix, EPOCHS_READ_MAX)?;
        let number = |key: &[u8]| {
            let bytes = key.get(prefix.len()..)?.try_into().ok()?;
            Some(u64::from_be_bytes(bytes))
        };
        Ok(epochs.last().and_then(|(key, _)| number(key)))
    }
}

impl GroupStateStorage for EngineStorage {
    type Error = StoreError;

    fn state(&self, group_id: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.overlay.get(GROUP_STATE, &state_key(self.slot, group_id))
    }

    fn epoch(
        &self,
        group_id: &[u8],
        epoch_id: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.overlay.get(EPOCH, &epoch_key(self.slot, group_id, epoch_id))
    }

    fn write(
        &mut self,
        state: GroupState,
        epoch_inserts: Vec<EpochRecord>,
        epoch_updates: Vec<EpochRecord>,
    ) -> Result<(), StoreError> {
        self.overlay.put(GROUP_STATE, &state_key(self.slot, &state.id), state.data.to_vec());
        for record in epoch_inserts.iter().chain(&epoch_updates) {
            let key = epoch_key(self.slot, &state.id, record.id);
            self.overlay.put(EPOCH, &key, record.data.to_vec());
        }
        let Some(newest) = self.newest_epoch(&state.id)? else { return Ok(()) };
        let oldest = newest.saturating_add(1).saturating_sub(PAST_EPOCHS);
        let prefix = epoch_prefix(self.slot, &state.id);
        for (key, _) in self.overlay.scan(EPOCH, &prefix, &prefix, EPOCHS_READ_MAX)? {
            if key < epoch_key(self.slot, &state.id, oldest) {
                self.overlay.delete(EPOCH, &key);
            }
        }
        Ok(())
    }

    fn max_epoch_id(&self, group_id: &[u8]) -> Result<Option<u64>, StoreError> {
        self.newest_epoch(group_id)
    }
}

impl KeyPackageStorage for EngineStorage {
    type Error = StoreError;

    fn delete(&mut self, id: &[u8]) -> Result<(), StoreError> {
        self.overlay.delete(KEY_PACKAGE, id);
        Ok(())
    }

    fn insert(&mut self, id: Vec<u8>, pkg: KeyPackageData) -> Result<(), StoreError> {
        self.overlay.write(KEY_PACKAGE, &id, &pkg)
    }

    fn get(&self, id: &[u8]) -> Result<Option<KeyPackageData>, StoreError> {
        self.overlay.read(KEY_PACKAGE, id)
    }
}

impl PreSharedKeyStorage for EngineStorage {
    type Error = StoreError;

    fn get(&self, id: &ExternalPskId) -> Result<Option<PreSharedKey>, StoreError> {
        self.overlay.read(PSK, id)
    }
}
