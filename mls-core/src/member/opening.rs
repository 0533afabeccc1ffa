//! Opening a member: what its store holds comes into memory, and what a new device needs is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::counters::Counters;
use super::engine_storage::{PACKAGE_LIFETIME, Slot};
use super::keys::{SUITE, SignatureKeys};
use super::{
    Member, checkpoints, credentials, engine_storage, future, gaps, group_record, intents,
    kept_packages, lone_devices, own_identity, requests, revocations, rooms, send, unheard,
    welcome,
};
use crate::address::ClientId;
use crate::crypto::Crypto;
use crate::overlay::Overlay;
use crate::randomness::{Randomness, SystemRandomness};
use crate::seal::Sealer;
use crate::store::{Store, StoreError, Write};

impl Member {
    /// Opens the member that `store` holds, or makes one with a fresh signature key for `client`:
    /// commit the writes first. A store of another client, or a damaged one, is an error.
    pub fn open(store: Arc<dyn Store>, client: ClientId) -> Result<(Self, Vec<Write>), StoreError> {
        Self::open_with(store, client, Arc::new(SystemRandomness))
    }

    /// The same, with another source of random bytes.
    pub fn open_with(
        store: Arc<dyn Store>,
        client: ClientId,
        randomness: Arc<dyn Randomness>,
    ) -> Result<(Self, Vec<Write>), StoreError> {
        let (overlay, crypto) = (Overlay::new(store), Crypto::new(randomness));
        let keys = SignatureKeys::open(&overlay, &crypto, &client)?;
        let (slot, own) = (Slot::Current, keys.own());
        let engine = engine_storage::client(&overlay, &crypto, slot, own, SUITE, PACKAGE_LIFETIME);
        let (intents, ended) = intents::open(&overlay)?;
        let sealer = Sealer::new(client.user(), &crypto).map_err(|e| StoreError(e.to_string()))?;
        let mut member = Self {
            groups: group_record::open(&overlay)?,
            counters: Counters::open(&overlay)?,
            requests: requests::open(&overlay)?,
            unconfirmed: send::open(&overlay)?,
            future: future::open(&overlay)?,
            welcomes: welcome::open(&overlay)?,
            doubts: welcome::Doubts::default(),
            checkpoints: checkpoints::Checkpoints::default(),
            patience: credentials::Patience::default(),
            kept_packages: kept_packages::KeptPackages::default(),
            renewing_since: BTreeMap::new(),
            survey: lone_devices::Survey::default(),
            revocations: revocations::open(&overlay)?,
            gaps: gaps::Gaps::default(),
            fell_apart_ms: BTreeMap::new(),
            handed_back_ms: BTreeMap::new(),
            rooms: rooms::open(&overlay)?,
            unheard: unheard::open(&overlay)?,
            own_identity: own_identity::open(&overlay)?,
            intents,
            ended,
            new_intents: BTreeSet::new(),
            overlay,
            crypto,
            client,
            keys,
            engine,
            now_ms: 0,
            outputs: Vec::new(),
            touched: BTreeSet::new(),
            loaded: BTreeMap::new(),
            ratchets: BTreeMap::new(),
            fetched_for: BTreeMap::new(),
            reading_future: BTreeMap::new(),
            log: super::log_watch::LogMemory::default(),
            wanted_seq: BTreeMap::new(),
            looked_ms: BTreeMap::new(),
            key_histories: BTreeMap::new(),
            unsigned_ms: BTreeMap::new(),
            rooms_to_find: BTreeMap::new(),
            uninvited: BTreeMap::new(),
            watched: BTreeMap::new(),
            sealer,
            unopened: BTreeMap::new(),
            house_kept_ms: 0,
        };
        if let Some(hub) = member.hub()? {
            member.sealer.use_key(&hub.seal_key);
            if member.authorities()?.is_empty() {
                member.anchors_of_hub(&hub)?;
            }
        }
        member.open_authority()?;
        let writes = member.overlay.take_writes();
        Ok((member, writes))
    }
}
