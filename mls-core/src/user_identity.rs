//! A user's identity key, which people verify, and the statements by which it signs the user's devices.
//!
//! The key is made on one device, and its private half stays there. It signs one [`DeviceStatement`] for each
//! device of the user, which names a key of that device; the device key signs the signature key of each of its
//! leaves, so that these go on being one per group. A leaf carries both signatures in extension 0xFB73.
//!
//! [`of_leaf`] is the one place that checks them. What comes out decides only what people are shown: no
//! commit and no Add is refused for it, or members that see it otherwise would fork.

mod leaf;
mod safety_number;
mod verification;

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};

pub use self::leaf::{BrokenStatement, LeafIdentity, LeafStatement, of_leaf};
pub use self::safety_number::{epoch_digits, safety_number};
pub use self::verification::{Mismatch, ScannedKeys, SeenKey, Verification, VerificationError};
use crate::address::{ClientId, UserId};
use crate::engine::{self, EngineError, sha256};
use crate::wire::Digest;

/// The suite whose signature scheme, Ed25519, identity keys and device keys have.
pub(crate) const SCHEME: CipherSuite = CipherSuite::CURVE25519_AES128;
const LABEL: &[u8] = b"mls-bridge 0 device statement\0";

/// An Ed25519 public key: a user's identity key, or a device's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Ed25519Key(pub [u8; 32]);

/// An Ed25519 signature.
pub type Ed25519Signature = [u8; 64];

/// What a device asks its user's first device to sign. Whoever can change it on the way can have another key
/// signed: people compare the device key's fingerprint on both screens.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DeviceRequest {
    /// The device.
    pub client: ClientId,
    /// Its own key.
    pub device_key: Ed25519Key,
}

/// A user's identity key says that a device is the user's.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DeviceStatement {
    /// The device, and with it the user.
    pub client: ClientId,
    /// The user's identity key, which signs.
    pub identity_key: Ed25519Key,
    /// The device's own key.
    pub device_key: Ed25519Key,
    /// The day on which it was signed, counted from 1970.
    pub day: u32,
    /// By the identity key, over a label and all of the above.
    pub signature: Ed25519Signature,
}

/// What the identity key signs, after the label.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct DeviceStatementTbs {
    user: UserId,
    client: ClientId,
    identity_key: Ed25519Key,
    device_key: Ed25519Key,
    day: u32,
}

impl Ed25519Key {
    /// The key as the engine has it; nothing where its length is another.
    pub(crate) fn of(public: &SignaturePublicKey) -> Option<Self> {
        <[u8; 32]>::try_from(public.as_ref()).ok().map(Self)
    }

    /// SHA-256, of which people compare the beginning
    /// ([`readable_fingerprint`](crate::identity::readable_fingerprint)).
    pub fn fingerprint(&self) -> Digest {
        sha256(&self.0)
    }

    fn verify(&self, signature: &Ed25519Signature, data: &[u8]) -> Result<(), EngineError> {
        engine::verify(SCHEME, &SignaturePublicKey::from(self.0.to_vec()), signature, data)
    }
}

impl fmt::Display for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl DeviceStatement {
    /// Signs for a device with the user's identity key, whose public half is `identity_key`.
    pub fn sign(
        request: &DeviceRequest,
        identity_key: Ed25519Key,
        secret: &SignatureSecretKey,
        day: u32,
    ) -> Result<Self, EngineError> {
        let DeviceRequest { client, device_key } = request.clone();
        let mut statement = Self { client, identity_key, device_key, day, signature: [0; 64] };
        statement.signature = sign(secret, &statement.signed_bytes()?)?;
        Ok(statement)
    }

    /// Whether the identity key has signed it.
    pub fn verify(&self) -> Result<(), EngineError> {
        self.identity_key.verify(&self.signature, &self.signed_bytes()?)
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let tbs = DeviceStatementTbs {
            user: self.client.user(),
            client: self.client.clone(),
            identity_key: self.identity_key,
            device_key: self.device_key,
            day: self.day,
        };
        Ok([LABEL, &tbs.mls_encode_to_vec().map_err(engine::crypto_error)?].concat())
    }
}

fn sign(secret: &SignatureSecretKey, data: &[u8]) -> Result<Ed25519Signature, EngineError> {
    let signature = engine::sign(SCHEME, secret, data)?;
    signature.try_into().map_err(|_| engine::crypto_error("an Ed25519 signature has 64 bytes"))
}

#[cfg(test)]
crate::codec_properties::hold!(Ed25519Key, DeviceRequest, DeviceStatement, DeviceStatementTbs);
