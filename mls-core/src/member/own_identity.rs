//! This device's part in its user's identity (see [`crate::user_identity`]): the device key, the statement that
//! signs it, and, on the device that made it, the identity key.
//!
//! Kept beside the signature keys and never in a group's state. Every leaf that is made here, with whatever
//! signature key, shows the statement from the moment that there is one.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::extension::ExtensionList;
use thiserror::Error;

use super::Member;
use super::commit::Changes;
use super::group_record::State;
use super::key_packages::Fill;
use super::keys::SUITE;
use super::known_identities::leaves;
use super::loaded::Loaded;
use crate::address::{ClientId, UserId};
use crate::crypto::Crypto;
use crate::engine::EngineError;
use crate::limits::DAY_MS;
use crate::overlay::Overlay;
use crate::policy::CIPHER_SUITES;
use crate::store::{Space, StoreError, Write};
use crate::user_identity::{
    DeviceRequest, DeviceStatement, Ed25519Key, LeafIdentity, LeafStatement, SCHEME,
};
use crate::wire::GroupId;

const OWN: Space = "own_identity";
const KEY: &[u8] = b"own";

/// What this device has of its user's identity.
#[derive(Clone, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct OwnIdentity {
    /// The device's own key, once it was needed.
    device: Option<KeyPair>,
    /// The user's identity key, on the device that made it.
    user: Option<KeyPair>,
    /// The identity key signs the device key.
    statement: Option<DeviceStatement>,
}

/// An Ed25519 key pair.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct KeyPair {
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: SignatureSecretKey,
    public: Ed25519Key,
}

/// This device's part in its user's identity, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySummary {
    /// This device.
    pub client: ClientId,
    /// What signs it, if anything does.
    pub statement: Option<DeviceStatement>,
    /// Whether the identity key was made here: only this device signs others.
    pub made_here: bool,
}

/// A device that cannot be signed.
#[derive(Debug, Error)]
pub enum SignDeviceError {
    /// It is somebody else's.
    #[error("{0} is no device of {1}: an identity key signs devices of its own user only")]
    OtherUser(ClientId, UserId),
    /// The key is elsewhere, or was never made.
    #[error(
        "this device has no identity key: sign on the device that ran `identity create`, or run it here if none did"
    )]
    NoKey,
    /// The crypto provider failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a store holds of it.
pub(super) fn open(overlay: &Overlay) -> Result<OwnIdentity, StoreError> {
    Ok(overlay.read(OWN, KEY)?.unwrap_or_default())
}

impl KeyPair {
    fn make(crypto: &Crypto) -> Result<Self, StoreError> {
        let failed = |why: &dyn std::fmt::Display| StoreError(format!("no key was made: {why}"));
        let (secret, public) =
            crypto.generate_signature_key(SCHEME).map_err(|error| failed(&error))?;
        let public = Ed25519Key::of(&public).ok_or_else(|| failed(&"it has another length"))?;
        Ok(Self { secret, public })
    }
}

impl OwnIdentity {
    /// The identity key that signed this device.
    pub(super) fn key(&self) -> Option<Ed25519Key> {
        self.statement.as_ref().map(|statement| statement.identity_key)
    }

    /// The same, where it was made here.
    pub(super) fn made_here(&self) -> Option<Ed25519Key> {
        self.user.as_ref().map(|pair| pair.public)
    }
}

impl Member {
    /// This device's part in its user's identity.
    pub fn identity(&self) -> IdentitySummary {
        IdentitySummary {
            client: self.client.clone(),
            statement: self.own_identity.statement.clone(),
            made_here: self.own_identity.user.is_some(),
        }
    }

    /// What this device asks its user's first device to sign. Commit the writes before it is shown: they hold
    /// the device key.
    pub fn device_request(&mut self) -> Result<(DeviceRequest, Vec<Write>), StoreError> {
        let made = self.device_key().and_then(|key| self.crypto.check_source().map(|()| key));
        match made {
            Ok(device_key) => {
                let request = DeviceRequest { client: self.client.clone(), device_key };
                Ok((request, self.overlay.take_writes()))
            }
            Err(error) => {
                self.overlay.discard();
                Err(error)
            }
        }
    }

