//! `Knock`: an account that is not in a group asks to be let in; and what becomes of it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;
use crate::address::{RoomAddress, UserId};

/// The hub tells the admins of the group that lives in the room. Whether to add the account is for
/// people to say: the hub's word alone must never add anybody.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Knock {
    /// A room of the group, on either network.
    pub room: RoomAddress,
    /// The asking account's device, which is told if an admin denies it.
    pub device: String,
}

/// An admin denies a knock: the hub forgets it, and tells who knocked.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DenyKnock {
    /// The group.
    pub group: GroupId,
    /// Who knocked.
    pub user: UserId,
}

/// What an admin is told: shown to people, never acted on by itself.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Knocked {
    /// The group.
    pub group: GroupId,
    /// Who knocks.
    pub user: UserId,
    /// When, by the hub's clock in milliseconds since 1970; the same as long as the knock waits.
    pub since_ms: u64,
}

/// What who knocked is told when an admin said no.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KnockDenied {
    /// The device that knocked.
    pub device: String,
    /// The room, as it was named.
    pub room: RoomAddress,
}

#[cfg(test)]
crate::codec_properties::hold!(Knock, DenyKnock, Knocked, KnockDenied);
