//! Comparing identity keys with another person: what each has to show, and what the other's answer proves.

use std::collections::BTreeSet;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use thiserror::Error;

use super::{Ed25519Key, safety_number};
use crate::address::{ClientId, UserId};

/// Digits of a safety number.
const DIGITS: usize = 60;

/// Two users and their identity keys, as one of them sees them: what the other scans.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ScannedKeys {
    /// Who shows it.
    pub own: UserId,
    /// Their identity key.
    pub own_key: Ed25519Key,
    /// For whom.
    pub user: UserId,
    /// The identity key that they see of them.
    pub user_key: Ed25519Key,
}

/// What this device sees of another user's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// This device's user.
    pub own: UserId,
    /// The identity key that signed this device.
    pub own_key: Ed25519Key,
    /// The other user.
    pub user: UserId,
    /// The identity keys behind their devices in shared groups; more than one where somebody changed theirs, or
    /// somebody else claims to be them.
    pub keys: Vec<SeenKey>,
    /// Devices of theirs without a sound statement.
    pub unsigned: BTreeSet<ClientId>,
}

/// An identity key, and the devices that it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenKey {
    /// The key.
    pub key: Ed25519Key,
    /// Whether a person verified it on this device.
    pub verified: bool,
    /// Devices in shared groups that it has signed.
    pub clients: BTreeSet<ClientId>,
}

/// Why there is nothing to compare.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerificationError {
    /// A user of one's own.
    #[error("{0} is you: your own devices are signed by your identity (`identity`)")]
    Own(UserId),
    /// This device has no statement.
    #[error(
        "you have no identity key yet: make one with `identity create`, or, where another device of yours has it, \
         `identity request` here and `identity sign` there"
    )]
    NoOwnKey,
    /// The other has none, or shares no group.
    #[error(
        "no device of {0} in a group with you is signed by an identity key: ask them for `identity create`, and \
         share a group with them"
    )]
    NoKey(UserId),
}

/// What another person showed is not what this device sees.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// Something else than a safety number.
    #[error("a safety number has {DIGITS} digits, these are {0}")]
    NotANumber(usize),
    /// Another number.
    #[error(
        "these are not the digits for {0}: a digit was misread, one of you made a new identity key meanwhile, or \
         somebody sits between you. Read all of it again, by voice or face to face; if it differs still, say \
         nothing secret in the groups that you share, and ask them what `verify` and `members` show them"
    )]
    Digits(UserId),
    /// A code that somebody else made, or for somebody else.
    #[error(
        "that code was made by {own} for {user}, not by {wanted} for you: have the right one shown"
    )]
    People {
        /// Who made it.
        own: UserId,
        /// For whom.
        user: UserId,
        /// Whom we verify.
        wanted: UserId,
    },
    /// The right people with other keys.
    #[error(
        "{0} has other identity keys in their code than this device sees: one of you made a new one meanwhile, or \
         somebody sits between you. Have it shown anew; if it differs still, say nothing secret in the groups that \
         you share"
    )]
    Keys(UserId),
}

impl Verification {
    /// The number to compare for one of the keys.
    pub fn number(&self, seen: &SeenKey) -> String {
        safety_number((&self.own, &self.own_key), (&self.user, &seen.key))
    }

    /// What the other scans, for one of the keys.
    pub fn code(&self, seen: &SeenKey) -> ScannedKeys {
        let (own, user) = (self.own.clone(), self.user.clone());
        ScannedKeys { own, own_key: self.own_key, user, user_key: seen.key }
    }

    /// The key that the other's digits confirm; how they are grouped does not matter.
    pub fn by_digits(&self, typed: &str) -> Result<Ed25519Key, Mismatch> {
        let only = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let typed = only(typed);
        if typed.len() != DIGITS {
            return Err(Mismatch::NotANumber(typed.len()));
        }
        let found = self.keys.iter().find(|seen| only(&self.number(seen)) == typed);
        found.map(|seen| seen.key).ok_or_else(|| Mismatch::Digits(self.user.clone()))
    }

    /// The key that the other's code confirms.
    pub fn by_code(&self, code: &ScannedKeys) -> Result<Ed25519Key, Mismatch> {
        if code.own != self.user || code.user != self.own {
            let (own, user) = (code.own.clone(), code.user.clone());
            return Err(Mismatch::People { own, user, wanted: self.user.clone() });
        }
        let found = self.keys.iter().find(|seen| seen.key == code.own_key);
        match found.filter(|_| code.user_key == self.own_key) {
            Some(seen) => Ok(seen.key),
            None => Err(Mismatch::Keys(self.user.clone())),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(ScannedKeys);

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ed25519Key = Ed25519Key([1; 32]);
    const TWO: Ed25519Key = Ed25519Key([2; 32]);
    const EVE: Ed25519Key = Ed25519Key([3; 32]);

    fn seen(key: Ed25519Key) -> SeenKey {
        SeenKey { key, verified: false, clients: BTreeSet::new() }
    }

    /// What Alice sees of Bob, and Bob of Alice.
    fn both(bob_key: Ed25519Key) -> (Verification, Verification) {
        let alice = UserId::matrix("@alice:a.org").unwrap();
        let bob = UserId::xmpp("bob@x.org").unwrap();
        let unsigned = BTreeSet::new();
        let of = |own: &UserId, own_key, user: &UserId, keys| Verification {
            own: own.clone(),
            own_key,
            user: user.clone(),
            keys,
            unsigned: unsigned.clone(),
        };
        (of(&alice, ONE, &bob, vec![seen(bob_key)]), of(&bob, TWO, &alice, vec![seen(ONE)]))
    }

    #[test]
    fn the_others_digits_and_code_confirm_the_key_that_is_seen() {
        let (alice, bob) = both(TWO);
        let read = bob.number(&bob.keys[0]);
        assert_eq!(alice.by_digits(&read), Ok(TWO));
        assert_eq!(alice.by_digits(&read.replace(' ', "-")), Ok(TWO));
        assert_eq!(alice.by_code(&bob.code(&bob.keys[0])), Ok(TWO));
        assert_eq!(bob.by_code(&alice.code(&alice.keys[0])), Ok(ONE));
    }

    #[test]
    fn who_sits_between_two_people_is_found_by_digits_and_by_code() {
        let (alice, bob) = both(EVE);
        let read = bob.number(&bob.keys[0]);
        assert_eq!(alice.by_digits(&read), Err(Mismatch::Digits(bob.own.clone())));
        let code = bob.code(&bob.keys[0]);
        assert_eq!(alice.by_code(&code), Err(Mismatch::Keys(bob.own.clone())));
        // The other sees it as well.
        let code = alice.code(&alice.keys[0]);
        assert_eq!(bob.by_code(&code), Err(Mismatch::Keys(alice.own.clone())));
        // One's own code, shown back.
        let own = alice.by_code(&alice.code(&alice.keys[0]));
        assert!(matches!(own, Err(Mismatch::People { .. })), "{own:?}");
        assert_eq!(alice.by_digits("12345"), Err(Mismatch::NotANumber(5)));
    }
}
