//! The two services of a domain (RFC 9750 2): the delivery service, and the authentication service. One
//! process is both, or each is one of its own. And the hubs of other domains, which say who they are.

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::Network;
use crate::wire::Request;

/// Who can be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Orders groups: the hub.
    Delivery,
    /// Certifies keys, and says which certificates count no more: the authority.
    Authentication,
    /// The hub of another domain, at this address in the account's network. It is asked who it is, in clear, and
    /// nothing else.
    OtherHub(String),
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

/// The domain of a service, by its address in a network: a Matrix user id, or the JID of a component.
///
/// That much the network vouches for: only the domain's own server speaks from there.
pub fn domain_of_service(network: Network, address: &str) -> Option<&str> {
    let (name, domain) = match network {
        Network::Matrix => address.strip_prefix('@')?.split_once(':')?,
        Network::Xmpp => address.split_once('.').filter(|(name, _)| !name.contains('@'))?,
    };
    (!name.is_empty() && !domain.is_empty()).then_some(domain)
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
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_a_service_is_what_its_network_vouches_for() {
        for (network, address, domain) in [
            (Network::Matrix, "@mls:a.org", Some("a.org")),
            (Network::Matrix, "@mls:a.org:8448", Some("a.org:8448")),
            (Network::Matrix, "mls:a.org", None),
            (Network::Matrix, "@:a.org", None),
            (Network::Xmpp, "mls.x.org", Some("x.org")),
            (Network::Xmpp, "juliet@mls.x.org", None),
            (Network::Xmpp, ".x.org", None),
            (Network::Xmpp, "org", None),
        ] {
            assert_eq!(domain_of_service(network, address), domain, "{address}");
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(ServiceAddress);
