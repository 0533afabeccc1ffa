//! The certificates from an authority's key to its root (RFC 5280 6): read, and checked before
//! anything is signed under them.

use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::key::{AuthorityKey, AuthorityKeyError, KeyAlgorithm};
use crate::identity::CertificateError;
use crate::limits::{CERTIFICATE_BYTES_MAX, CERTIFICATES_PER_CHAIN_MAX};

/// Certificates under which nothing can be signed; the operator's fault. Places count from 1.
#[derive(Debug, Error)]
pub enum ChainError {
    /// None, or too many.
    #[error(
        "it has {0} certificates: the key's own comes first, the root last, and there may be \
         {CERTIFICATES_PER_CHAIN_MAX} at most"
    )]
    Length(usize),
    /// Longer than members take.
    #[error(
        "certificate {0} has more than {CERTIFICATE_BYTES_MAX} bytes: leave out what it does not need"
    )]
    Long(usize),
    /// No X.509 in DER.
    #[error("certificate {0} is not X.509")]
    Broken(usize),
    /// It may not sign certificates.
    #[error(
        "certificate {0} may not sign certificates: it needs basicConstraints with CA:TRUE, and \
         keyUsage with keyCertSign"
    )]
    NoAuthority(usize),
    /// It may not say which certificates count no more.
    #[error(
        "the first certificate may not sign lists of revoked certificates: its keyUsage needs cRLSign"
    )]
    NoLists,
    /// The last one is no root.
    #[error(
        "the last certificate is not a root, signed by its own key: put the root's certificate at \
         the end; members pin it"
    )]
    NoRoot,
    /// Its time has not come.
    #[error("certificate {0} is not valid yet: look at the clock")]
    TooEarly(usize),
    /// Its time is over.
    #[error("certificate {0} has ended: have a new one made")]
    Ended(usize),
    /// The key is not the first certificate's.
    #[error("the first certificate is for another key")]
    OtherKey,
    /// The key does not sign.
    #[error("the key does not sign: {0}")]
    Key(#[from] AuthorityKeyError),
    /// What it signs is not good under the root.
    #[error(
        "what it signs is not valid under the last certificate; each certificate must be signed by \
         the next: {0}"
    )]
    Path(CertificateError),
    /// No certificate can be made at all.
    #[error("the first certificate cannot be signed with: {0}")]
    Unusable(String),
}

/// While all certificates of a chain are valid; milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
}

impl Validity {
    /// Of certificates that can be read.
    pub(super) fn of(chain: &[Vec<u8>]) -> Result<Self, ChainError> {
        let read = chain.iter().zip(1..).map(|(der, place)| one(der, place).map(|it| valid(&it)));
        read.reduce(|all, one| Ok(all?.and(one?))).unwrap_or(Err(ChainError::Length(0)))
    }

    fn and(self, other: Self) -> Self {
        Self {
            from_ms: self.from_ms.max(other.from_ms),
            until_ms: self.until_ms.min(other.until_ms),
        }
    }
}

/// All that can be said of a key and its certificates without signing.
pub(super) fn check(
    key: &dyn AuthorityKey,
    chain: &[Vec<u8>],
    now_ms: u64,
) -> Result<(), ChainError> {
    // The root stays here, and a leaf comes to the others: just as many go out.
    if chain.is_empty() || chain.len() > CERTIFICATES_PER_CHAIN_MAX {
        return Err(ChainError::Length(chain.len()));
    }
    for (der, place) in chain.iter().zip(1..) {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(ChainError::Long(place));
        }
        let read = one(der, place)?;
        if !may_sign(&read) {
            return Err(ChainError::NoAuthority(place));
        }
        let validity = valid(&read);
        if now_ms < validity.from_ms {
            return Err(ChainError::TooEarly(place));
        } else if now_ms >= validity.until_ms {
            return Err(ChainError::Ended(place));
        } else if place == chain.len() && !is_root(&read) {
            return Err(ChainError::NoRoot);
        } else if place == 1 && !may_sign_lists(&read) {
            return Err(ChainError::NoLists);
        } else if place == 1 && !is_for(&read, key) {
            return Err(ChainError::OtherKey);
        }
    }
    Ok(())
}

fn one(der: &[u8], place: usize) -> Result<X509Certificate<'_>, ChainError> {
    match X509Certificate::from_der(der) {
        Ok(([], read)) => Ok(read),
        _ => Err(ChainError::Broken(place)),
    }
}

fn valid(read: &X509Certificate<'_>) -> Validity {
    let ms = |time: i64| u64::try_from(time).unwrap_or(0).saturating_mul(1000);
    let validity = read.validity();
    Validity {
        from_ms: ms(validity.not_before.timestamp()),
        until_ms: ms(validity.not_after.timestamp()),
    }
}

fn may_sign_lists(read: &X509Certificate<'_>) -> bool {
    read.key_usage().ok().flatten().is_some_and(|found| found.value.crl_sign())
}

fn may_sign(read: &X509Certificate<'_>) -> bool {
    let constraints = read.basic_constraints().ok().flatten();
    let usage = read.key_usage().ok().flatten();
    constraints.is_some_and(|found| found.value.ca)
        && usage.is_some_and(|found| found.value.key_cert_sign())
}

fn is_root(read: &X509Certificate<'_>) -> bool {
    read.issuer() == read.subject() && read.verify_signature(None).is_ok()
}

fn is_for(read: &X509Certificate<'_>, key: &dyn AuthorityKey) -> bool {
    use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519};
    let public = read.public_key();
    let curve = public.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    let same = match key.algorithm() {
        KeyAlgorithm::Ed25519 => public.algorithm.algorithm == OID_SIG_ED25519,
        KeyAlgorithm::P256 => {
            public.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256)
        }
    };
    same && *public.subject_public_key.data == *key.public()
}
