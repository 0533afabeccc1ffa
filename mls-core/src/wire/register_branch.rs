//! `RegisterBranch`: hand a branch of a group to the hub; the answer is the receipt for seq 0.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;
use super::founded_group::FoundedGroup;

/// In rooms of its own, with clients that are all in the parent (RFC 9420 11.3).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RegisterBranch {
    /// The group that it branches from.
    pub parent: GroupId,
    /// The epoch of that whose resumption PSK it has; it must be the current one.
    pub parent_epoch: u64,
    /// The branch.
    pub founded: FoundedGroup,
}

#[cfg(test)]
crate::codec_properties::hold!(RegisterBranch);
