//! `LeaveRoom`: give up the MUC of a group (XMPP; on Matrix a member leaves the room itself).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;

/// The hub takes the affiliation away, proposes the Removes and lets the ghost leave.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LeaveRoom {
    /// The group.
    pub group: GroupId,
}

#[cfg(test)]
crate::codec_properties::hold!(LeaveRoom);
