//! `ClaimKeyPackages`: take a key package of every device of some users (RFC 9750 5.1).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;
use crate::address::{ClientId, UserId};

/// The claimer must be allowed to add to the group. Asked again for the same group within 24
/// hours, an unused package is handed out again.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ClaimKeyPackages {
    /// The group that the packages are for.
    pub group: GroupId,
    /// At most [`USERS_PER_CLAIM_MAX`](crate::limits::USERS_PER_CLAIM_MAX).
    pub users: Vec<UserId>,
    /// Acceptable cipher suites, by their RFC 9420 numbers.
    pub suites: Vec<u16>,
    /// What the packages are for.
    pub purpose: ClaimPurpose,
}

/// The group that packages are claimed for, seen from the group that the claimer is in.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum ClaimPurpose {
    /// That group itself, for those whom the claimer may add.
    Add = 1u8,
    /// The group that is to follow it after a ReInit (RFC 9420 11.2): an admin may claim packages of its
    /// members, in any suite.
    Successor(GroupId) = 2u8,
    /// A branch of it (RFC 9420 11.3): every member may claim packages of its members, in its suite.
    Branch(GroupId) = 3u8,
}

/// What was found for one client, or for a user of whom no client is known.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ClaimedClient {
    /// The user asked for.
    pub user: UserId,
    /// The client, where one is known.
    pub client: Option<ClientId>,
    /// The package, or why there is none.
    pub outcome: ClaimOutcome,
}

/// The outcome for one client, with the codes of MIMI.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum ClaimOutcome {
    /// A package that nobody else gets: an MLSMessage.
    OneTime(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>) = 1u8,
    /// The device's last-resort package: an MLSMessage.
    LastResort(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>) = 2u8,
    /// The device has none left, not even a last resort.
    Exhausted = 3u8,
    /// None of its packages fits the suites or the policies.
    Incompatible = 4u8,
    /// No such user, or no device of theirs speaks MLS.
    Unknown = 5u8,
    /// The user does not let this claimer add them.
    NoConsent = 6u8,
    /// The device is revoked.
    Revoked = 7u8,
}

#[cfg(test)]
crate::codec_properties::hold!(ClaimKeyPackages, ClaimPurpose, ClaimedClient, ClaimOutcome);
