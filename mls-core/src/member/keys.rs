//! The device's signature keys: one for each signature scheme, made once, kept apart from every
//! group's state.
//!
//! They are in the credentials of all leaves of this device and never change, so a device that
//! lost a group's state can still prove that an old leaf is its own (see [`super::rejoin`]).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};

use crate::address::ClientId;
use crate::engine::{self, EngineError};
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};

/// The suite that everybody must have.
pub(super) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

const SIGNATURE_KEY: Space = "signature_key";
const ED25519: &[u8] = b"own";
const P256: &[u8] = b"own_p256";

/// A key pair, and whose it is.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct SignatureKey {
    client: ClientId,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: SignatureSecretKey,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    public: SignaturePublicKey,
}

/// All key pairs of this device.
pub(super) struct SignatureKeys {
    ed25519: SignatureKey,
    p256: SignatureKey,
}

impl SignatureKeys {
    /// The stored keys, and fresh ones for those that the store lacks.
    pub(super) fn open(overlay: &Overlay, client: &ClientId) -> Result<Self, StoreError> {
        Ok(Self {
            ed25519: SignatureKey::open(overlay, client, ED25519, SUITE)?,
            p256: SignatureKey::open(overlay, client, P256, CipherSuite::P256_AES128)?,
        })
    }

    /// The key for groups of a suite.
    pub(super) fn of(&self, suite: CipherSuite) -> &SignatureKey {
        if suite == CipherSuite::P256_AES128 { &self.p256 } else { &self.ed25519 }
    }

    /// The key that announces the device.
    pub(super) fn own(&self) -> &SignatureKey {
        &self.ed25519
    }
}

impl SignatureKey {
    fn open(
        overlay: &Overlay,
        client: &ClientId,
        place: &[u8],
        suite: CipherSuite,
    ) -> Result<Self, StoreError> {
        if let Some(key) = overlay.read::<Self>(SIGNATURE_KEY, place)? {
            if key.client == *client {
                return Ok(key);
            }
            let owner = &key.client;
            return Err(StoreError(format!("this profile belongs to {owner}, not to {client}")));
        }
        let (secret, public) = engine::generate_signature_key(suite)
            .map_err(|e| StoreError(format!("no signature key could be made: {e}")))?;
        let key = Self { client: client.clone(), secret, public };
        overlay.write(SIGNATURE_KEY, place, &key)?;
        Ok(key)
    }

    pub(super) fn public(&self) -> &SignaturePublicKey {
        &self.public
    }

    pub(super) fn secret(&self) -> &SignatureSecretKey {
        &self.secret
    }

    /// Signs in a suite that has the key's scheme.
    pub(super) fn sign(&self, suite: CipherSuite, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
        engine::sign(suite, &self.secret, bytes)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(SignatureKey);
