//! The hub's own keys: one for receipts, one that requests are sealed to, and one for each suite as
//! external sender (RFC 9420 12.1.8). Made at the first opening; new ones may take their place, and the old ones stay
//! for the groups that have not changed yet.

use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::BasicCredential;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use zeroize::Zeroizing;

use super::authority::FormerRoot;
use super::turn::machine;
use super::{HubSetup, authority};
use crate::authority::Authority;
use crate::crypto::Crypto;
use crate::engine::{HubClient, hub_client};
use crate::limits::HUB_KEYS_MAX;
use crate::overlay::Overlay;
use crate::policy::CIPHER_SUITES;
use crate::seal::hub_key::SealKeyPair;
use crate::store::{Space, StoreError};

const SPACE: Space = "hub_key";
const RECEIPT: &[u8] = b"receipt";
const SEAL: &[u8] = b"seal";
const NAME: &[u8] = b"name";
/// How often the keys were replaced.
const GENERATION: &[u8] = b"generation";
/// Receipts are Ed25519, the signature scheme of this suite.
const RECEIPT_SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

/// The hub's keys. They print nothing.
pub(super) struct HubKeys {
    /// Those of new groups.
    pub(super) current: KeySet,
    /// Those that were replaced, the newest first.
    pub(super) former: Vec<KeySet>,
    /// What signs credentials; nothing where another process does.
    pub(super) authority: Option<Authority>,
    /// Its roots that were replaced, the newest first.
    pub(super) former_roots: Vec<FormerRoot>,
}

/// The keys that a group names.
pub(super) struct KeySet {
    /// Signs receipts.
    pub(super) receipt: SignatureSecretKey,
    /// What members verify receipts with: 32 bytes.
    pub(super) receipt_public: SignaturePublicKey,
    /// What members seal their requests to.
    pub(super) seal: SealKeyPair,
    /// The external sender of each suite.
    pub(super) senders: Vec<ExternalSender>,
}

/// The hub's external sender in groups of one suite.
pub(super) struct ExternalSender {
    /// The suite.
    pub(super) suite: CipherSuite,
    /// What stands in the group's `external_senders`.
    pub(super) identity: SigningIdentity,
    secret: SignatureSecretKey,
}

/// A key pair as it is stored.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct StoredKey {
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: SignatureSecretKey,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    public: SignaturePublicKey,
}

impl HubKeys {
    /// Reads the keys, or makes those that are missing.
    pub(super) fn open(
        store: &Overlay,
        crypto: &Crypto,
        setup: &HubSetup,
    ) -> Result<Self, StoreError> {
        let name = open_name(store, setup)?;
        let newest: u32 = store.read(SPACE, GENERATION)?.unwrap_or(0);
        let mut former = (0..newest)
            .map(|generation| KeySet::open(store, crypto, &name, generation))
            .collect::<Result<Vec<_>, _>>()?;
        former.reverse();
        let current = KeySet::open(store, crypto, &name, newest)?;
        let certifies = setup.roles.certifies();
        let authority = certifies.then(|| authority::open(store, crypto, setup)).transpose()?;
        Ok(Self { current, former, authority, former_roots: authority::former(store)? })
    }

    /// Has new keys made at the next opening.
    pub(super) fn replace(store: &Overlay) -> Result<(), StoreError> {
        let newest: u32 = store.read(SPACE, GENERATION)?.unwrap_or(0);
        if usize::try_from(newest).unwrap_or(usize::MAX) >= HUB_KEYS_MAX {
            return Err(StoreError(format!("the keys were replaced {HUB_KEYS_MAX} times already")));
        }
        store.write(SPACE, GENERATION, &newest.saturating_add(1))
    }

    /// All keys, the current first.
    pub(super) fn all(&self) -> impl Iterator<Item = &KeySet> {
        std::iter::once(&self.current).chain(&self.former)
    }

    /// The keys whose receipt key this is.
    pub(super) fn of(&self, receipt_public: &[u8]) -> Result<&KeySet, StoreError> {
        let found = self.all().find(|keys| *keys.receipt_public == *receipt_public);
        found.ok_or_else(|| StoreError("a group names a receipt key that is gone".to_owned()))
    }
}

impl KeySet {
    fn open(
        store: &Overlay,
        crypto: &Crypto,
        name: &[u8],
        generation: u32,
    ) -> Result<Self, StoreError> {
        let receipt = open_key(store, crypto, generation, RECEIPT, RECEIPT_SUITE)?;
        let mut senders = Vec::new();
        for suite in CIPHER_SUITES {
            let place = [b"sender".as_slice(), &u16::from(suite).to_be_bytes()].concat();
            let key = open_key(store, crypto, generation, &place, suite)?;
            let credential = BasicCredential::new(name.to_vec()).into_credential();
            let identity = SigningIdentity::new(credential, key.public);
            senders.push(ExternalSender { suite, identity, secret: key.secret });
        }
        let seal = open_seal_key(store, crypto, generation)?;
        Ok(Self { receipt: receipt.secret, receipt_public: receipt.public, seal, senders })
    }

    /// The external sender for a suite.
    pub(super) fn sender(&self, suite: CipherSuite) -> Option<&ExternalSender> {
        self.senders.iter().find(|sender| sender.suite == suite)
    }
}

impl ExternalSender {
    /// The client that follows groups of this suite and signs as this sender.
    pub(super) fn client(&self, crypto: &Crypto) -> HubClient {
        hub_client(crypto.clone(), self.secret.clone(), self.identity.clone())
    }
}

/// The name in the hub's credential. It stays what it was first, or the hub would no longer be
/// the external sender that its groups name.
fn open_name(store: &Overlay, setup: &HubSetup) -> Result<Vec<u8>, StoreError> {
    if let Some(name) = store.get(SPACE, NAME)? {
        return Ok(name.to_vec());
    }
    let name = setup.xmpp.clone().or_else(|| setup.matrix.clone()).unwrap_or_default();
    store.put(SPACE, NAME, name.clone().into_bytes());
    Ok(name.into_bytes())
}

fn open_key(
    store: &Overlay,
    crypto: &Crypto,
    generation: u32,
    name: &[u8],
    suite: CipherSuite,
) -> Result<StoredKey, StoreError> {
    let place = place(generation, name);
    if let Some(key) = store.read(SPACE, &place)? {
        return Ok(key);
    }
    let (secret, public) = crypto.generate_signature_key(suite).map_err(machine)?;
    let key = StoredKey { secret, public };
    let bytes = Zeroizing::new(key.mls_encode_to_vec().map_err(machine)?);
    store.put(SPACE, &place, bytes.to_vec());
    Ok(key)
}

fn open_seal_key(
    store: &Overlay,
    crypto: &Crypto,
    generation: u32,
) -> Result<SealKeyPair, StoreError> {
    let place = place(generation, SEAL);
    if let Some(key) = store.read(SPACE, &place)? {
        return Ok(key);
    }
    let key = SealKeyPair::generate(crypto).map_err(machine)?;
    store.write(SPACE, &place, &key)?;
    Ok(key)
}

/// Where a key is stored.
fn place(generation: u32, name: &[u8]) -> Vec<u8> {
    match generation {
        0 => name.to_vec(),
        later => [&later.to_be_bytes(), name].concat(),
    }
}

#[cfg(test)]
crate::codec_properties::hold!(StoredKey);
