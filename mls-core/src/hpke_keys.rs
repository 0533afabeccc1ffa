//! Whether the HPKE keys that others chose can be encrypted to at all.
//!
//! The provider looks at no X25519 key before it is used (mls-rs-crypto-awslc 0.27): one of a wrong
//! length, or of low order, fails only when somebody seals to it. In a tree, or in a proposal that
//! waits, it would fail every later commit of everybody. So each key is tried once, where it comes
//! in: in key packages, in proposals and in the path of a commit; by hub and members alike.

use mls_rs::KeyPackage;
use mls_rs::group::LeafNode;
use mls_rs::group::proposal::Proposal;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider as _, HpkePublicKey};
use thiserror::Error;

use crate::engine::cipher_suite;
use crate::key_package::leaf_node;

/// A key that nobody can encrypt to, or a place for keys that holds none; its maker's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key in it cannot be encrypted to")]
pub struct UnusableKey;

/// The init key and the leaf's key of a key package (RFC 9420 10).
pub(crate) fn check_package(package: &KeyPackage) -> Result<(), UnusableKey> {
    let suite = package.cipher_suite();
    check(suite, &package.hpke_init_key)?;
    check(suite, &leaf_node(package).ok_or(UnusableKey)?.public_key)
}

/// The keys that a proposal brings (RFC 9420 12.1), in a group of this suite.
pub(crate) fn check_proposal(suite: CipherSuite, proposal: &Proposal) -> Result<(), UnusableKey> {
    match proposal {
        Proposal::Add(add) => check_package(add.key_package()),
        // The engine keeps the leaf to itself: it stands behind the proposal's type.
        Proposal::Update(_) => {
            let bytes = proposal.mls_encode_to_vec().map_err(|_| UnusableKey)?;
            let mut rest = bytes.as_slice();
            u16::mls_decode(&mut rest).map_err(|_| UnusableKey)?;
            check(suite, &LeafNode::mls_decode(&mut rest).map_err(|_| UnusableKey)?.public_key)
        }
        _ => Ok(()),
    }
}

/// The keys in the path of a commit, if it has one, in a group of this suite. `commit` is a whole MLSMessage that the engine
/// could decode as a PublicMessage with a commit.
pub(crate) fn check_path(suite: CipherSuite, commit: &[u8]) -> Result<(), UnusableKey> {
    let Some(path) = path(commit).map_err(|_| UnusableKey)? else { return Ok(()) };
    check(suite, &path.leaf_node.public_key)?;
    path.nodes.iter().try_for_each(|node| check(suite, &node.public_key))
}

/// By a trial: the provider itself says whether it can.
fn check(suite: CipherSuite, key: &HpkePublicKey) -> Result<(), UnusableKey> {
    let suite = cipher_suite(suite).map_err(|_| UnusableKey)?;
    suite.hpke_seal(key, b"", None, b"").map(drop).map_err(|_| UnusableKey)
}

/// RFC 9420 7.6; the engine's own type is not public.
#[derive(MlsSize, MlsEncode, MlsDecode)]
struct UpdatePath {
    leaf_node: LeafNode,
    nodes: Vec<UpdatePathNode>,
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
struct UpdatePathNode {
    public_key: HpkePublicKey,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    encrypted_path_secrets: Vec<u8>,
}

/// The path of a commit (RFC 9420 6, 6.2 and 12.4): what stands before it is passed over.
fn path(commit: &[u8]) -> Result<Option<UpdatePath>, mls_rs_codec::Error> {
    let mut rest = commit;
    u16::mls_decode(&mut rest)?; // version
    u16::mls_decode(&mut rest)?; // wire format
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // group id
    u64::mls_decode(&mut rest)?; // epoch
    if matches!(u8::mls_decode(&mut rest)?, MEMBER | EXTERNAL) {
        u32::mls_decode(&mut rest)?; // which one
    }
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // authenticated data
    u8::mls_decode(&mut rest)?; // content type
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // proposals
    Option::<UpdatePath>::mls_decode(&mut rest)
}

/// Types of senders that are followed by an index (RFC 9420 6).
const MEMBER: u8 = 1;
const EXTERNAL: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_low_order_or_of_a_wrong_length_is_unusable() {
        let key = |bytes: &[u8]| HpkePublicKey::from(bytes.to_vec());
        let mut one = [0; 32];
        one[0] = 1;
        for bad in [&[0; 32][..], &one, &[9; 31], &[9; 33], &[]] {
            for suite in [CipherSuite::CURVE25519_AES128, CipherSuite::CURVE25519_CHACHA] {
                assert_eq!(check(suite, &key(bad)), Err(UnusableKey), "{bad:?}");
            }
        }
        let mut nine = [0; 32];
        nine[0] = 9;
        assert_eq!(check(CipherSuite::CURVE25519_AES128, &key(&nine)), Ok(()));
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_is_unusable() {
        let suite = CipherSuite::P256_AES128;
        let (_, good) =
            crate::crypto::Crypto::system().suite(suite).unwrap().kem_generate().unwrap();
        assert_eq!(check(suite, &good), Ok(()));
        let mut off = good.to_vec();
        *off.last_mut().unwrap() ^= 1;
        for bad in [off, vec![4; 65], vec![0], vec![9; 32]] {
            assert_eq!(check(suite, &HpkePublicKey::from(bad)), Err(UnusableKey));
        }
    }

    #[test]
    fn what_is_no_commit_has_no_usable_path() {
        for bytes in [&[][..], &[0, 1, 0, 1], &[0xFF; 64]] {
            assert_eq!(check_path(CipherSuite::CURVE25519_AES128, bytes), Err(UnusableKey));
        }
    }
}
