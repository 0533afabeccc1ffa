//! What the account of the other network is called here; checked forwards, never parsed back.

use mls_core::address::UserId;
use mls_core::engine::sha256;

/// A longer local part is hashed.
const LOCAL_PART_BYTES_MAX: usize = 200;
/// The resource of every ghost and of the hub's occupant.
pub(crate) const RESOURCE: &str = "hub";
/// The local part of the hub's occupant.
pub(crate) const HUB: &str = "hub";

/// The bare JID of a user's ghost at the component `domain`.
///
/// The local part is the user's address escaped by XEP-0106 (a Matrix id without its `@`); where
/// JIDs could not keep it apart from another one (over 200 bytes, a capital, a letter that is not
/// ASCII, or the hub's own name), `h` and 32 hex digits of the SHA-256 of the user's text form.
pub fn jid(user: &UserId, domain: &str) -> String {
    format!("{}@{domain}", local_part(user))
}

/// The name that people see in the room.
pub fn nick(user: &UserId) -> String {
    user.address()
}

fn local_part(user: &UserId) -> String {
    let address = user.address();
    let escaped = escape(address.strip_prefix('@').unwrap_or(&address));
    // A name of the hashed form must not be had by choosing a local part.
    let keeps = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let readable = escaped.len() <= LOCAL_PART_BYTES_MAX && escaped.bytes().all(keeps);
    if readable && escaped != HUB && !looks_hashed(&escaped) {
        escaped
    } else {
        let digest = sha256(user.as_str().as_bytes()).to_string();
        format!("h{}", digest.get(..32).unwrap_or(&digest))
    }
}

fn looks_hashed(local: &str) -> bool {
    let hex = local.strip_prefix('h').unwrap_or_default();
    hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Escapes by XEP-0106: what a local part may not hold becomes `\` and two hex digits.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        match c {
            ' ' | '"' | '&' | '\'' | '/' | ':' | '<' | '>' | '@' => {
                escaped.push_str(&format!("\\{:02x}", u32::from(c)));
            }
            '\\' if starts_escape(rest) => escaped.push_str("\\5c"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Whether a backslash before this text would read as an escape.
fn starts_escape(rest: &str) -> bool {
    let codes = ["20", "22", "26", "27", "2f", "3a", "3c", "3e", "40", "5c"];
    codes.iter().any(|code| rest.starts_with(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: &str) {
        let user = UserId::from_human(address).unwrap();
        assert_eq!(jid(&user, "mls.test"), format!("{expected}@mls.test"), "{address}");
    }

    #[test]
    fn a_readable_ghost_is_the_escaped_address() {
        check("@alice:hs.test", "alice\\3ahs.test");
        check("@a/b:hs.test:8448", "a\\2fb\\3ahs.test\\3a8448");
        check("@a\\2fb:hs.test", "a\\5c2fb\\3ahs.test");
        check("@a\\b:hs.test", "a\\b\\3ahs.test");
    }

    #[test]
    fn an_address_that_jids_would_fold_is_hashed() {
        let long = format!("@{}:hs.test", "a".repeat(200));
        for address in ["@Alice:hs.test", "@jül:hs.test", &*long] {
            let user = UserId::from_human(address).unwrap();
            let ghost = jid(&user, "mls.test");
            assert!(looks_hashed(ghost.strip_suffix("@mls.test").unwrap()), "{ghost}");
        }
        let (capital, small) = ("@Alice:hs.test", "@alice:hs.test");
        let ghosts = [capital, small].map(|a| jid(&UserId::from_human(a).unwrap(), "mls.test"));
        assert_ne!(ghosts[0], ghosts[1]);
    }

    #[test]
    fn every_ghost_is_a_jid_that_stays_as_it_is() {
        for address in ["@alice:hs.test", "@a\\20b:hs.test", "@x=y+z!$:hs.test", "@Q:hs.test"] {
            let ghost = jid(&UserId::from_human(address).unwrap(), "mls.test");
            assert_eq!(jid::BareJid::new(&ghost).unwrap().to_string(), ghost);
        }
    }
}
