//! Devices and accounts as people type them.

use jid::BareJid;
use mls_core::address::{AddressError, ClientId, Network, UserId};
use mls_core::hub::Whom;

const EXPECTED: &str = "name an account (@alice:example.org, bob@example.net) or a device of one, with its \
                        id after a slash (@alice:example.org/QWERTYUIOP, bob@example.net/00112233445566ff)";

/// The device or account that a person means: in the text form that `mls-bot members` shows, or as its
/// network writes the account, with `/` and the device id after it.
pub(super) fn from_human(text: &str) -> Result<Whom, String> {
    let text = text.trim();
    if let Ok(client) = ClientId::parse(text) {
        return Ok(Whom::Client(client));
    }
    let (account, device) = match device_of(text) {
        Some((account, device)) => (account, Some(device)),
        None => (text, None),
    };
    let said = |error: AddressError| format!("{error}; {EXPECTED}");
    let user = account_from(account).map_err(said)?;
    match device {
        Some(device) => user.device(device).map(Whom::Client).map_err(said),
        None => Ok(Whom::User(user)),
    }
}

/// No server's name has a slash, but Matrix names of accounts may.
fn device_of(text: &str) -> Option<(&str, &str)> {
    let server = if text.starts_with('@') { text.find(':')? } else { text.rfind('@')? };
    let slash = text.get(server..)?.find('/')?.checked_add(server)?;
    Some((text.get(..slash)?, text.get(slash.checked_add(1)?..)?))
}

/// A JID is normalised as servers do it.
fn account_from(text: &str) -> Result<UserId, AddressError> {
    let user = UserId::from_human(text)?;
    match (user.network(), BareJid::new(&user.address())) {
        (Network::Xmpp, Ok(jid)) => UserId::xmpp(jid.as_str()),
        _ => Ok(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_account_or_a_device_is_understood() {
        for (typed, read) in [
            ("@alice:example.org", "matrix:u/alice:example.org"),
            ("@a/b:example.org", "matrix:u/a%2Fb:example.org"),
            ("@alice:example.org/QWERTY", "matrix:u/alice:example.org/QWERTY"),
            ("matrix:u/alice:example.org", "matrix:u/alice:example.org"),
            ("matrix:u/alice:example.org/QWERTY", "matrix:u/alice:example.org/QWERTY"),
            (" Bob@Example.NET ", "xmpp:bob@example.net"),
            ("xmpp:bob@example.net", "xmpp:bob@example.net"),
            ("bob@example.net/00112233445566ff", "xmpp:bob@example.net/00112233445566ff"),
        ] {
            let whom = match from_human(typed).unwrap() {
                Whom::Client(client) => client.to_string(),
                Whom::User(user) => user.to_string(),
            };
            assert_eq!(whom, read, "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be_one() {
        for typed in ["", "bob", "@alice", "bob@example.net/phone", "@alice:example.org/"] {
            let why = from_human(typed).unwrap_err();
            assert!(why.contains("@alice:example.org/QWERTYUIOP"), "{typed:?}: {why}");
        }
    }
}
