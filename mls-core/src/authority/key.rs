//! The authority's key: one of the engine, or one that lies elsewhere and signs when asked.

use std::sync::Arc;

use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm, SigningKey};
use thiserror::Error;

use crate::engine::{self, EngineError};

/// A key that signs certificates, wherever it lies: a file, a PKCS #11 token, the hub's database.
///
/// The hub signs inside a turn, so [`AuthorityKey::sign`] blocks it; see decision 21.
pub trait AuthorityKey: Send + Sync {
    /// Which signatures it makes.
    fn algorithm(&self) -> KeyAlgorithm;

    /// The bits of its public key as they stand in a certificate: 32 bytes of Ed25519 (RFC 8410 4), or
    /// the uncompressed point of P-256 in 65 bytes (RFC 5480 2.2).
    fn public(&self) -> &[u8];

    /// A signature as it stands in a certificate: of Ed25519 64 bytes, of P-256 over SHA-256 an
    /// `ECDSA-Sig-Value` in DER (RFC 5758 3.2).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityKeyError>;
}

/// The algorithms of an authority's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ECDSA on P-256 over SHA-256 (RFC 5758).
    P256,
}

/// A key that does not sign, and why; its operator's fault, or the machine's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct AuthorityKeyError(pub String);

/// A key pair of one suite of the engine. It prints nothing.
pub(crate) struct EngineKey {
    suite: CipherSuite,
    secret: SignatureSecretKey,
    public: SignaturePublicKey,
    algorithm: KeyAlgorithm,
}

impl EngineKey {
    pub(crate) fn new(
        suite: CipherSuite,
        secret: SignatureSecretKey,
        public: SignaturePublicKey,
    ) -> Result<Self, EngineError> {
        let algorithm = match suite {
            CipherSuite::CURVE25519_AES128 | CipherSuite::CURVE25519_CHACHA => {
                KeyAlgorithm::Ed25519
            }
            CipherSuite::P256_AES128 => KeyAlgorithm::P256,
            other => return Err(EngineError::Suite(other.into())),
        };
        Ok(Self { suite, secret, public, algorithm })
    }
}

impl AuthorityKey for EngineKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityKeyError> {
        engine::sign(self.suite, &self.secret, message)
            .map_err(|error| AuthorityKeyError(error.to_string()))
    }
}

/// A key as rcgen wants one to sign with; it has no place for the reason of a failure.
pub struct ForRcgen(pub Arc<dyn AuthorityKey>);

impl PublicKeyData for ForRcgen {
    fn der_bytes(&self) -> &[u8] {
        self.0.public()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0.algorithm() {
            KeyAlgorithm::Ed25519 => &PKCS_ED25519,
            KeyAlgorithm::P256 => &PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl SigningKey for ForRcgen {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
