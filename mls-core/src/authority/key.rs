//! A signature key of the engine, as rcgen wants one.

use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm, SigningKey};

use crate::engine::{self, EngineError};

/// A key pair of one suite. It prints nothing.
pub(crate) struct EngineKey {
    suite: CipherSuite,
    secret: SignatureSecretKey,
    public: SignaturePublicKey,
    algorithm: &'static SignatureAlgorithm,
}

impl EngineKey {
    pub(crate) fn new(
        suite: CipherSuite,
        secret: SignatureSecretKey,
        public: SignaturePublicKey,
    ) -> Result<Self, EngineError> {
        let algorithm = match suite {
            CipherSuite::CURVE25519_AES128 | CipherSuite::CURVE25519_CHACHA => &PKCS_ED25519,
            CipherSuite::P256_AES128 => &PKCS_ECDSA_P256_SHA256,
            other => return Err(EngineError::Suite(other.into())),
        };
        Ok(Self { suite, secret, public, algorithm })
    }

    pub(crate) fn public(&self) -> &SignaturePublicKey {
        &self.public
    }

    /// Signs what is no certificate; its label must tell it from one.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, EngineError> {
        engine::sign(self.suite, &self.secret, message)
    }
}

impl PublicKeyData for EngineKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for EngineKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.sign_bytes(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
