//! `FetchGroupInfo`: what a client needs to come back by an external commit (RFC 9420 12.4.3.2).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, blob::Part};

/// Only for accounts that have a leaf in the group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchGroupInfo {
    /// The group.
    pub group: GroupId,
    /// An HPKE public key (suite 0x0001) made for this one request.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub seal_key: Vec<u8>,
}

/// The GroupInfo, sealed to the asker, and the public tree.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SealedGroupInfo {
    /// KEM output of the HPKE encryption, info `mls-bridge 0 group info`.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub kem_output: Vec<u8>,
    /// Ciphertext of an MLSMessage that holds a GroupInfo without tree.
    pub sealed: Part,
    /// The ratchet tree of the same epoch.
    pub tree: Part,
    /// The encoded last receipt of the group.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchGroupInfo, SealedGroupInfo);
