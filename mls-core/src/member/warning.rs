//! What people should know, and what a program can tell apart: a kind for each, and a sentence.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::wire::GroupId;

/// Something that people should know. Where it means deceit it is an [`Alarm`](super::Alarm) instead.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct WarningEvent {
    /// The group; an empty id for what belongs to none.
    pub group: GroupId,
    /// What it is about.
    pub kind: WarningKind,
    /// One sentence for people, which says why and what to do. It may change between versions.
    pub text: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum WarningKind {
    /// Somebody sent a message in clear into a room that is bound to a group: nobody should trust it.
    MessageInClear = 1u8,
    /// Something that came for a group was broken, forged or too much, and was put aside.
    Refused = 2u8,
    /// A Welcome was refused: this device is not in that group.
    WelcomeRefused = 3u8,
    /// A room cannot be entered.
    RoomNotEntered = 4u8,
    /// Not everybody whom a command named could be added.
    NotEverybodyAdded = 5u8,
    /// This device cannot follow a group any more; where it can, it tries to come back by itself.
    CannotFollow = 6u8,
    /// An attempt to come back into a group failed.
    NoWayBack = 7u8,
    /// A commit that no command asked for could not be made, or was refused.
    CommitFailed = 8u8,
    /// Somebody has another key than before, and nothing vouches for it: ask them.
    OtherKey = 9u8,
    /// The hub shows another key, or cannot be used.
    Hub = 10u8,
    /// The authority, its log of certificates or its list of revoked ones is not as it should be, or was
    /// accepted by a person's word.
    Authority = 11u8,
    /// A member's device was revoked.
    MemberRevoked = 12u8,
    /// This device, or another one of its user, was revoked.
    OwnDeviceRevoked = 13u8,
    /// This device had been revoked, and counts again.
    CountsAgain = 14u8,
    /// This device gets no certificate.
    NoCertificate = 15u8,
    /// Key packages that were replaced stay at the homeserver, or the private parts of so many stay here that no more are
    /// made.
    KeyPackagesStay = 16u8,
    /// The hub says that something went wrong in a group: a room is gone, messages are not carried, or somebody
    /// cannot process a handshake.
    HubReports = 17u8,
}

#[cfg(test)]
crate::codec_properties::hold!(WarningEvent, WarningKind);
