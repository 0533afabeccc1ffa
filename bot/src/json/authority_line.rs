//! What is printed of the authorities that this device goes by.

use mls_core::identity::TrustAnchor;
use mls_core::member::{AnchorSource, DomainAnchors};
use serde::Serialize;

/// The authorities of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthorityLine {
    /// The domain for whose accounts they stand.
    pub domain: String,
    /// By whose word: `hub` (the domain's own), `group` (by way of another domain's hub), `person`.
    pub source: &'static str,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
    /// Those that are believed.
    pub known: Vec<CertificateLine>,
    /// What the hub names now, where that differs; `trust` accepts them.
    pub offered: Vec<CertificateLine>,
}

/// The certificate of one authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateLine {
    /// SHA-256 of the certificate, in hex, to be compared over another channel.
    pub fingerprint: String,
    /// X.509, DER, in hex.
    pub certificate: String,
}

impl From<&DomainAnchors> for AuthorityLine {
    fn from(domain: &DomainAnchors) -> Self {
        let lines = |anchors: &[TrustAnchor]| anchors.iter().map(CertificateLine::from).collect();
        Self {
            domain: domain.domain.clone(),
            source: match domain.source {
                AnchorSource::Hub => "hub",
                AnchorSource::Group => "group",
                AnchorSource::Person => "person",
            },
            since: domain.since_ms,
            known: lines(&domain.known.0),
            offered: lines(&domain.offered.0),
        }
    }
}

impl From<&TrustAnchor> for CertificateLine {
    fn from(anchor: &TrustAnchor) -> Self {
        Self {
            fingerprint: anchor.fingerprint().to_string(),
            certificate: hex::encode(&anchor.certificate),
        }
    }
}
