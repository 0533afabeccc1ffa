//! X.509 credentials: whose a certificate is, and whether a trust anchor stands behind it
//! (RFC 9420 5.3.1, RFC 5280).
//!
//! The identity is the one subject alternative name, a URI that is a [`ClientId`]; a common name says
//! nothing. The path is validated by webpki, never by hand.

use mls_rs_core::identity::CertificateChain;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor as Anchor};
use thiserror::Error;
use webpki::{
    EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath, anchor_from_trusted_cert,
    aws_lc_rs,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::revocations::{Revocations, unix_time};
use crate::address::ClientId;
use crate::limits::{CERTIFICATE_BYTES_MAX, CERTIFICATES_PER_CHAIN_MAX};

/// Signatures in a chain: those of the suites that we can use.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[aws_lc_rs::ED25519, aws_lc_rs::ECDSA_P256_SHA256, aws_lc_rs::ECDSA_P384_SHA384];

/// A certificate that proves nothing; its owner's or its issuer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// No certificate, too many, or too long.
    #[error("a certificate chain has 1 to {CERTIFICATES_PER_CHAIN_MAX} certificates")]
    Chain,
    /// No X.509 certificate in DER.
    #[error("these bytes are not an X.509 certificate")]
    Broken,
    /// Its subject alternative name is not exactly one URI that is a client id.
    #[error("the certificate's subject alternative name is not one client id")]
    Subject,
    /// It speaks for another key than the leaf's.
    #[error("the certificate is for another signature key")]
    OtherKey,
    /// No path to the domain's trust anchor, or not valid at the time.
    #[error("the certificate has no valid path to its domain's trust anchor: {0}")]
    Path(String),
    /// Its authority has taken it back.
    #[error("its authority has revoked the certificate")]
    Revoked,
}

/// What a leaf certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub client: ClientId,
    /// The public key's bits: for Ed25519 and P-256 the signature key of RFC 9420 5.1.1.
    pub key: Vec<u8>,
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// When it begins, in seconds since 1970.
    pub not_before_s: u64,
    /// When it ends, in seconds since 1970.
    pub not_after_s: u64,
}

impl Certificate {
    /// Reads the leaf of a chain; proves nothing yet.
    pub fn of(chain: &CertificateChain) -> Result<Self, CertificateError> {
        let leaf = chain.leaf().ok_or(CertificateError::Chain)?;
        let long = chain.iter().any(|one| one.len() > CERTIFICATE_BYTES_MAX);
        if long || chain.len() > CERTIFICATES_PER_CHAIN_MAX {
            return Err(CertificateError::Chain);
        }
        Self::from_der(leaf)
    }

    /// Reads one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, read) = X509Certificate::from_der(der).map_err(|_| CertificateError::Broken)?;
        if !rest.is_empty() {
            return Err(CertificateError::Broken);
        }
        let validity = read.validity();
        let seconds = |time: i64| u64::try_from(time).map_err(|_| CertificateError::Broken);
        Ok(Self {
            client: subject(&read)?,
            key: read.public_key().subject_public_key.data.to_vec(),
            serial: read.raw_serial().to_vec(),
            not_before_s: seconds(validity.not_before.timestamp())?,
            not_after_s: seconds(validity.not_after.timestamp())?,
        })
    }
}

/// The public key's bits of any certificate, as of an authority; proves nothing.
pub fn public_key_of(der: &[u8]) -> Result<Vec<u8>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], read)) => Ok(read.public_key().subject_public_key.data.to_vec()),
        _ => Err(CertificateError::Broken),
    }
}

/// The one URI of the subject alternative name.
fn subject(read: &X509Certificate<'_>) -> Result<ClientId, CertificateError> {
    let names = read.subject_alternative_name().map_err(|_| CertificateError::Subject)?;
    let names = names.map(|names| names.value.general_names.as_slice());
    let Some([GeneralName::URI(uri)]) = names else { return Err(CertificateError::Subject) };
    ClientId::parse(uri).map_err(|_| CertificateError::Subject)
}

/// Whether a certificate (DER) can stand at the end of a path.
pub fn is_anchor(der: &[u8]) -> bool {
    let read = X509Certificate::from_der(der);
    let signs = read.is_ok_and(|(rest, read)| rest.is_empty() && read.is_ca());
    signs && anchor_from_trusted_cert(&CertificateDer::from(der)).is_ok()
}

