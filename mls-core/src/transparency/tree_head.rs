//! Tree heads: the authority's signature under "so large is the log now, and this is in it".
//!
//! Of two heads of one log the one with the larger tree has the later time, and one size has one root.
//! Two heads that do not keep to that prove to anybody that two stories were told.

use std::cmp::Ordering;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::SignaturePublicKey;

use super::LogError;
use crate::authority::suite_of;
use crate::engine::{self, EngineError};
use crate::wire::Digest;

const LABEL: &[u8] = b"mls-bridge 0 tree head\0";

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct TreeHead {
    /// Entries in the log.
    pub size: u64,
    /// The Merkle tree hash over all their leaves (RFC 6962 2.1).
    pub root: Digest,
    /// When it was signed, by the hub's clock in milliseconds since 1970.
    pub time_ms: u64,
}

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SignedTreeHead {
    /// What is signed.
    pub head: TreeHead,
    /// By the key of the authority, Ed25519 or ECDSA on P-256 in DER, over a label, a zero byte and `head`.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature: Vec<u8>,
}

/// Two heads of one log that do not go together, as far as somebody could see.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct TwoHeads {
    /// The one that was known.
    pub first: SignedTreeHead,
    /// The one that came.
    pub second: SignedTreeHead,
}

impl TreeHead {
    pub(crate) fn signed_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let head = self.mls_encode_to_vec().map_err(engine::crypto_error)?;
        Ok([LABEL, &head].concat())
    }
}

impl SignedTreeHead {
    /// Whether the authority signed it, by its key, and a tree can have it.
    pub fn verify(&self, authority: &SignaturePublicKey) -> Result<(), LogError> {
        engine::verify(suite_of(authority), authority, &self.signature, &self.head.signed_bytes()?)
            .map_err(|_| LogError::Signature)?;
        if self.head.is_possible() { Ok(()) } else { Err(LogError::NoTree) }
    }
}

impl TwoHeads {
    /// Whether no log that only grows could have signed both: needs no proof but the two.
    pub fn contradict(&self) -> bool {
        let (first, second) = (&self.first.head, &self.second.head);
        match first.size.cmp(&second.size) {
            Ordering::Equal => first.root != second.root,
            Ordering::Less => first.time_ms >= second.time_ms,
            Ordering::Greater => second.time_ms >= first.time_ms,
        }
    }

    /// Whether they convince whoever knows the authority's key; else [`LogError::NoContradiction`].
    pub fn verify(&self, authority: &SignaturePublicKey) -> Result<(), LogError> {
        self.first.verify(authority)?;
        self.second.verify(authority)?;
        if self.contradict() { Ok(()) } else { Err(LogError::NoContradiction) }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(TreeHead, SignedTreeHead, TwoHeads);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Authority;
    use crate::crypto::Crypto;

    fn head(size: u64, root: u8, time_ms: u64) -> TreeHead {
        TreeHead { size, root: Digest([root; 32]), time_ms }
    }

    #[test]
    fn a_signed_head_survives_its_encoding_and_no_changed_bit() {
        let (authority, _) = Authority::make(&Crypto::system(), "test").unwrap();
        let signed = authority.sign_tree_head(head(5, 1, 7)).unwrap();
        let bytes = signed.mls_encode_to_vec().unwrap();
        let read = SignedTreeHead::mls_decode(&mut bytes.as_slice()).unwrap();
        read.verify(&authority.public()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let read = SignedTreeHead::mls_decode(&mut forged.as_slice());
            let taken = read.is_ok_and(|read| read.verify(&authority.public()).is_ok());
            assert!(!taken, "bit {bit} flipped and nobody noticed");
        }
        let (other, _) = Authority::make(&Crypto::system(), "test").unwrap();
        assert!(matches!(signed.verify(&other.public()), Err(LogError::Signature)));
    }

    #[test]
    fn heads_that_no_growing_log_could_have_contradict_each_other() {
        let (authority, _) = Authority::make(&Crypto::system(), "test").unwrap();
        let two = |first, second| TwoHeads {
            first: authority.sign_tree_head(first).unwrap(),
            second: authority.sign_tree_head(second).unwrap(),
        };
        for (first, second, contradict) in [
            (head(5, 1, 7), head(5, 1, 9), false),
            (head(5, 1, 7), head(5, 2, 9), true),
            (head(5, 1, 7), head(6, 2, 8), false),
            (head(5, 1, 7), head(6, 2, 7), true),
            (head(6, 2, 7), head(5, 1, 6), false),
            (head(6, 2, 7), head(5, 1, 8), true),
        ] {
            let two = two(first, second);
            assert_eq!(two.contradict(), contradict, "{two:?}");
            assert_eq!(two.verify(&authority.public()).is_ok(), contradict, "{two:?}");
        }
    }

    #[test]
    fn an_empty_tree_has_one_root_and_a_tree_has_a_bound() {
        let (authority, _) = Authority::make(&Crypto::system(), "test").unwrap();
        let too_large = crate::limits::LOG_ENTRIES_MAX + 1;
        for head in [head(0, 1, 7), head(too_large, 1, 7), head(u64::MAX, 1, 7)] {
            let signed = authority.sign_tree_head(head).unwrap();
            assert!(matches!(signed.verify(&authority.public()), Err(LogError::NoTree)));
        }
    }
}
