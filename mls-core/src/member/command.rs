//! What the user of a device can ask for.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::UserId;
use crate::wire::GroupId;
use crate::wire::create_room::CreateRoom;

/// Chosen by the caller; every command ends in one `CommandDone` or `CommandFailed` with it.
pub type CommandId = String;

/// One wish. It is kept until it is fulfilled or has failed, across restarts.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
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
}

/// A group and some users.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
pub struct MembersCommand {
    /// The group.
    pub group: GroupId,
    /// The users.
    pub users: Vec<UserId>,
}

/// A group and a content.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
pub struct SendCommand {
    /// The group.
    pub group: GroupId,
    /// Encoded content (see [`crate::content`]), at most
    /// [`PLAINTEXT_BYTES_MAX`](crate::limits::PLAINTEXT_BYTES_MAX).
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub content: Vec<u8>,
}