/// What a path is judged by.
struct Judged<'a> {
    leaf: EndEntityCert<'a>,
    /// The rest of the chain, in any order, and not all of it needed.
    between: &'a [CertificateDer<'a>],
    /// Where it may end, twice.
    roots: &'a [CertificateDer<'a>],
    anchors: Vec<Anchor<'a>>,
}

impl Judged<'_> {
    fn path(
        &self,
        time_s: u64,
        revocation: Option<RevocationOptions<'_>>,
    ) -> Result<VerifiedPath<'_>, webpki::Error> {
        let (time, usage) = (unix_time(time_s), KeyUsage::client_auth());
        let (anchors, between) = (&self.anchors, self.between);
        self.leaf.verify_for_usage(ALGORITHMS, anchors, between, time, usage, revocation, None)
    }

    /// The public key's bits of whoever issued the leaf.
    fn issuer(&self, path: &VerifiedPath<'_>) -> Result<Vec<u8>, CertificateError> {
        if let Some(issuer) = path.intermediate_certificates().next() {
            return public_key_of(&issuer.der());
        }
        let place = self.anchors.iter().position(|anchor| anchor == path.anchor());
        public_key_of(place.and_then(|at| self.roots.get(at)).ok_or(CertificateError::Chain)?)
    }
}

fn judge<'a, T>(
    chain: &CertificateChain,
    anchors: impl IntoIterator<Item = &'a [u8]>,
    judge: impl FnOnce(&Judged<'_>) -> Result<T, CertificateError>,
) -> Result<T, CertificateError> {
    let chain: Vec<_> = chain.iter().map(|one| CertificateDer::from(one.as_ref())).collect();
    let (leaf, between) = chain.split_first().ok_or(CertificateError::Chain)?;
    let leaf = EndEntityCert::try_from(leaf).map_err(no_path)?;
    let roots: Vec<_> = anchors.into_iter().map(CertificateDer::from).collect();
    let anchors = roots.iter().map(anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>();
    judge(&Judged { leaf, between, roots: &roots, anchors: anchors.map_err(no_path)? })
}

fn no_path(error: webpki::Error) -> CertificateError {
    CertificateError::Path(error.to_string())
}

/// The public key's bits of whoever issued a chain's leaf, where the chain leads to one of `anchors` (certificates
/// in DER) at a time. Of the path that was found, for a chain may hold other certificates beside it.
pub(crate) fn issuer_key<'a>(
    chain: &CertificateChain,
    anchors: impl IntoIterator<Item = &'a [u8]>,
    time_s: u64,
) -> Result<Vec<u8>, CertificateError> {
    judge(chain, anchors, |judged| judged.issuer(&judged.path(time_s, None).map_err(no_path)?))
}

/// Whether a chain leads to one of `anchors` (certificates in DER) at a time, and no list takes its leaf
/// back. A list that another key has signed says nothing about it, and webpki takes the first one of the issuer's
/// name: an authority that changes its intermediate may keep that, so each list is held against it alone.
pub(crate) fn check_path<'a>(
    chain: &CertificateChain,
    anchors: impl IntoIterator<Item = &'a [u8]>,
    time_s: u64,
    revocations: &Revocations,
) -> Result<(), CertificateError> {
    judge(chain, anchors, |judged| {
        judged.path(time_s, None).map_err(no_path)?;
        for list in revocations.naming(judged.leaf.serial()) {
            if let Ok(options) = RevocationOptionsBuilder::new(&[list])
                && let Err(webpki::Error::CertRevoked) = judged.path(time_s, Some(lenient(options)))
            {
                return Err(CertificateError::Revoked);
            }
        }
        Ok(())
    })
}

/// A list that is old still says what it says; that a newer one is missing is told to people. Whom no list
/// is about is not revoked.
fn lenient(options: RevocationOptionsBuilder<'_>) -> RevocationOptions<'_> {
    options
        .with_depth(RevocationCheckDepth::EndEntity)
        .with_status_policy(UnknownStatusPolicy::Allow)
        .with_expiration_policy(ExpirationPolicy::Ignore)
        .build()
}
