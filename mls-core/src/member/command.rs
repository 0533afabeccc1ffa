//! What the user of a device can ask for.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::psk::PreSharedKey;

use super::{AskAuthorities, DomainAnchorsCommand, IdentityCommand};
use crate::address::{ClientId, RoomAddress, UserId};
use crate::group_settings::Settings;
use crate::wire::create_room::CreateRoom;
use crate::wire::knock::DenyKnock;
use crate::wire::{Digest, GroupId};

/// Chosen by the caller; every command ends in one `CommandDone` or `CommandFailed` with it.
pub type CommandId = String;

/// One wish. It is kept until it is fulfilled or has failed, across restarts.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Command {
    /// Make rooms and a group with this device as its only member, and its user as admin.
    CreateGroup(CreateRoom) = 1u8,
    /// Add all devices of users.
    Invite(MembersCommand) = 2u8,
    /// Remove all devices of users.
    Remove(MembersCommand) = 3u8,
    /// Encrypt and send one content.
    Send(SendCommand) = 4u8,
    /// Leave the rooms of a group; the hub proposes the Removes.
    Leave(GroupId) = 5u8,
    /// A commit that renews this device's keys in a group.
    Rotate(GroupId) = 6u8,
    /// Come back by an external commit, with the same signature key.
    Rejoin(GroupId) = 7u8,
    /// Fill the pool of key packages.
    PublishKeyPackages = 8u8,
    /// Change a group's settings, as an admin.
    ChangeSettings(SettingsCommand) = 9u8,
    /// Keep an external PSK, and say in a group that this device holds it.
    HoldPsk(HoldPsk) = 10u8,
    /// Use an external PSK in a group, as an admin: who lacks it is shut out.
    UsePsk(UsePsk) = 11u8,
    /// Use the resumption PSK of a former epoch of a group, as an admin: who joined after it is
    /// shut out.
    UsePastEpoch(UsePastEpoch) = 12u8,
    /// Propose, by reference, what the next commit of anybody is to do.
    Propose(ProposeCommand) = 13u8,
    /// Join the group of a room by external commit, where it is open.
    Join(RoomAddress) = 14u8,
    /// As [`Command::CreateGroup`], with another suite than the one that everybody must have.
    CreateGroupWith(CreateGroupWith) = 15u8,
    /// End a group and start it anew, in the same rooms with the same members, as an admin (RFC 9420
    /// 11.2). For a group that has ended and whose successor did not come: go on with that.
    ReInit(ReInitCommand) = 16u8,
    /// Make a group of some members of another one, in rooms of its own (RFC 9420 11.3).
    Branch(BranchCommand) = 50u8,
    /// A commit that gives this device a fresh signature key in a group, of that group alone.
    ChangeKey(GroupId) = 31u8,
    /// Put a new group into the place of one that cannot be healed, in the same rooms with the same
    /// people, as an admin. Nothing proves to them that it follows the former.
    Restart(GroupId) = 41u8,
    /// Fresh keys for this device in all groups and in all its key packages.
    RotateEverywhere = 80u8,
    /// Go by these authorities of a domain from now on, and by no others.
    TrustAnchors(DomainAnchorsCommand) = 32u8,
    /// Ask another domain's own hub which authorities that domain has.
    AskAuthorities(AskAuthorities) = 91u8,
    /// Take another device of this user out of everything, for good.
    RevokeDevice(ClientId) = 33u8,
    /// Follow the log of certificates that came where the known one forked, and whose head has this root.
    AcceptLog(Digest) = 34u8,
    /// Ask the admins of a room's group to be let in.
    Knock(RoomAddress) = 60u8,
    /// Say no to who knocked, as an admin; an Invite says yes.
    DenyKnock(DenyKnock) = 61u8,
    /// A person's word about identity keys.
    Identity(IdentityCommand) = 81u8,
}

impl Command {
    /// The group that it is for, if there is one already.
    pub fn group(&self) -> Option<&GroupId> {
        match self {
            Self::Invite(c) | Self::Remove(c) => Some(&c.group),
            Self::Send(c) => Some(&c.group),
            Self::ChangeSettings(c) => Some(&c.group),
            Self::HoldPsk(c) => Some(&c.group),
            Self::UsePsk(c) => Some(&c.group),
            Self::UsePastEpoch(c) => Some(&c.group),
            Self::Propose(c) => Some(&c.group),
            Self::ReInit(c) => Some(&c.group),
            Self::Branch(c) => Some(&c.parent),
            Self::DenyKnock(c) => Some(&c.group),
            Self::Leave(group)
            | Self::Rotate(group)
            | Self::ChangeKey(group)
            | Self::Restart(group)
            | Self::Rejoin(group) => Some(group),
            Self::CreateGroup(_)
            | Self::CreateGroupWith(_)
            | Self::PublishKeyPackages
            | Self::RotateEverywhere
            | Self::TrustAnchors(_)
            | Self::AskAuthorities(_)
            | Self::RevokeDevice(_)
            | Self::AcceptLog(_)
            | Self::Identity(_)
            | Self::Join(_)
            | Self::Knock(_) => None,
        }
    }

