//! Who and where: users, clients (one device of one account) and rooms of either network.
//!
//! The text form is `matrix:u/` enc(localpart) `:` enc(server) or `xmpp:` enc(local) `@`
//! enc(domain), followed by `/` device for a client; enc keeps `A-Z a-z 0-9 - . _ ~` and writes
//! every other byte of the UTF-8 as `%HH`. Two are equal when their bytes are.

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use thiserror::Error;

use crate::limits::NAME_BYTES_MAX;

/// One of the two networks.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode,
)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Network {
    /// Matrix, through a homeserver.
    Matrix = 1u8,
    /// XMPP, through a server with multi-user chat.
    Xmpp = 2u8,
}

impl Network {
    /// The name that people and programs read: `matrix` or `xmpp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Xmpp => "xmpp",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An account of either network, in its text form (`matrix:u/alice:example.org`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode)]
pub struct UserId(String);

/// One device of one account, in its text form; the identity in every credential.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode)]
pub struct ClientId(String);

/// A Matrix room id (`!…`) or the bare JID of a multi-user chat.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RoomAddress {
    /// The network that the room is on.
    pub network: Network,
    /// The room id or the bare JID, as its network writes it.
    pub address: String,
}

/// Text that is not the address it should be; the sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not {expected}")]
pub struct AddressError {
    /// The text as it came (cut to 100 characters).
    pub text: String,
    /// What it should have been, with an example.
    pub expected: &'static str,
}

const MATRIX: &str = "matrix:u/";
const XMPP: &str = "xmpp:";

impl UserId {
    /// From a Matrix user id such as `@alice:example.org`.
    pub fn matrix(user_id: &str) -> Result<Self, AddressError> {
        let expected = "a Matrix user id such as @alice:example.org";
        let split = user_id.strip_prefix('@').and_then(|rest| rest.split_once(':'));
        match split {
            Some((local, server)) if !local.is_empty() && !server.is_empty() => {
                bounded(format!("{MATRIX}{}:{}", escape(local), escape(server)), expected).map(Self)
            }
            _ => Err(AddressError::new(user_id, expected)),
        }
    }

    /// From a bare JID such as `alice@example.org`, normalised as the `jid` crate prints it.
    pub fn xmpp(bare_jid: &str) -> Result<Self, AddressError> {
        let expected = "a bare JID such as alice@example.org";
        match bare_jid.rsplit_once('@') {
            Some((local, domain))
                if !local.is_empty() && !domain.is_empty() && !domain.contains('/') =>
            {
                bounded(format!("{XMPP}{}@{}", escape(local), escape(domain)), expected).map(Self)
            }
            _ => Err(AddressError::new(bare_jid, expected)),
        }
    }

    /// From what a person types: a Matrix user id, a JID with or without `xmpp:`, or the text form.
    pub fn from_human(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('@') {
            Self::matrix(text)
        } else if text.starts_with(MATRIX) {
            Self::parse(text)
        } else if let Some(bare_jid) = text.strip_prefix(XMPP) {
            Self::parse(text).or_else(|_| Self::xmpp(bare_jid))
        } else {
            Self::xmpp(text)
        }
    }

    /// From the text form; refuses every text that this type would not print itself.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let expected = "a user such as matrix:u/alice:example.org or xmpp:alice@example.org";
        let error = || AddressError::new(text, expected);
        let user = if let Some(rest) = text.strip_prefix(MATRIX) {
            let (local, server) = rest.split_once(':').ok_or_else(error)?;
            Self::matrix(&format!("@{}:{}", unescape(local)?, unescape(server)?))
        } else if let Some(rest) = text.strip_prefix(XMPP) {
            let (local, domain) = rest.split_once('@').ok_or_else(error)?;
            Self::xmpp(&format!("{}@{}", unescape(local)?, unescape(domain)?))
        } else {
            Err(error())
        }?;
        if user.0 == text { Ok(user) } else { Err(error()) }
    }

    /// The network of the account.
    pub fn network(&self) -> Network {
        network(&self.0)
    }

    /// The address as its own network writes it: `@alice:example.org` or `alice@example.org`.
    pub fn address(&self) -> String {
        if let Some((local, server)) = self.0.strip_prefix(MATRIX).and_then(|r| r.split_once(':')) {
            format!("@{}:{}", plain(local), plain(server))
        } else {
            let rest = self.0.strip_prefix(XMPP).unwrap_or(&self.0);
            let (local, domain) = rest.split_once('@').unwrap_or((rest, ""));
            format!("{}@{}", plain(local), plain(domain))
        }
    }

    /// The server or domain of the account.
    pub fn domain(&self) -> String {
        let address = self.address();
        let split = match self.network() {
            Network::Matrix => address.split_once(':'),
            Network::Xmpp => address.rsplit_once('@'),
        };
        split.map(|(_, domain)| domain.to_owned()).unwrap_or_default()
    }

    /// The client of this user with the given device id.
    pub fn device(&self, device: &str) -> Result<ClientId, AddressError> {
        let valid = match self.network() {
            Network::Matrix => !device.is_empty(),
            Network::Xmpp => {
                device.len() == 16
                    && device.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
        };
        let expected = "a device id (on XMPP 16 lower-case hex digits)";
        if !valid {
            return Err(AddressError::new(device, expected));
        }
        bounded(format!("{}/{}", self.0, escape(device)), expected).map(ClientId)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClientId {
    /// From the text form; refuses every text that this type would not print itself.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let expected = "a client such as matrix:u/alice:example.org/DEVICE";
        let error = || AddressError::new(text, expected);
        let (user, device) = text.rsplit_once('/').ok_or_else(error)?;
        let client = UserId::parse(user)?.device(&unescape(device)?)?;
        if client.0 == text { Ok(client) } else { Err(error()) }
    }

    /// The account that the device belongs to.
    pub fn user(&self) -> UserId {
        UserId(self.0.rsplit_once('/').map_or(&*self.0, |(user, _)| user).to_owned())
    }

    /// The device id, as its network writes it.
    pub fn device(&self) -> String {
        plain(self.0.rsplit_once('/').map_or("", |(_, device)| device))
    }

    /// The network of the account.
    pub fn network(&self) -> Network {
        network(&self.0)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoomAddress {
    /// A Matrix room, by its room id.
    pub fn matrix(room_id: impl Into<String>) -> Self {
        Self { network: Network::Matrix, address: room_id.into() }
    }

    /// A multi-user chat, by its bare JID.
    pub fn xmpp(muc: impl Into<String>) -> Self {
        Self { network: Network::Xmpp, address: muc.into() }
    }
}

impl AddressError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(100).collect(), expected }
    }
}

