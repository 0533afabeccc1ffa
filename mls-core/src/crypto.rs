//! The crypto provider: aws-lc's, with random bytes from the source that the caller gave.
//!
//! Drawn from the source: all that the engine asks of a suite (keys, path secrets, nonces of PSKs, reuse
//! guards), group ids, the seeds and nonces of seals, serial numbers of certificates, and how long to wait
//! after a lost race. aws-lc draws by itself the ephemeral key of each HPKE encryption (RFC 9180 4.1), of an
//! external commit too, and the nonce of each ECDSA signature (suite 0x0002), so no rule and no test may
//! depend on what a ciphertext looks like.
//!
//! A source that fails fails the whole input: whatever was made of the failure is dropped with it.

mod suite;

pub use suite::{CryptoSuite, ProviderError};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mls_rs_core::crypto::{
    CipherSuite, CipherSuiteProvider, CryptoProvider, SignaturePublicKey, SignatureSecretKey,
};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

use crate::engine::{EngineError, crypto_error};
use crate::policy::CIPHER_SUITES;
use crate::randomness::{NoRandomness, Randomness, RandomnessError, SystemRandomness};
use crate::store::StoreError;

/// The provider for the suites that the policy allows. Clones share the source.
#[derive(Clone)]
pub struct Crypto {
    provider: AwsLcCryptoProvider,
    source: Source,
}

/// A source, and whether it has failed.
#[derive(Clone)]
struct Source {
    given: Arc<dyn Randomness>,
    failed: Arc<AtomicBool>,
}

impl Source {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        self.given.fill(bytes).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }
}

impl Crypto {
    /// With random bytes from this source.
    pub fn new(source: Arc<dyn Randomness>) -> Self {
        Self::with_suites(source, CIPHER_SUITES.to_vec())
    }

    /// For other suites than the policy allows.
    pub(crate) fn with_suites(source: Arc<dyn Randomness>, suites: Vec<CipherSuite>) -> Self {
        let provider = AwsLcCryptoProvider::with_enabled_cipher_suites(suites);
        Self { provider, source: Source { given: source, failed: Arc::default() } }
    }

    /// The suites that aws-lc has.
    pub(crate) fn all_suites() -> Vec<CipherSuite> {
        AwsLcCryptoProvider::supported_classical_cipher_suites()
    }

    /// With the operating system's.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemRandomness))
    }

    /// Without any, for what only checks.
    pub(crate) fn for_checks() -> Self {
        Self::new(Arc::new(NoRandomness))
    }

    /// The primitives of one suite.
    pub fn suite(&self, suite: CipherSuite) -> Result<CryptoSuite, EngineError> {
        self.cipher_suite_provider(suite).ok_or(EngineError::Suite(suite.into()))
    }

    /// Fresh random bytes.
    pub fn random_bytes(&self, count: usize) -> Result<Vec<u8>, EngineError> {
        let mut bytes = vec![0; count];
        self.source.fill(&mut bytes).map_err(crypto_error)?;
        Ok(bytes)
    }

    /// A fresh signature key pair for a suite.
    pub fn generate_signature_key(
        &self,
        suite: CipherSuite,
    ) -> Result<(SignatureSecretKey, SignaturePublicKey), EngineError> {
        self.suite(suite)?.signature_key_generate().map_err(crypto_error)
    }

    /// An error if the source has failed since this was last asked.
    pub(crate) fn check_source(&self) -> Result<(), StoreError> {
        match self.source.failed.swap(false, Ordering::Relaxed) {
            true => Err(StoreError(RandomnessError.to_string())),
            false => Ok(()),
        }
    }
}

impl CryptoProvider for Crypto {
    type CipherSuiteProvider = CryptoSuite;

    fn supported_cipher_suites(&self) -> Vec<CipherSuite> {
        self.provider.supported_cipher_suites()
    }

    fn cipher_suite_provider(&self, suite: CipherSuite) -> Option<CryptoSuite> {
        let provider = self.provider.cipher_suite_provider(suite)?;
        Some(CryptoSuite::new(provider, self.source.clone()))
    }
}
