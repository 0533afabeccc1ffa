//! One cipher suite: aws-lc's primitives, and keys made of bytes from the given source.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use mls_rs_core::crypto::{
    CipherSuite, CipherSuiteProvider, HpkeCiphertext, HpkePsk, HpkePublicKey, HpkeSecretKey,
    SignaturePublicKey, SignatureSecretKey,
};
use mls_rs_core::error::IntoAnyError;
use mls_rs_crypto_awslc::{AwsLcCipherSuite, AwsLcCryptoError};
use thiserror::Error;
use zeroize::Zeroizing;

use super::Source;
use crate::randomness::RandomnessError;

/// Bytes that a key is made of, in all suites of our policy: an Ed25519 seed (RFC 8032 5.1.5), a P-256 scalar, and
/// what RFC 9180 7.1.3 asks for as input of DeriveKeyPair.
const KEY_SEED_BYTES: usize = 32;
/// A random number is no P-256 scalar once in 2^32 times.
const SCALAR_ATTEMPTS: usize = 4;

/// Why a primitive failed.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// A key, signature or ciphertext is not valid.
    #[error(transparent)]
    AwsLc(#[from] AwsLcCryptoError),
    /// No random bytes: the machine's fault.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A fresh key could not be made: the source's fault, or that of who asks in a suite beyond our policy.
    #[error("no key can be made in this suite of the random bytes that the machine gives")]
    NoKey,
}

impl IntoAnyError for ProviderError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

/// The primitives of one suite.
#[derive(Clone)]
pub struct CryptoSuite {
    provider: AwsLcCipherSuite,
    source: Source,
}

impl CryptoSuite {
    pub(super) fn new(provider: AwsLcCipherSuite, source: Source) -> Self {
        Self { provider, source }
    }

    fn key_seed(&self) -> Result<Zeroizing<[u8; KEY_SEED_BYTES]>, ProviderError> {
        let mut seed = Zeroizing::new([0; KEY_SEED_BYTES]);
        self.source.fill(seed.as_mut())?;
        Ok(seed)
    }

    /// As aws-lc keeps them, the secret is the seed and the public key.
    fn ed25519_key(&self) -> Result<(SignatureSecretKey, SignaturePublicKey), ProviderError> {
        let seed = self.key_seed()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|_| ProviderError::NoKey)?;
        let public = pair.public_key().as_ref().to_vec();
        let secret = [seed.as_slice(), &public].concat();
        Ok((secret.into(), public.into()))
    }

    fn p256_key(&self) -> Result<(SignatureSecretKey, SignaturePublicKey), ProviderError> {
        for _ in 0..SCALAR_ATTEMPTS {
            let secret = SignatureSecretKey::from(self.key_seed()?.to_vec());
            if let Ok(public) = self.provider.signature_key_derive_public(&secret) {
                return Ok((secret, public));
            }
        }
        Err(ProviderError::NoKey)
    }
}

impl CipherSuiteProvider for CryptoSuite {
    type Error = ProviderError;
    type HpkeContextS = <AwsLcCipherSuite as CipherSuiteProvider>::HpkeContextS;
    type HpkeContextR = <AwsLcCipherSuite as CipherSuiteProvider>::HpkeContextR;

    fn cipher_suite(&self) -> CipherSuite {
        self.provider.cipher_suite()
    }

    fn random_bytes(&self, out: &mut [u8]) -> Result<(), ProviderError> {
        Ok(self.source.fill(out)?)
    }

    fn kem_generate(&self) -> Result<(HpkeSecretKey, HpkePublicKey), ProviderError> {
        self.kem_derive(self.key_seed()?.as_slice())
    }

    fn signature_key_generate(
        &self,
    ) -> Result<(SignatureSecretKey, SignaturePublicKey), ProviderError> {
        match self.cipher_suite() {
            CipherSuite::CURVE25519_AES128 | CipherSuite::CURVE25519_CHACHA => self.ed25519_key(),
            CipherSuite::P256_AES128 => self.p256_key(),
            _ => Err(ProviderError::NoKey),
        }
    }

    // What follows takes no random bytes from the source.

