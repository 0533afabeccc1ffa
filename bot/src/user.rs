//! Users as people type them, brought into the one form that addresses are compared in.

use jid::BareJid;
use mls_core::address::{AddressError, Network, UserId};

/// The user that a person means: `@name:server`, `name@domain` (with or without `xmpp:`), or the
/// text form. A JID is normalised as servers do it; Matrix never folds anything.
pub(crate) fn from_human(text: &str) -> Result<UserId, AddressError> {
    let user = UserId::from_human(text.trim())?;
    if user.network() == Network::Matrix {
        return Ok(user);
    }
    match BareJid::new(&user.address()) {
        Ok(jid) => UserId::xmpp(jid.as_str()),
        Err(_) => Err(AddressError {
            text: text.chars().take(100).collect(),
            expected: "a bare JID such as alice@example.org",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_user_is_one_user() {
        for (typed, user) in [
            ("Bob@Example.ORG", Some("xmpp:bob@example.org")),
            (" bob@example.org ", Some("xmpp:bob@example.org")),
            ("xmpp:bob@example.org", Some("xmpp:bob@example.org")),
            ("@Carol:example.org", Some("matrix:u/Carol:example.org")),
            ("matrix:u/carol:example.org", Some("matrix:u/carol:example.org")),
            ("bob", None),
            ("b ob@example.org", None),
            ("bob@example.org/phone", None),
        ] {
            let read = from_human(typed).ok();
            assert_eq!(read.as_ref().map(UserId::as_str), user, "{typed:?}");
        }
    }
}
