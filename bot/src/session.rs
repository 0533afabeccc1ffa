//! What a login leaves behind: how to reconnect as this device. Its secrets print nothing.

use std::fmt;

use mls_core::address::{AddressError, ClientId, Network, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

/// The version of the file that this program writes and reads.
const VERSION: u8 = 1;
/// A session file is small; a larger one is not ours.
pub(crate) const FILE_BYTES_MAX: usize = 64 * 1024;

/// Where the hub of a domain is, unless a person says otherwise.
pub(crate) fn usual_hub(network: Network, domain: &str) -> String {
    match network {
        Network::Matrix => format!("@mls:{domain}"),
        Network::Xmpp => format!("mls.{domain}"),
    }
}

/// The session of one device of one account.
#[derive(Clone, Debug)]
pub struct Session {
    client: ClientId,
    /// How to reach the account's server.
    pub server: Server,
}

/// How to reach an account's server, and the hub there.
#[derive(Clone, Debug)]
pub enum Server {
    /// A Matrix homeserver.
    Matrix(MatrixSession),
    /// An XMPP server.
    Xmpp(XmppSession),
}

/// A Matrix session (Client-Server API, `POST /_matrix/client/v3/login`).
#[derive(Clone, Debug)]
pub struct MatrixSession {
    /// The homeserver's base address.
    pub homeserver: Url,
    /// The device's access token.
    pub access_token: Secret,
    /// The hub's Matrix user id.
    pub hub: String,
}

/// An XMPP session: the password is needed at each connection (RFC 6120, 6).
#[derive(Clone, Debug)]
pub struct XmppSession {
    /// `host:port`, where the domain's own records do not lead there.
    pub server: Option<String>,
    /// The account's password.
    pub password: Secret,
    /// The hub's JID.
    pub hub: String,
}

/// A token or a password: wiped when dropped, never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// A session file that cannot be used.
#[derive(Debug, Error)]
pub enum SessionError {
    /// Not JSON, or something is missing.
    #[error("is not a session: {0}")]
    Json(serde_json::Error),
    /// Something that its network needs is missing.
    #[error("lacks `{0}`; log in again in another folder")]
    Lacks(&'static str),
    /// Neither of the two networks.
    #[error("names the network {0:?}; it must be matrix or xmpp")]
    Network(String),
    /// Written by a newer program.
    #[error("has version {0}, this program knows {VERSION}; install the newer one")]
    Version(u8),
    /// The account or the device is not one.
    #[error("names no device: {0}")]
    Address(#[from] AddressError),
}

/// The file's layout. Flat, because serde copies what it has to look ahead into, and a copy of a
/// secret is not wiped.
#[derive(Serialize, Deserialize)]
struct SessionFile {
    v: u8,
    network: String,
    user: String,
    device: String,
    hub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    homeserver: Option<Url>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<Secret>,
}

impl Session {
    /// The session of `device` of the account `user` (as its network writes it).
    pub fn new(user: &str, device: &str, server: Server) -> Result<Self, AddressError> {
        let user = match &server {
            Server::Matrix(_) => UserId::matrix(user),
            Server::Xmpp(_) => UserId::xmpp(user),
        }?;
        Ok(Self { client: user.device(device)?, server })
    }

    /// The device.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// The file's text.
    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut file = SessionFile {
            v: VERSION,
            network: self.client.network().name().to_owned(),
            user: self.client.user().address(),
            device: self.client.device(),
            hub: String::new(),
            homeserver: None,
            access_token: None,
            server: None,
            password: None,
        };
        match self.server.clone() {
            Server::Matrix(matrix) => {
                file.hub = matrix.hub;
                file.homeserver = Some(matrix.homeserver);
                file.access_token = Some(matrix.access_token);
            }
            Server::Xmpp(xmpp) => {
                file.hub = xmpp.hub;
                file.server = xmpp.server;
                file.password = Some(xmpp.password);
            }
        }
        // Large enough never to be moved, for what is left behind is not wiped.
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
        // Strings and numbers always have a JSON form, and a vector takes all bytes.
        let _ = serde_json::to_writer_pretty(&mut *text, &file);
        text
    }

    /// From the file's text.
    pub(crate) fn from_json(text: &str) -> Result<Self, SessionError> {
        let file: SessionFile = serde_json::from_str(text).map_err(SessionError::Json)?;
        if file.v != VERSION {
            return Err(SessionError::Version(file.v));
        }
        let hub = file.hub;
        let server = match file.network.as_str() {
            "matrix" => Server::Matrix(MatrixSession {
                homeserver: file.homeserver.ok_or(SessionError::Lacks("homeserver"))?,
                access_token: file.access_token.ok_or(SessionError::Lacks("access_token"))?,
                hub,
            }),
            "xmpp" => Server::Xmpp(XmppSession {
                server: file.server,
                password: file.password.ok_or(SessionError::Lacks("password"))?,
                hub,
            }),
            _ => return Err(SessionError::Network(file.network)),
        };
        Ok(Self::new(&file.user, &file.device, server)?)
    }
}

impl Secret {
    /// Takes a secret in.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself; the reader must not print or log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_comes_back_from_its_file_and_never_prints_its_secret() {
        let matrix = Server::Matrix(MatrixSession {
            homeserver: Url::parse("https://example.org").unwrap(),
            access_token: Secret::new("syt_secret".to_owned()),
            hub: "@mls:example.org".to_owned(),
        });
        let xmpp = Server::Xmpp(XmppSession {
            server: Some("127.0.0.1:5222".to_owned()),
            password: Secret::new("syt_secret".to_owned()),
            hub: "mls.example.org".to_owned(),
        });
        for (user, device, server) in
            [("@a:example.org", "DEV", matrix), ("b@example.org", "00112233445566ff", xmpp)]
        {
            let session = Session::new(user, device, server).unwrap();
            let text = String::from_utf8(session.to_json().to_vec()).unwrap();
            let again = Session::from_json(&text).unwrap();
            assert_eq!(again.client(), session.client());
            assert_eq!(*again.to_json(), text.as_bytes());
            assert!(text.contains("syt_secret"));
            assert!(!format!("{session:?}").contains("syt_secret"));
        }
    }

    #[test]
    fn a_session_of_another_version_or_without_a_device_is_refused() {
        let file = r#"{"v":1,"network":"xmpp","user":"b@d","device":"00112233445566ff",
            "server":null,"password":"p","hub":"mls.d"}"#;
        assert!(Session::from_json(file).is_ok());
        for (from, to) in [
            ("\"v\":1", "\"v\":2"),
            ("b@d", "b"),
            ("00112233445566ff", "laptop"),
            ("password", "pass"),
            ("xmpp", "irc"),
        ] {
            assert!(Session::from_json(&file.replace(from, to)).is_err(), "{to}");
        }
    }
}
