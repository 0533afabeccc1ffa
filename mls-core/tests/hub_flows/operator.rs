//! Who runs the hub, and gives it an authority: a root, what is below it, and their keys.

use std::sync::Arc;

use mls_core::authority::{Authority, AuthorityKey, AuthorityKeyError, ChainError, KeyAlgorithm};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm, SigningKey,
};

use crate::world::NOW;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Who may sign, and has the key for it.
pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A key as an operator's file holds it.
pub(crate) struct FileKey(KeyPair);

impl AuthorityKey for FileKey {
    fn algorithm(&self) -> KeyAlgorithm {
        match self.0.algorithm() {
            ed25519 if *ed25519 == PKCS_ED25519 => KeyAlgorithm::Ed25519,
            _ => KeyAlgorithm::P256,
        }
    }

    fn public(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityKeyError> {
        SigningKey::sign(&self.0, message).map_err(|error| AuthorityKeyError(error.to_string()))
    }
}

/// In seconds.
pub(crate) fn at(time_ms: u64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(i64::try_from(time_ms / 1000).unwrap()).unwrap()
}

/// What may sign certificates, for a year around now.
pub(crate) fn signs(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (at(NOW - 10 * DAY_MS), at(NOW + 365 * DAY_MS));
    params
}

/// A fresh one.
pub(crate) fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

/// A new one, always of the same name.
pub(crate) fn root() -> Issuer {
    CertifiedIssuer::self_signed(signs("root"), key(&PKCS_ECDSA_P256_SHA256)).unwrap()
}

/// Below an issuer, with an Ed25519 key.
pub(crate) fn below(issuer: &Issuer, params: CertificateParams) -> Issuer {
    CertifiedIssuer::signed_by(params, key(&PKCS_ED25519), issuer).unwrap()
}

/// The authority of one who keeps the key of `own`, with these certificates above it.
pub(crate) fn given(own: Issuer, above: &[&Issuer]) -> Result<Authority, ChainError> {
    let chain = std::iter::once(&own).chain(above.iter().copied());
    let chain = chain.map(|issuer| issuer.der().to_vec()).collect();
    Authority::given(file_key(&own), chain, NOW)
}

/// The key of an issuer, from its file.
pub(crate) fn file_key(issuer: &Issuer) -> Arc<FileKey> {
    Arc::new(FileKey(KeyPair::try_from(issuer.key().serialized_der()).unwrap()))
}