    /// Signs a device of this user with the identity key that was made here.
    pub fn sign_device(
        &self,
        now_ms: u64,
        request: &DeviceRequest,
    ) -> Result<DeviceStatement, SignDeviceError> {
        let own = self.client.user();
        if request.client.user() != own {
            return Err(SignDeviceError::OtherUser(request.client.clone(), own));
        }
        let key = self.own_identity.user.as_ref().ok_or(SignDeviceError::NoKey)?;
        let day = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        Ok(DeviceStatement::sign(request, key.public, &key.secret, day)?)
    }

    /// Makes the user's identity key here, and signs this device with it.
    pub(super) fn make_identity(&mut self) -> Result<Result<(), String>, StoreError> {
        let request = DeviceRequest { client: self.client.clone(), device_key: self.device_key()? };
        self.own_identity.user = Some(KeyPair::make(&self.crypto)?);
        match self.sign_device(self.now_ms, &request) {
            Ok(statement) => self.take_statement(statement).map(Ok),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// The device's own key, made when it is first needed.
    pub(super) fn device_key(&mut self) -> Result<Ed25519Key, StoreError> {
        if let Some(pair) = &self.own_identity.device {
            return Ok(pair.public);
        }
        let pair = KeyPair::make(&self.crypto)?;
        let public = pair.public;
        self.own_identity.device = Some(pair);
        self.save_identity()?;
        Ok(public)
    }

    /// This device is signed now: KeyPackages are made anew, and every group is shown it at once.
    pub(super) fn take_statement(&mut self, statement: DeviceStatement) -> Result<(), StoreError> {
        self.own_identity.statement = Some(statement);
        self.save_identity()?;
        let published = !self.pool(SUITE)?.last_resort.is_empty();
        CIPHER_SUITES.into_iter().try_for_each(|suite| self.outdate_key_packages(suite))?;
        if published {
            self.fill_pools(Fill::BelowHalf)?;
        }
        let live = self.groups.values().filter(|record| record.state == State::Live);
        let live: Vec<_> = live.map(|record| record.group.clone()).collect();
        live.iter().try_for_each(|group| self.renew_now(group))?;
        self.look_at_user(&self.client.user())
    }

    /// A KeyPackage from before this device was signed brought it into a group.
    pub(super) fn renew_unsigned_leaf(
        &mut self,
        group: &GroupId,
        loaded: &Loaded,
    ) -> Result<(), StoreError> {
        let Some(key) = self.own_identity.key() else { return Ok(()) };
        let own = leaves(&loaded.group, |client| *client == self.client);
        let signed = |leaf: &LeafIdentity| matches!(leaf, LeafIdentity::Signed(statement) if statement.identity_key == key);
        if own.iter().any(|(_, leaf)| signed(leaf)) { Ok(()) } else { self.renew_now(group) }
    }

    fn save_identity(&self) -> Result<(), StoreError> {
        self.overlay.write(OWN, KEY, &self.own_identity)
    }

    /// The extensions of a new leaf with this signature key.
    pub(super) fn leaf_extensions(
        &self,
        signature_key: &SignaturePublicKey,
    ) -> Result<ExtensionList, EngineError> {
        self.with_statement(ExtensionList::new(), signature_key)
    }

    /// The leaf that a commit brings shows the statement for the key that it will have.
    pub(super) fn show_statement(
        &self,
        loaded: &Loaded,
        own: &SignaturePublicKey,
        changes: Changes,
    ) -> Result<Changes, EngineError> {
        if self.own_identity.statement.is_none() {
            return Ok(changes);
        }
        let leaf = match changes.leaf.clone() {
            Some(leaf) => leaf,
            None => {
                let own = loaded.group.current_member_index();
                loaded.group.roster().member_with_index(own)?.extensions
            }
        };
        let key = changes.key.as_ref().map_or(own, |next| next.public());
        Ok(Changes { leaf: Some(self.with_statement(leaf, key)?), ..changes })
    }

    fn with_statement(
        &self,
        mut extensions: ExtensionList,
        signature_key: &SignaturePublicKey,
    ) -> Result<ExtensionList, EngineError> {
        let OwnIdentity { device: Some(device), statement: Some(statement), .. } =
            &self.own_identity
        else {
            return Ok(extensions);
        };
        let shown = LeafStatement::new(statement, &device.secret, signature_key)?;
        let set = extensions.set_from(shown);
        set.map(|()| extensions).map_err(crate::engine::crypto_error)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(OwnIdentity, KeyPair);
