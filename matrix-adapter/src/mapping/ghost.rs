//! Names of ghosts: the Matrix accounts under which people of XMPP appear.
//!
//! Always made forwards, from an account to the ghost that is expected for it; never parsed back.

use mls_core::address::{Network, UserId};
use mls_core::engine::sha256;

use super::namespace::GHOST_PREFIX;

/// An escaped bare JID longer than this, in bytes, is replaced by a hash.
const NAME_MAX: usize = 200;

/// The localpart of the ghost of an account: `mls_`, then the bare JID with all but `a-z 0-9 . -`
/// written as `=hh`, or `h` and 32 hex digits of its SHA-256 where that is too long.
///
/// `None` for an account of Matrix, which needs no ghost there.
pub fn localpart(user: &UserId) -> Option<String> {
    if user.network() != Network::Xmpp {
        return None;
    }
    let jid = user.address();
    let mut name = String::with_capacity(jid.len() + 8);
    for byte in jid.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("={byte:02x}"));
        }
    }
    if name.len() > NAME_MAX {
        // No escaped JID looks like this: each has the `=40` of its `@`.
        let digest = sha256(jid.as_bytes()).to_string();
        name = format!("h{}", digest.chars().take(32).collect::<String>());
    }
    Some(format!("{GHOST_PREFIX}{name}"))
}

/// The Matrix user id of the ghost of an account, on the hub's server.
pub fn user_id(user: &UserId, server_name: &str) -> Option<String> {
    localpart(user).map(|localpart| format!("@{localpart}:{server_name}"))
}

/// Whether a Matrix user id lies in the namespace of the ghosts of the hub on `server_name`.
pub fn is_ghost(user_id: &str, server_name: &str) -> bool {
    let name = user_id.strip_prefix('@').and_then(|rest| rest.split_once(':'));
    name.is_some_and(|(local, server)| local.starts_with(GHOST_PREFIX) && server == server_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghost_is_named_after_its_bare_jid() {
        let long = format!("{}@example.org", "ü".repeat(100));
        let long_name = format!("mls_h{}", &sha256(long.as_bytes()).to_string()[..32]);
        for (jid, expected) in [
            ("juliet@example.org", "mls_juliet=40example.org"),
            ("jul_iet-2@example.org", "mls_jul=5fiet-2=40example.org"),
            ("a\\40b@example.org", "mls_a=5c40b=40example.org"),
            ("jül@example.org", "mls_j=c3=bcl=40example.org"),
            (long.as_str(), long_name.as_str()),
        ] {
            assert_eq!(localpart(&UserId::xmpp(jid).unwrap()).as_deref(), Some(expected));
        }
        assert_eq!(localpart(&UserId::matrix("@a:b").unwrap()), None);
    }

    #[test]
    fn only_names_of_the_own_namespace_are_ghosts() {
        for (user, ghost) in [
            ("@mls_juliet=40example.org:hs", true),
            ("@mls_x:other", false),
            ("@mls:hs", false),
            ("@alice:hs", false),
            ("mls_x:hs", false),
        ] {
            assert_eq!(is_ghost(user, "hs"), ghost, "{user}");
        }
    }
}
