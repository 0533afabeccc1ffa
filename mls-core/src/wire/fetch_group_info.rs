//! `FetchGroupInfo`: what a client needs to come back by an external commit (RFC 9420 12.4.3.2).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, blob::Part};

/// Only for accounts that have a leaf in the group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchGroupInfo {
    /// The group.
    pub group: GroupId,
}

/// The public state of a group: what an external commit starts from.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct GroupState {
    /// An MLSMessage that holds a GroupInfo without tree.
    pub group_info: Part,
    /// The ratchet tree of the same epoch.
    pub tree: Part,
    /// The encoded last receipt of the group.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchGroupInfo, GroupState);