    /// The same wish for the group that follows the one that it is for.
    pub(super) fn for_successor(mut self, successor: &GroupId) -> Self {
        let group = match &mut self {
            Self::Invite(c) | Self::Remove(c) => &mut c.group,
            Self::Send(c) => &mut c.group,
            Self::ChangeSettings(c) => &mut c.group,
            Self::HoldPsk(c) => &mut c.group,
            Self::UsePsk(c) => &mut c.group,
            Self::Propose(c) => &mut c.group,
            Self::Branch(c) => &mut c.parent,
            Self::DenyKnock(c) => &mut c.group,
            Self::Leave(group)
            | Self::Rotate(group)
            | Self::ChangeKey(group)
            | Self::Rejoin(group) => group,
            Self::ReInit(_)
            | Self::Restart(_)
            // Its epochs are none of the successor.
            | Self::UsePastEpoch(_)
            | Self::CreateGroup(_)
            | Self::CreateGroupWith(_)
            | Self::PublishKeyPackages
            | Self::RotateEverywhere
            | Self::TrustAnchors(_)
            | Self::AskAuthorities(_)
            | Self::RevokeDevice(_)
            | Self::AcceptLog(_)
            | Self::Identity(_)
            | Self::Join(_)
            | Self::Knock(_) => return self,
        };
        group.clone_from(successor);
        self
    }
}

/// Rooms and a suite for a new group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CreateGroupWith {
    /// The rooms.
    pub rooms: CreateRoom,
    /// RFC 9420 number of the suite, one of [`CIPHER_SUITES`](crate::policy::CIPHER_SUITES).
    pub suite: u16,
}

/// A group and some users.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MembersCommand {
    /// The group.
    pub group: GroupId,
    /// The users.
    pub users: Vec<UserId>,
}

/// A group and the change of its settings.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SettingsCommand {
    /// The group.
    pub group: GroupId,
    /// What changes.
    pub settings: Settings,
}

/// An external PSK that people handed over (RFC 9420 8.4).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HoldPsk {
    /// The group in which to say so.
    pub group: GroupId,
    /// Its name, which is no secret; at most
    /// [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX).
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub id: Vec<u8>,
    /// The key, [`PSK_BYTES_MIN`](crate::limits::PSK_BYTES_MIN) to
    /// [`PSK_BYTES_MAX`](crate::limits::PSK_BYTES_MAX) bytes.
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    pub secret: PreSharedKey,
}

/// The use of an external PSK.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct UsePsk {
    /// The group.
    pub group: GroupId,
    /// The PSK's name.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub id: Vec<u8>,
    /// Also if members do not say that they hold it: they will have to rejoin.
    pub anyway: bool,
}

/// A branch of a group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct BranchCommand {
    /// The group that it branches from.
    pub parent: GroupId,
    /// Who of its members is to be in it, beside this device's user: with all their devices that are in
    /// the parent.
    pub users: Vec<UserId>,
    /// Its rooms, made for it.
    pub rooms: CreateRoom,
}

/// A new start of a group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ReInitCommand {
    /// The group that ends.
    pub group: GroupId,
    /// RFC 9420 number of the new group's suite.
    pub suite: u16,
    /// What changes beside.
    pub settings: Settings,
}

/// The use of a resumption PSK.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct UsePastEpoch {
    /// The group.
    pub group: GroupId,
    /// The epoch, at most [`RESUMPTION_PSK_EPOCHS`](crate::policy::RESUMPTION_PSK_EPOCHS) ago.
    pub epoch: u64,
}

/// Something to propose.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ProposeCommand {
    /// The group.
    pub group: GroupId,
    /// What.
    pub wish: Wish,
}

/// What a member can propose by reference.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Wish {
    /// A fresh leaf of its own.
    Update = 1u8,
    /// The removal of all devices of users.
    Remove(Vec<UserId>) = 2u8,
    /// All devices of users.
    Add(Vec<UserId>) = 3u8,
}

/// A group and a content.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SendCommand {
    /// The group.
    pub group: GroupId,
    /// Encoded content (see [`crate::content`]), at most
    /// [`PLAINTEXT_BYTES_MAX`](crate::limits::PLAINTEXT_BYTES_MAX).
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub content: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(
    Command,
    MembersCommand,
    SettingsCommand,
    HoldPsk,
    UsePsk,
    UsePastEpoch,
    ProposeCommand,
    Wish,
    SendCommand,
    CreateGroupWith,
    ReInitCommand,
    BranchCommand
);
