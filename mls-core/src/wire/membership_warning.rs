//! `MembershipWarning`: something about a member that people should know.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;

/// Shown to people, never acted on.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MembershipWarning {
    /// The group.
    pub group: GroupId,
    /// One sentence.
    pub text: String,
}

#[cfg(test)]
crate::codec_properties::hold!(MembershipWarning);
