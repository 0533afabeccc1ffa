//! Trust anchors: whose certificates a group takes for which domain (RFC 9750 4).
//!
//! They stand in the group's context, so that hub and members judge a leaf alike. A chain is good only
//! for clients of the domain that its anchor is named for. Whether the anchor itself is the right
//! one is for each member to find out, and for people.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::ClientId;
use crate::engine::sha256;
use crate::limits::{ANCHORS_MAX, CERTIFICATE_BYTES_MAX, NAME_BYTES_MAX};
use crate::wire::Digest;

/// A certificate that signs for one domain.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct TrustAnchor {
    /// A Matrix server name or an XMPP domain, as in [`crate::address::UserId::domain`].
    pub domain: String,
    /// X.509, DER.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub certificate: Vec<u8>,
}

/// The anchors of one group. A domain has several while its authority changes its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct TrustAnchors(pub Vec<TrustAnchor>);

impl TrustAnchor {
    /// SHA-256 of the certificate: what people compare.
    pub fn fingerprint(&self) -> Digest {
        sha256(&self.certificate)
    }
}

impl TrustAnchors {
    /// What people compare, one for each.
    pub fn fingerprints(&self) -> Vec<Digest> {
        self.0.iter().map(TrustAnchor::fingerprint).collect()
    }

    /// Tells one set of anchors from every other.
    pub fn hash(&self) -> Digest {
        let one = |anchor: &TrustAnchor| {
            [anchor.fingerprint().0.as_slice(), anchor.domain.as_bytes(), &[0]].concat()
        };
        sha256(&self.0.iter().flat_map(one).collect::<Vec<_>>())
    }

    /// The certificates that may stand behind a client.
    pub fn of<'a>(&'a self, client: &ClientId) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let domain = client.user().domain();
        let own = move |anchor: &&TrustAnchor| anchor.domain == domain;
        self.0.iter().filter(own).map(|anchor| anchor.certificate.as_slice())
    }

    /// Whether they keep the bounds, and none stands twice.
    pub fn are_bounded(&self) -> bool {
        let bounded = |anchor: &TrustAnchor| {
            anchor.domain.len() <= NAME_BYTES_MAX
                && anchor.certificate.len() <= CERTIFICATE_BYTES_MAX
        };
        let twice = |(place, anchor): (usize, &TrustAnchor)| {
            self.0.iter().skip(place + 1).any(|o| o == anchor)
        };
        self.0.len() <= ANCHORS_MAX
            && self.0.iter().all(bounded)
            && !self.0.iter().enumerate().any(twice)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(TrustAnchor, TrustAnchors);
