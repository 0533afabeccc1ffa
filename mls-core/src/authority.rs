//! The authentication service (RFC 9750 4): binds accounts to signature keys by X.509 certificates.
//!
//! This is its hand, which signs; whether it may is for [`crate::hub`] to decide, which knows who asks.
//! A client makes its key itself and asks by PKCS #10 (RFC 2986); the key never leaves the device.

mod chain;
mod key;
mod request;
mod revocation_list;

pub use chain::ChainError;
pub use key::{AuthorityKey, AuthorityKeyError, ForRcgen, KeyAlgorithm};
pub use request::{CertificateRequest, RequestError, request_certificate};
pub use revocation_list::RevokedCertificate;

use std::fmt;
use std::sync::Arc;

use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;

use self::chain::Validity;
use self::key::EngineKey;
use crate::crypto::Crypto;
use crate::engine::EngineError;
use crate::identity::{Revocations, check_path};
use crate::limits::CLOCK_SKEW_MS;
use crate::policy::{CREDENTIAL_LIFETIME_MIN_MS, CREDENTIAL_LIFETIME_MS, KEY_PACKAGE_BACKDATING_S};
use crate::transparency::{SignedTreeHead, TreeHead};

/// A key that the authority makes itself is Ed25519, whatever those are that it signs for.
pub(crate) const AUTHORITY_SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// Bytes of a P-256 public key: an uncompressed point (RFC 5480 2.2).
const P256_KEY_BYTES: usize = 65;
const SERIAL_BYTES: usize = 16;
/// A certificate begins before every leaf that it is used in, on a clock that is behind.
const BACKDATING_MS: u64 = KEY_PACKAGE_BACKDATING_S * 1000 + CLOCK_SKEW_MS;
/// 2025-01-01: the authority's own certificate is made where there is no clock.
const AUTHORITY_BEGIN_MS: u64 = 1_735_689_600_000;
/// 9999-12-31 23:59:59, no end (RFC 5280 4.1.2.5).
const AUTHORITY_END_MS: u64 = 253_402_300_799_000;

/// The suite whose signatures the authority with this public key makes.
pub(crate) fn suite_of(public: &SignaturePublicKey) -> CipherSuite {
    if public.len() == P256_KEY_BYTES { CipherSuite::P256_AES128 } else { AUTHORITY_SUITE }
}

/// The authority cannot sign; its operator's fault, or the machine's.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The crypto provider failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The certificates or keys that it was given do not do.
    #[error("the authority's certificate or key cannot be used: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The clock shows a time that no certificate can have.
    #[error("the clock shows no time that a certificate could have")]
    Clock,
    /// Its certificates cannot be read.
    #[error("the authority's certificates: {0}")]
    Chain(#[from] ChainError),
    /// Its key does not sign now.
    #[error("the authority's key does not sign at the moment")]
    Key,
    /// A certificate under its own would end too soon to be of use.
    #[error("the authority's own certificate ends too soon: its operator has to put in a new one")]
    Ends,
}

/// A key that signs certificates, and the certificates that say so. Clones share the key.
#[derive(Clone)]
pub struct Authority {
    key: Arc<dyn AuthorityKey>,
    /// DER, the one of `key` first, the trust anchor last; one alone is both.
    chain: Vec<Vec<u8>>,
    valid: Validity,
}

impl Authority {
    /// A new key with a certificate of its own, named `name`, which has no end: it is pinned, and
    /// replaced by people.
    pub fn make(crypto: &Crypto, name: &str) -> Result<(Self, SignatureSecretKey), AuthorityError> {
        let (secret, public) = crypto.generate_signature_key(AUTHORITY_SUITE)?;
        let key = Arc::new(EngineKey::new(AUTHORITY_SUITE, secret.clone(), public)?);
        let certificate = own_params(crypto, name)?.self_signed(&ForRcgen(key.clone()))?;
        let chain = vec![certificate.der().to_vec()];
        Ok((Self { key, valid: Validity::of(&chain)?, chain }, secret))
    }

    /// A key and its certificates as they were kept: the key's own first, the trust anchor last.
    pub fn open(
        secret: SignatureSecretKey,
        public: SignaturePublicKey,
        chain: Vec<Vec<u8>>,
    ) -> Result<Self, AuthorityError> {
        let key = Arc::new(EngineKey::new(AUTHORITY_SUITE, secret, public)?);
        Ok(Self { key, valid: Validity::of(&chain)?, chain })
    }

    /// A key that its operator gave, with its certificates in DER: the key's own first, the root last,
    /// which is what members pin. All is checked, and a certificate signed and verified as a member
    /// would.
    pub fn given(
        key: Arc<dyn AuthorityKey>,
        chain: Vec<Vec<u8>>,
        now_ms: u64,
    ) -> Result<Self, ChainError> {
        chain::check(&*key, &chain, now_ms)?;
        let authority = Self { key, valid: Validity::of(&chain)?, chain };
        authority.try_out(now_ms)?;
        Ok(authority)
    }

