//! The device's signature key: made once, kept apart from every group's state.
//!
//! It is in the credential of every leaf of this device and never changes, so a device that
//! lost a group's state can still prove that an old leaf is its own (see [`super::rejoin`]).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};

use crate::address::ClientId;
use crate::engine::{self, EngineError};
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};

/// The suite that devices use; the one that everybody must have.
pub(super) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

const SIGNATURE_KEY: Space = "signature_key";
const OWN: &[u8] = b"own";

/// The key pair, and whose it is.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct SignatureKey {
    client: ClientId,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: SignatureSecretKey,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    public: SignaturePublicKey,
}

impl SignatureKey {
    /// The stored key, or a fresh one for a store that has none.
    pub(super) fn open(overlay: &Overlay, client: &ClientId) -> Result<Self, StoreError> {
        if let Some(key) = overlay.read::<Self>(SIGNATURE_KEY, OWN)? {
            if key.client == *client {
                return Ok(key);
            }
            let owner = &key.client;
            return Err(StoreError(format!("this profile belongs to {owner}, not to {client}")));
        }
        let (secret, public) = engine::generate_signature_key(SUITE)
            .map_err(|e| StoreError(format!("no signature key could be made: {e}")))?;
        let key = Self { client: client.clone(), secret, public };
        overlay.write(SIGNATURE_KEY, OWN, &key)?;
        Ok(key)
    }

    pub(super) fn public(&self) -> &SignaturePublicKey {
        &self.public
    }

    pub(super) fn secret(&self) -> &SignatureSecretKey {
        &self.secret
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
        engine::sign(SUITE, &self.secret, bytes)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(SignatureKey);
