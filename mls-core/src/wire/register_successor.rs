//! `RegisterSuccessor`: hand a group that follows a ReInit to the hub; the answer is the receipt for
//! seq 0.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;
use super::founded_group::FoundedGroup;

/// With all members of the former group (RFC 9420 11.2).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RegisterSuccessor {
    /// The group that ended.
    pub former: GroupId,
    /// The group that follows.
    pub founded: FoundedGroup,
}

#[cfg(test)]
crate::codec_properties::hold!(RegisterSuccessor);
