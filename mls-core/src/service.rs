//! The two services of a domain (RFC 9750 2): the delivery service, and the authentication service. One
//! process is both, or each is one of its own.

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::Network;
use crate::wire::Request;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Orders groups: the hub.
    Delivery,
    /// Certifies keys, and says which certificates count no more: the authority.
    Authentication,
}

/// Where a service is, on each network that it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ServiceAddress {
    /// A Matrix user id.
    pub matrix: Option<String>,
    /// A JID.
    pub xmpp: Option<String>,
}

impl ServiceAddress {
    /// Where it is on one network.
    pub fn on(&self, network: Network) -> Option<&str> {
        match network {
            Network::Matrix => self.matrix.as_deref(),
            Network::Xmpp => self.xmpp.as_deref(),
        }
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.matrix, &self.xmpp) {
            (Some(matrix), Some(xmpp)) => write!(f, "{matrix} (Matrix) and {xmpp} (XMPP)"),
            (Some(only), None) | (None, Some(only)) => f.write_str(only),
            (None, None) => f.write_str("nowhere"),
        }
    }
}

impl Request {
    /// Whose it is to answer; nobody's in particular where both have something to say.
    pub fn service(&self) -> Option<Service> {
        match self {
            Self::HubInfo | Self::GetBlob(_) => None,
            Self::IssueCredential(_)
            | Self::RevokeDevice(_)
            | Self::FetchRevocations
            | Self::FetchTreeHead(_)
            | Self::ProveCertificate(_)
            | Self::FetchLogLeaves(_)
            | Self::FetchOwnEntries(_) => Some(Service::Authentication),
            _ => Some(Service::Delivery),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(ServiceAddress);