    /// The public part of its key.
    pub fn public(&self) -> SignaturePublicKey {
        self.key.public().to_vec().into()
    }

    /// What members pin, and groups name; DER.
    pub fn anchor(&self) -> &[u8] {
        self.chain.last().map(Vec::as_slice).unwrap_or_default()
    }

    /// The certificates from its own to the trust anchor, DER.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// When the first of its certificates ends, in milliseconds since 1970.
    pub fn ends_ms(&self) -> u64 {
        self.valid.until_ms
    }

    /// A certificate for what a request asks, from `now_ms` on, with those that lead to the trust
    /// anchor; the anchor itself is left out. None of it outlasts the authority's own.
    pub fn issue(
        &self,
        crypto: &Crypto,
        request: CertificateRequest,
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, AuthorityError> {
        if now_ms.saturating_add(CREDENTIAL_LIFETIME_MIN_MS) > self.valid.until_ms {
            return Err(AuthorityError::Ends);
        }
        let mut params = self.client_params(now_ms)?;
        params.serial_number = Some(serial_number(crypto)?);
        params.subject_alt_names = vec![SanType::URI(request.client.as_str().try_into()?)];
        self.sign(params, &request.public_key)
    }

    /// What every client's certificate says.
    fn client_params(&self, now_ms: u64) -> Result<CertificateParams, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("mls-bridge client");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        // Who joins a group judges a certificate as of its beginning.
        params.not_before = at(now_ms.saturating_sub(BACKDATING_MS).max(self.valid.from_ms))?;
        let end_ms = now_ms.saturating_add(CREDENTIAL_LIFETIME_MS);
        params.not_after = at(end_ms.min(self.valid.until_ms))?;
        Ok(params)
    }

    fn sign(
        &self,
        params: CertificateParams,
        public: &impl PublicKeyData,
    ) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let own = self.chain.first().cloned().unwrap_or_default();
        let key = ForRcgen(self.key.clone());
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(own), key)?;
        let signed = params.signed_by(public, &issuer).map_err(not_signed)?;
        let between = self.chain.split_last().map(|(_, between)| between).unwrap_or_default();
        Ok(std::iter::once(signed.der().to_vec()).chain(between.iter().cloned()).collect())
    }

    /// A certificate of no client for its own key, which others may check as they check those of clients, and
    /// those that lead from it to the trust anchor.
    pub(crate) fn own_chain(&self, now_ms: u64) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let mut params = self.client_params(now_ms)?;
        params.serial_number = Some(SerialNumber::from(vec![1]));
        self.sign(params, &ForRcgen(self.key.clone()))
    }

    /// Signs bytes that begin with a label of their own.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        self.key.sign(bytes).map_err(|_| AuthorityError::Key)
    }

    /// The state of its log, signed with its own key: the one that also signs certificates.
    pub fn sign_tree_head(&self, head: TreeHead) -> Result<SignedTreeHead, AuthorityError> {
        let signature = self.sign_bytes(&head.signed_bytes()?)?;
        Ok(SignedTreeHead { head, signature })
    }

    /// Signs a certificate that nobody gets, and verifies it.
    fn try_out(&self, now_ms: u64) -> Result<(), ChainError> {
        self.key.sign(b"mls-bridge")?;
        let unusable = |error: AuthorityError| ChainError::Unusable(error.to_string());
        let signed = self.own_chain(now_ms).map_err(unusable)?;
        let none = Revocations::none();
        check_path(&signed.into(), [self.anchor()], now_ms / 1000, &none).map_err(ChainError::Path)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("valid", &self.valid).finish_non_exhaustive()
    }
}

fn own_params(crypto: &Crypto, name: &str) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = at(AUTHORITY_BEGIN_MS)?;
    params.not_after = at(AUTHORITY_END_MS)?;
    params.serial_number = Some(serial_number(crypto)?);
    Ok(params)
}

/// What rcgen says of a key that does not sign, told from what it says of everything else.
fn not_signed(error: rcgen::Error) -> AuthorityError {
    match error {
        rcgen::Error::RemoteKeyError => AuthorityError::Key,
        other => other.into(),
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// A random one.
fn serial_number(crypto: &Crypto) -> Result<SerialNumber, AuthorityError> {
    let mut serial = crypto.random_bytes(SERIAL_BYTES)?;
    // Positive and of full length in DER (RFC 5280 4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(SerialNumber::from(serial))
}

fn at(time_ms: u64) -> Result<OffsetDateTime, AuthorityError> {
    let seconds = i64::try_from(time_ms / 1000).map_err(|_| AuthorityError::Clock)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Clock)
}
