//! `FindGroup`: which group is bound to a room.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;
use crate::address::RoomAddress;

/// Answered to accounts in the room's list.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FindGroup {
    /// The room.
    pub room: RoomAddress,
}

/// The group of the room.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct GroupFound {
    /// The group.
    pub group: GroupId,
    /// Its current epoch.
    pub epoch: u64,
}

#[cfg(test)]
crate::codec_properties::hold!(FindGroup, GroupFound);