    fn hash(&self, data: &[u8]) -> Result<Vec<u8>, ProviderError> {
        Ok(self.provider.hash(data)?)
    }

    fn mac(&self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, ProviderError> {
        Ok(self.provider.mac(key, data)?)
    }

    fn aead_seal(
        &self,
        key: &[u8],
        data: &[u8],
        aad: Option<&[u8]>,
        nonce: &[u8],
    ) -> Result<Vec<u8>, ProviderError> {
        Ok(self.provider.aead_seal(key, data, aad, nonce)?)
    }

    fn aead_open(
        &self,
        key: &[u8],
        ciphertext: &[u8],
        aad: Option<&[u8]>,
        nonce: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        Ok(self.provider.aead_open(key, ciphertext, aad, nonce)?)
    }

    fn aead_key_size(&self) -> usize {
        self.provider.aead_key_size()
    }

    fn aead_nonce_size(&self) -> usize {
        self.provider.aead_nonce_size()
    }

    fn kdf_extract(&self, salt: &[u8], ikm: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        Ok(self.provider.kdf_extract(salt, ikm)?)
    }

    fn kdf_expand(
        &self,
        prk: &[u8],
        info: &[u8],
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        Ok(self.provider.kdf_expand(prk, info, len)?)
    }

    fn kdf_extract_size(&self) -> usize {
        self.provider.kdf_extract_size()
    }

    fn hpke_seal(
        &self,
        remote_key: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        pt: &[u8],
    ) -> Result<HpkeCiphertext, ProviderError> {
        Ok(self.provider.hpke_seal(remote_key, info, aad, pt)?)
    }

    fn hpke_seal_psk(
        &self,
        remote_key: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        pt: &[u8],
        psk: HpkePsk<'_>,
    ) -> Result<HpkeCiphertext, ProviderError> {
        Ok(self.provider.hpke_seal_psk(remote_key, info, aad, pt, psk)?)
    }

    fn hpke_open(
        &self,
        ciphertext: &HpkeCiphertext,
        local_secret: &HpkeSecretKey,
        local_public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        Ok(self.provider.hpke_open(ciphertext, local_secret, local_public, info, aad)?)
    }

    fn hpke_open_psk(
        &self,
        ciphertext: &HpkeCiphertext,
        local_secret: &HpkeSecretKey,
        local_public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        psk: HpkePsk<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        Ok(self.provider.hpke_open_psk(ciphertext, local_secret, local_public, info, aad, psk)?)
    }

    fn hpke_setup_s(
        &self,
        remote_key: &HpkePublicKey,
        info: &[u8],
    ) -> Result<(Vec<u8>, Self::HpkeContextS), ProviderError> {
        Ok(self.provider.hpke_setup_s(remote_key, info)?)
    }

    fn hpke_setup_r(
        &self,
        kem_output: &[u8],
        local_secret: &HpkeSecretKey,
        local_public: &HpkePublicKey,
        info: &[u8],
    ) -> Result<Self::HpkeContextR, ProviderError> {
        Ok(self.provider.hpke_setup_r(kem_output, local_secret, local_public, info)?)
    }

    fn kem_derive(&self, ikm: &[u8]) -> Result<(HpkeSecretKey, HpkePublicKey), ProviderError> {
        Ok(self.provider.kem_derive(ikm)?)
    }

    fn kem_public_key_validate(&self, key: &HpkePublicKey) -> Result<(), ProviderError> {
        Ok(self.provider.kem_public_key_validate(key)?)
    }

    fn signature_key_derive_public(
        &self,
        secret_key: &SignatureSecretKey,
    ) -> Result<SignaturePublicKey, ProviderError> {
        Ok(self.provider.signature_key_derive_public(secret_key)?)
    }

    fn sign(&self, secret_key: &SignatureSecretKey, data: &[u8]) -> Result<Vec<u8>, ProviderError> {
        Ok(self.provider.sign(secret_key, data)?)
    }

    fn verify(
        &self,
        public_key: &SignaturePublicKey,
        signature: &[u8],
        data: &[u8],
    ) -> Result<(), ProviderError> {
        Ok(self.provider.verify(public_key, signature, data)?)
    }
}
