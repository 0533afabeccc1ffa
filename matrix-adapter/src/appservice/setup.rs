//! What the hub's connection starts from, and what it hands out.

use std::fmt;
use std::net::SocketAddr;

use mls_core::hub::Incoming;
use thiserror::Error;
use tokio::sync::oneshot;
use url::Url;
use zeroize::Zeroizing;

use crate::mapping::namespace::{AUTHORITY_REGISTRATION_ID, REGISTRATION_ID};

/// What the hub's connection starts from; both tokens are those of the registration file.
#[derive(Clone)]
pub struct AppserviceSetup {
    /// Where the homeserver reaches us.
    pub listen: SocketAddr,
    /// Base URL of the homeserver; `http://` on loopback only.
    pub homeserver: Url,
    /// The homeserver's name in user ids.
    pub server_name: String,
    /// Our token towards the homeserver.
    pub as_token: Zeroizing<String>,
    /// The homeserver's token towards us.
    pub hs_token: Zeroizing<String>,
    /// Localpart of the hub's own account, such as `mls`.
    pub sender_localpart: String,
    /// Whether it makes rooms and ghosts: an authority that runs alone answers requests only.
    pub has_rooms: bool,
}

impl AppserviceSetup {
    /// The `id` in its registration file, unique at its homeserver.
    pub(super) fn registration_id(&self) -> &'static str {
        if self.has_rooms { REGISTRATION_ID } else { AUTHORITY_REGISTRATION_ID }
    }
}

impl fmt::Debug for AppserviceSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppserviceSetup")
            .field("listen", &self.listen)
            .field("homeserver", &self.homeserver.as_str())
            .field("server_name", &self.server_name)
            .field("sender_localpart", &self.sender_localpart)
            .finish_non_exhaustive()
    }
}

/// What the homeserver said to the hub at once: in a transaction, or at the end of a room.
#[derive(Debug)]
pub struct Delivery {
    /// In the order of the events.
    pub incoming: Vec<Incoming>,
    /// To be stored in the transaction that stores what the hub makes of them.
    pub mark: Option<Mark>,
    /// Fire it after the commit; dropped, all of it comes again.
    pub done: oneshot::Sender<()>,
}

/// That a transaction was dealt with, or how far a room was read back. The homeserver repeats
/// only its latest transaction, so older marks of transactions may be deleted at will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `transaction:` and the homeserver's id for it, or `room:` and the room id.
    pub key: String,
    /// SHA-256 of its body in hex, or the id of the room's last event.
    pub value: String,
}

/// Looks up the value of a stored [`Mark`] by its key.
pub type MarkLookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Why the connection cannot start; the operator's to mend.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address} for the homeserver: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Everybody on the way could read the token.
    #[error("{0} is not protected: use https://, http:// is for loopback only")]
    NotProtected(Url),
    /// A name that cannot be part of a Matrix user id.
    #[error("@{localpart}:{server_name} is not a Matrix user id")]
    BadName {
        /// The localpart.
        localpart: String,
        /// The server name.
        server_name: String,
    },
    /// No TLS on this machine.
    #[error("cannot make HTTPS connections: {0}")]
    Http(#[from] reqwest::Error),
}
