//! The authentication service (RFC 9750 4): binds accounts to signature keys by X.509 certificates.
//!
//! This is its hand, which signs; whether it may is for [`crate::hub`] to decide, which knows who asks.
//! A client makes its key itself and asks by PKCS #10 (RFC 2986); the key never leaves the device.

mod key;
mod request;
mod revocation_list;

pub use request::{CertificateRequest, RequestError, request_certificate};
pub use revocation_list::RevokedCertificate;

use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;

use self::key::EngineKey;
use crate::crypto::Crypto;
use crate::engine::EngineError;
use crate::limits::CLOCK_SKEW_MS;
use crate::policy::{CREDENTIAL_LIFETIME_MS, KEY_PACKAGE_BACKDATING_S};
use crate::transparency::{SignedTreeHead, TreeHead};

/// The authority's own keys are Ed25519, whatever those are that it signs for.
pub(crate) const AUTHORITY_SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
const SERIAL_BYTES: usize = 16;
/// A certificate begins before every leaf that it is used in, on a clock that is behind.
const BACKDATING_MS: u64 = KEY_PACKAGE_BACKDATING_S * 1000 + CLOCK_SKEW_MS;
/// 2025-01-01: the authority's own certificate is made where there is no clock.
const AUTHORITY_BEGIN_MS: u64 = 1_735_689_600_000;
/// 9999-12-31 23:59:59, no end (RFC 5280 4.1.2.5).
const AUTHORITY_END_MS: u64 = 253_402_300_799_000;

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
}

/// A key that signs certificates, and the certificates that say so.
pub struct Authority {
    key: EngineKey,
    /// DER, the one of `key` first, the trust anchor last; one alone is both.
    chain: Vec<Vec<u8>>,
}

impl Authority {
    /// A new key with a certificate of its own, named `name`, which has no end: it is pinned, and
    /// replaced by people.
    pub fn make(crypto: &Crypto, name: &str) -> Result<(Self, SignatureSecretKey), AuthorityError> {
        let (secret, public) = crypto.generate_signature_key(AUTHORITY_SUITE)?;
        let key = EngineKey::new(AUTHORITY_SUITE, secret.clone(), public)?;
        let certificate = own_params(crypto, name)?.self_signed(&key)?;
        Ok((Self { key, chain: vec![certificate.der().to_vec()] }, secret))
    }

    /// A key and its certificates as they were kept: the key's own first, the trust anchor last.
    pub fn open(
        secret: SignatureSecretKey,
        public: SignaturePublicKey,
        chain: Vec<Vec<u8>>,
    ) -> Result<Self, AuthorityError> {
        Ok(Self { key: EngineKey::new(AUTHORITY_SUITE, secret, public)?, chain })
    }

    /// The public part of its key.
    pub fn public(&self) -> SignaturePublicKey {
        self.key.public().clone()
    }

    /// What members pin, and groups name; DER.
    pub fn anchor(&self) -> &[u8] {
        self.chain.last().map(Vec::as_slice).unwrap_or_default()
    }

    /// The certificates from its own to the trust anchor, DER.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// A certificate for what a request asks, from `now_ms` on, with those that lead to the trust
    /// anchor; the anchor itself is left out.
    pub fn issue(
        &self,
        crypto: &Crypto,
        request: CertificateRequest,
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let own = self.chain.first().cloned().unwrap_or_default();
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(own), &self.key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("mls-bridge client");
        params.subject_alt_names = vec![SanType::URI(request.client.as_str().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let begin_ms = now_ms.saturating_sub(BACKDATING_MS);
        lasts(crypto, &mut params, begin_ms, now_ms.saturating_add(CREDENTIAL_LIFETIME_MS))?;
        let public_key = request.public_key;
        let signed = CertificateSigningRequestParams { params, public_key }.signed_by(&issuer)?;
        let between = self.chain.split_last().map(|(_, between)| between).unwrap_or_default();
        Ok(std::iter::once(signed.der().to_vec()).chain(between.iter().cloned()).collect())
    }

    /// The state of its log, signed with its own key: the one that also signs certificates.
    pub fn sign_tree_head(&self, head: TreeHead) -> Result<SignedTreeHead, EngineError> {
        let signature = self.key.sign_bytes(&head.signed_bytes()?)?;
        Ok(SignedTreeHead { head, signature })
    }
}

fn own_params(crypto: &Crypto, name: &str) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lasts(crypto, &mut params, AUTHORITY_BEGIN_MS, AUTHORITY_END_MS)?;
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// Validity, and a random serial number.
fn lasts(
    crypto: &Crypto,
    params: &mut CertificateParams,
    begin_ms: u64,
    end_ms: u64,
) -> Result<(), AuthorityError> {
    params.not_before = at(begin_ms)?;
    params.not_after = at(end_ms)?;
    let mut serial = crypto.random_bytes(SERIAL_BYTES)?;
    // Positive and of full length in DER (RFC 5280 4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from(serial));
    Ok(())
}

fn at(time_ms: u64) -> Result<OffsetDateTime, AuthorityError> {
    let seconds = i64::try_from(time_ms / 1000).map_err(|_| AuthorityError::Clock)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Clock)
}