macro_rules! shows_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
shows_text!(UserId, ClientId);

impl fmt::Display for RoomAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Debug for RoomAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.network, self.address)
    }
}

fn network(text: &str) -> Network {
    if text.starts_with(MATRIX) { Network::Matrix } else { Network::Xmpp }
}

fn bounded(text: String, expected: &'static str) -> Result<String, AddressError> {
    if text.len() <= NAME_BYTES_MAX { Ok(text) } else { Err(AddressError::new(&text, expected)) }
}

fn escape(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn unescape(part: &str) -> Result<String, AddressError> {
    let error = || AddressError::new(part, "percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit().ok_or_else(error)?, digit().ok_or_else(error)?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| error())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| error())
}

/// A part of a text that was checked when it was made.
fn plain(part: &str) -> String {
    unescape(part).unwrap_or_else(|_| part.to_owned())
}

#[cfg(test)]
crate::codec_properties::hold!(Network, UserId, ClientId, RoomAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_has_one_text_form() {
        let vectors = [
            ("@alice:example.org", "DEV", "matrix:u/alice:example.org/DEV"),
            ("@alice:example.org:8448", "DEV", "matrix:u/alice:example.org%3A8448/DEV"),
            ("@alice:[::1]:8448", "DEV", "matrix:u/alice:%5B%3A%3A1%5D%3A8448/DEV"),
            ("@Alice:example.org", "DEV", "matrix:u/Alice:example.org/DEV"),
            ("@a/b:example.org", "D/E", "matrix:u/a%2Fb:example.org/D%2FE"),
            ("@a+b=c:example.org", "DEV", "matrix:u/a%2Bb%3Dc:example.org/DEV"),
            ("juliet@example.org", "00112233445566ff", "xmpp:juliet@example.org/00112233445566ff"),
            ("jül@example.org", "00112233445566ff", "xmpp:j%C3%BCl@example.org/00112233445566ff"),
            ("a\\40b@example.org", "0000000000000000", "xmpp:a%5C40b@example.org/0000000000000000"),
            ("x@[::1]", "0000000000000000", "xmpp:x@%5B%3A%3A1%5D/0000000000000000"),
        ];
        for (address, device, text) in vectors {
            let client = UserId::from_human(address).unwrap().device(device).unwrap();
            assert_eq!(client.as_str(), text);
            assert_eq!(ClientId::parse(text), Ok(client.clone()));
            let user = client.user();
            assert_eq!(UserId::from_human(user.as_str()), Ok(user.clone()));
            assert_eq!(user.address(), address);
            assert_eq!(client.device(), device);
        }
    }

    #[test]
    fn a_second_spelling_of_a_client_id_is_refused() {
        for text in [
            "",
            "matrix:u/alice:example.org",
            "matrix:u/%61lice:example.org/DEV",
            "matrix:u/a%2fb:example.org/DEV",
            "matrix:u/:example.org/DEV",
            "xmpp:juliet@example.org/00112233445566FF",
            "xmpp:juliet@example.org/laptop",
            "mailto:juliet@example.org/0011223344556677",
        ] {
            assert!(ClientId::parse(text).is_err(), "{text} was accepted");
        }
    }
}
