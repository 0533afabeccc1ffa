//! The public state of groups: kept in memory within a bound, and found again from the newest
//! snapshot and the handshakes after it.

use std::collections::HashMap;

use mls_rs::MlsMessage;
use mls_rs::external_client::ExternalSnapshot;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::CipherSuite;

use super::group_record::GroupRecord;
use super::handshake_log;
use super::keys::HubKeys;
use super::turn::machine;
use crate::crypto::Crypto;
use crate::engine::{HubClient, PublicGroup, mls_time};
use crate::limits::{HUB_GROUPS_IN_MEMORY_MAX, HUB_LEAVES_IN_MEMORY_MAX};
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const SPACE: Space = "snapshot";

/// Public groups in memory.
pub(super) struct PublicGroups {
    clients: Vec<Client>,
    kept: HashMap<GroupId, Kept>,
    /// What this input has changed; kept only when the input succeeds.
    changed: HashMap<GroupId, PublicGroup>,
    uses: u64,
}

/// The engine's client with one sender.
struct Client {
    receipt_key: Vec<u8>,
    suite: CipherSuite,
    client: HubClient,
}

struct Kept {
    group: PublicGroup,
    leaves: usize,
    used: u64,
}

/// A group's public state after a handshake.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Snapshot {
    seq: u64,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    state: Vec<u8>,
}

impl PublicGroups {
    /// None yet.
    pub(super) fn new(keys: &HubKeys, crypto: &Crypto) -> Self {
        let clients = keys.all().flat_map(|keys| {
            keys.senders.iter().map(|sender| Client {
                receipt_key: keys.receipt_public.to_vec(),
                suite: sender.suite,
                client: sender.client(crypto),
            })
        });
        let clients = clients.collect();
        Self { clients, kept: HashMap::new(), changed: HashMap::new(), uses: 0 }
    }

    /// The engine's client for new groups of a suite, where we do that suite.
    pub(super) fn client(&self, suite: CipherSuite) -> Option<&HubClient> {
        // The current keys come first.
        self.clients.iter().find(|known| known.suite == suite).map(|known| &known.client)
    }

    /// The engine's client for a group.
    fn client_of(&self, record: &GroupRecord) -> Result<&HubClient, StoreError> {
        let fits = |known: &&Client| {
            known.suite == record.cipher_suite() && known.receipt_key == record.receipt_key
        };
        let found = self.clients.iter().find(fits).map(|known| &known.client);
        found.ok_or_else(|| StoreError(format!("the keys of group {} are gone", record.group)))
    }

    /// The group as it is followed with the keys that its record names now.
    pub(super) fn with_keys_of(
        &self,
        record: &GroupRecord,
        group: &PublicGroup,
    ) -> Result<PublicGroup, StoreError> {
        self.client_of(record)?.load_group(group.snapshot()).map_err(machine)
    }

    /// A copy of the group's public state, to work on.
    pub(super) fn copy(
        &mut self,
        store: &Overlay,
        record: &GroupRecord,
    ) -> Result<PublicGroup, StoreError> {
        if let Some(group) = self.changed.get(&record.group) {
            return Ok(group.clone());
        }
        self.uses += 1;
        if let Some(kept) = self.kept.get_mut(&record.group) {
            kept.used = self.uses;
            return Ok(kept.group.clone());
        }
        let group = self.load(store, record)?;
        self.keep(record.group.clone(), group.clone());
        Ok(group)
    }

    /// Takes the group's new state, for good when the input succeeds.
    pub(super) fn change(&mut self, id: &GroupId, group: PublicGroup) {
        self.changed.insert(id.clone(), group);
    }

    /// The input succeeded.
    pub(super) fn keep_changes(&mut self) {
        for (id, group) in std::mem::take(&mut self.changed) {
            self.uses += 1;
            self.keep(id, group);
        }
        self.stay_within_bounds();
    }

    /// The input failed or was refused.
    pub(super) fn forget_changes(&mut self) {
        self.changed.clear();
    }

    fn keep(&mut self, id: GroupId, group: PublicGroup) {
        let leaves =
            usize::try_from(group.exported_tree().total_leaf_count()).unwrap_or(usize::MAX);
        self.kept.insert(id, Kept { group, leaves, used: self.uses });
    }

    fn stay_within_bounds(&mut self) {
        let mut leaves: usize = self.kept.values().map(|kept| kept.leaves).sum();
        while self.kept.len() > HUB_GROUPS_IN_MEMORY_MAX || leaves > HUB_LEAVES_IN_MEMORY_MAX {
            let oldest =
                self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(id, _)| id.clone());
            let Some(gone) = oldest.and_then(|id| self.kept.remove(&id)) else { break };
            leaves -= gone.leaves;
        }
    }

    fn load(&self, store: &Overlay, record: &GroupRecord) -> Result<PublicGroup, StoreError> {
        let snapshot: Snapshot = store
            .read(SPACE, &record.group.0)?
            .ok_or_else(|| StoreError(format!("group {} has no snapshot", record.group)))?;
        let client = self.client_of(record)?;
        let state = ExternalSnapshot::from_bytes(&snapshot.state).map_err(machine)?;
        let mut group = client.load_group(state).map_err(machine)?;
        for seq in snapshot.seq.saturating_add(1)..=record.seq() {
            let entry = handshake_log::read(store, &record.group, seq)?
                .ok_or_else(|| StoreError(format!("group {} lacks seq {seq}", record.group)))?;
            let message = MlsMessage::from_bytes(&entry.message).map_err(machine)?;
            let time = mls_time(entry.receipt.tbs.time_ms);
            group.process_incoming_message_with_time(message, time).map_err(machine)?;
        }
        Ok(group)
    }
}

/// Stores the state of a group as it is after handshake `seq`.
pub(super) fn write_snapshot(
    store: &Overlay,
    id: &GroupId,
    seq: u64,
    group: &PublicGroup,
) -> Result<(), StoreError> {
    let state = group.snapshot().to_bytes().map_err(machine)?;
    store.write(SPACE, &id.0, &Snapshot { seq, state })
}

#[cfg(test)]
crate::codec_properties::hold!(Snapshot);
