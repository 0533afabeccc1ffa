//! `MembershipWarning`: something about a member that people should know.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;

/// Shown to people, never acted on.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
pub struct MembershipWarning {
    /// The group.
    pub group: GroupId,
    /// One sentence.
    pub text: String,
}
