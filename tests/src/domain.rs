//! The names of a domain on both networks.

use crate::prosody::DOMAIN;
use crate::synapse::SERVER_NAME;

/// Whose accounts a pair of servers has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// In Matrix user ids.
    pub matrix: String,
    /// In JIDs.
    pub xmpp: String,
    /// Where other homeservers reach this one, if they do.
    pub federation: Option<u16>,
}

impl Domain {
    /// The one that most rigs have; it speaks to no other.
    pub fn usual() -> Self {
        Self { matrix: SERVER_NAME.to_owned(), xmpp: DOMAIN.to_owned(), federation: None }
    }

    /// One whose homeserver others reach at this port. A name that is an address and a port needs no look-up
    /// (Matrix Server-Server API, "Resolving server names").
    pub fn federated(port: u16, xmpp: &str) -> Self {
        Self { matrix: format!("127.0.0.1:{port}"), xmpp: xmpp.to_owned(), federation: Some(port) }
    }

    /// The hub's Matrix user id.
    pub fn hub_matrix(&self) -> String {
        format!("@mls:{}", self.matrix)
    }

    /// The hub's JID.
    pub fn hub_xmpp(&self) -> String {
        format!("mls.{}", self.xmpp)
    }

    /// The address of the multi-user chats.
    pub fn rooms(&self) -> String {
        format!("rooms.{}", self.xmpp)
    }
}
