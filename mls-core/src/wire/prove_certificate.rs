//! `ProveCertificate`: that a certificate stands in the log.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Digest;
use crate::transparency::LogEntry;

/// For every account: who knows the hash has seen the certificate.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ProveCertificate {
    /// SHA-256 of the leaf certificate, DER.
    pub certificate_hash: Digest,
    /// Size of the tree that the proof is to lead to, not above the log's.
    pub size: u64,
}

/// What the log says of the certificate.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CertificateProof {
    /// Nothing where no tree of that size has it: it was not logged, or later.
    pub logged: Option<Logged>,
}

/// Where the certificate stands; see [`crate::transparency::LogView::includes`].
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Logged {
    /// The entry.
    pub entry: LogEntry,
    /// Its place in the log.
    pub index: u64,
    /// That it is in the tree (RFC 6962 2.1.1).
    pub inclusion: Vec<Digest>,
}

#[cfg(test)]
crate::codec_properties::hold!(ProveCertificate, CertificateProof, Logged);
