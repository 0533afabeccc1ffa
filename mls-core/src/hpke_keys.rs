//! Whether the HPKE keys that others chose can be encrypted to at all.
//!
//! The provider looks at no X25519 key before it is used (mls-rs-crypto-awslc 0.27): one of a wrong
//! length, or of low order, fails only when somebody seals to it. In a tree, or in a proposal that
//! waits, it would fail every later commit of everybody. So each key is tried once, where it comes
//! in: in key packages, in proposals and in the path of a commit; by hub and members alike.

use mls_rs::KeyPackage;
use mls_rs::group::proposal::Proposal;
use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider as _, HpkePublicKey};
use thiserror::Error;

use crate::engine::cipher_suite;
use crate::framing::{self, UpdatePath};
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
        Proposal::Update(_) => {
            let leaf = framing::leaf_of_update(proposal).map_err(|_| UnusableKey)?;
            check(suite, &leaf.public_key)
        }
        _ => Ok(()),
    }
}

/// The keys in the path of a commit, in a group of this suite.
pub(crate) fn check_path(suite: CipherSuite, path: &UpdatePath) -> Result<(), UnusableKey> {
    check(suite, &path.leaf_node.public_key)?;
    path.nodes.iter().try_for_each(|node| check(suite, &node.public_key))
}

/// By a trial: the provider itself says whether it can.
fn check(suite: CipherSuite, key: &HpkePublicKey) -> Result<(), UnusableKey> {
    let suite = cipher_suite(suite).map_err(|_| UnusableKey)?;
    suite.hpke_seal(key, b"", None, b"").map(drop).map_err(|_| UnusableKey)
}

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
}
