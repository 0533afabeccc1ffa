//! `HubInfo`: the hub's keys and limits, pinned by a client at first use.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::Network;
use crate::identity::TrustAnchor;

/// What a hub says of itself.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HubInfo {
    /// Ed25519 key of its receipts, 32 bytes.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt_key: Vec<u8>,
    /// X25519 key that requests are sealed to, 32 bytes; see [`crate::seal::hub_key`].
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub seal_key: Vec<u8>,
    /// The receipt key's signature for it.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub seal_signature: Vec<u8>,
    /// Per cipher suite, the encoded SigningIdentity of the external sender.
    pub senders: Vec<SuiteSender>,
    /// Keys that were replaced by these, the newest first; groups may still name them.
    pub former: Vec<FormerKeys>,
    /// The hub's Matrix user id, where it serves Matrix.
    pub hub_matrix: Option<String>,
    /// The hub's JID, where it serves XMPP.
    pub hub_xmpp: Option<String>,
    /// The trust anchors of its authentication service for each domain that it signs for: the current
    /// one, then those that were replaced while certificates under them last.
    pub anchors: Vec<TrustAnchor>,
    /// Bytes of all parts of a message together that may travel inline.
    pub inline_bytes_max: u32,
    /// Versions of this protocol that it speaks.
    pub versions: Vec<u8>,
    /// It is reading its own receipts back after a restore and takes no commits. No hub does that yet.
    pub recovering: bool,
}

impl HubInfo {
    /// Of a hub that says nothing.
    #[cfg(test)]
    pub(crate) fn blank() -> Self {
        Self {
            receipt_key: Vec::new(),
            seal_key: Vec::new(),
            seal_signature: Vec::new(),
            senders: Vec::new(),
            former: Vec::new(),
            hub_matrix: None,
            hub_xmpp: None,
            anchors: Vec::new(),
            inline_bytes_max: 0,
            versions: Vec::new(),
            recovering: false,
        }
    }

    /// Where it says that it is, in a network.
    pub fn address_on(&self, network: Network) -> Option<&str> {
        match network {
            Network::Matrix => self.hub_matrix.as_deref(),
            Network::Xmpp => self.hub_xmpp.as_deref(),
        }
    }
}

/// Keys of a hub that others have replaced.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FormerKeys {
    /// Ed25519 key of its receipts, 32 bytes.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt_key: Vec<u8>,
    /// Its external senders.
    pub senders: Vec<SuiteSender>,
    /// Per cipher suite, its signature for the current receipt key and external sender; see
    /// [`crate::handover`].
    pub handovers: Vec<SuiteSignature>,
}

/// A signature that goes with one suite.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SuiteSignature {
    /// RFC 9420 number of the suite.
    pub suite: u16,
    /// Ed25519.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature: Vec<u8>,
}

/// The hub's external sender for one suite (RFC 9420 12.1.8.1).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SuiteSender {
    /// RFC 9420 number of the suite.
    pub suite: u16,
    /// An encoded SigningIdentity: signature key and basic credential.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub identity: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(HubInfo, FormerKeys, SuiteSignature, SuiteSender);
