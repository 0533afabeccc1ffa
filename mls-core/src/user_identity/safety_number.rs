//! Numbers that people read to each other: the safety number of two users, and an epoch's digits.
//!
//! The safety number is made as Signal's numeric fingerprint is. For each of the two, SHA-512 over a version,
//! the identity key and the address, then 5,199 times over the last hash and the key, which makes it dear to
//! look for a key with nearly the same digits; of the last hash 30 bytes, five at a time as a number modulo
//! 100,000, are 30 digits. The two halves stand in the order of their digits, so both people see one number.

use aws_lc_rs::digest::{SHA512, digest};

use super::Ed25519Key;
use crate::address::UserId;

/// Of the construction; another one gives other digits.
const VERSION: [u8; 2] = [0, 0];
/// Hashes over each key.
const ITERATIONS: usize = 5_200;
/// Digits that are read together.
const TOGETHER: usize = 5;
/// Groups of digits of one user, or of an epoch.
const GROUPS: usize = 6;
const EPOCH_LABEL: &[u8] = b"mls-bridge 0 epoch digits\0";

/// The safety number of two users with these identity keys: 12 groups of five digits, the same whoever of the two
/// computes it.
pub fn safety_number(one: (&UserId, &Ed25519Key), other: (&UserId, &Ed25519Key)) -> String {
    let mut halves = [half(one.0, one.1), half(other.0, other.1)];
    halves.sort();
    halves.join(" ")
}

/// An epoch's authenticator (RFC 9420 8.7) as six groups of five digits: members of one group who see the same
/// ones are in the same state, and nobody sits between them.
pub fn epoch_digits(authenticator: &[u8]) -> String {
    digits(digest(&SHA512, &[EPOCH_LABEL, authenticator].concat()).as_ref())
}

fn half(user: &UserId, key: &Ed25519Key) -> String {
    let begin = [VERSION.as_slice(), &key.0, user.as_str().as_bytes()].concat();
    let mut hash = digest(&SHA512, &begin);
    for _ in 1..ITERATIONS {
        hash = digest(&SHA512, &[hash.as_ref(), &key.0].concat());
    }
    digits(hash.as_ref())
}

fn digits(hash: &[u8]) -> String {
    let group = |bytes: &[u8]| {
        let number = bytes.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        format!("{:05}", number % 100_000)
    };
    let groups: Vec<_> = hash.chunks_exact(TOGETHER).take(GROUPS).map(group).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_people_see_one_number_and_any_other_key_or_address_makes_another() {
        let alice = UserId::matrix("@alice:a.org").unwrap();
        let bob = UserId::xmpp("bob@x.org").unwrap();
        let (one, two) = (Ed25519Key([1; 32]), Ed25519Key([2; 32]));
        let number = safety_number((&alice, &one), (&bob, &two));
        assert_eq!(number, safety_number((&bob, &two), (&alice, &one)));
        // Pinned: people on other versions must see the same.
        assert_eq!(
            number,
            "06496 18021 39836 68935 58984 88675 61368 34875 59526 54971 40044 58409"
        );
        let eve = UserId::xmpp("eve@x.org").unwrap();
        for other in [
            safety_number((&alice, &two), (&bob, &one)),
            safety_number((&alice, &one), (&bob, &one)),
            safety_number((&alice, &one), (&eve, &two)),
        ] {
            assert_ne!(number, other);
        }
    }

    #[test]
    fn an_epoch_has_thirty_digits_of_its_own() {
        let shown = epoch_digits(&[7; 32]);
        assert_eq!(shown, "57538 75007 68215 18745 04518 24927");
        assert_ne!(shown, epoch_digits(&[8; 32]));
    }
}
