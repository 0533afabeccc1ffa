//! Everything that a hub wants done; each is done at least once, under a stable id.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::ReplyTo;
use crate::address::{ClientId, Network, RoomAddress, UserId};
use crate::checkpoint::CheckpointBytes;
use crate::wire::create_room::CreateRoom;
use crate::wire::handshake::SealedHandshake;
use crate::wire::{Digest, GroupId, Notice, Reply, RequestId};

/// One thing to do. Effects of one [`Effect::lane`] are done in order, each after the one before.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Effect {
    /// Answer a request.
    Answer(AnswerEffect) = 1u8,
    /// Send a notice to one device.
    Notify(Notify) = 2u8,
    /// Post a handshake into a room, as the hub.
    PostHandshake(PostHandshake) = 3u8,
    /// Post an application message into a room, under its sender's ghost.
    Relay(Relay) = 4u8,
    /// Make rooms, then report with [`super::Input::RoomsMade`].
    MakeRooms(MakeRooms) = 5u8,
    /// Write the binding into a room's state (a MUC has none: nothing to do).
    BindRoom(BindRoom) = 6u8,
    /// Ask the homeserver for devices and key packages, then report with [`super::Input::Claimed`].
    ClaimMatrix(ClaimMatrix) = 7u8,
    /// Let an account into a room.
    Admit(Admit) = 8u8,
    /// Put an account out of a room.
    Expel(Expel) = 9u8,
    /// Ask the homeserver which key a device announces, then report with [`super::Input::DeviceKey`].
    QueryDevice(QueryDevice) = 31u8,
    /// Ask the homeserver which devices accounts have, then report with [`super::Input::DevicesListed`].
    ListDevices(ListDevices) = 80u8,
}

/// Answer a request.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct AnswerEffect {
    /// Where to.
    pub to: ReplyTo,
    /// The request's id.
    pub id: RequestId,
    /// What to say.
    pub reply: Reply,
}

/// Send a notice to one device.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Notify {
    /// Stable id.
    pub id: Digest,
    /// For whom.
    pub to: ClientId,
    /// What.
    pub notice: Notice,
}

/// Post a handshake into a room, as the hub.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct PostHandshake {
    /// Stable id.
    pub id: Digest,
    /// The room.
    pub room: RoomAddress,
    /// What.
    pub handshake: SealedHandshake,
}

/// Post an application message into a room, under its sender's ghost.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Relay {
    /// Stable id: SHA-256 over the target room and the message.
    pub id: Digest,
    /// The room to post into.
    pub room: RoomAddress,
    /// The sender on the other network.
    pub sender: UserId,
    /// When it was sent there, in milliseconds since 1970.
    pub sent_ms: u64,
    /// The group.
    pub group: GroupId,
    /// The epoch in which it was sent.
    pub epoch: u64,
    /// The MLSMessage, as it came.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub message: Vec<u8>,
    /// What came beside it.
    pub checkpoint: Option<CheckpointBytes>,
}

/// Make rooms for a new group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MakeRooms {
    /// The job's id, also the seed of the rooms' names.
    pub job: Digest,
    /// Gets full rights on its own network, and a ghost on the other.
    pub creator: UserId,
    /// Which, and the name.
    pub rooms: CreateRoom,
}

/// Write the binding into a room's state.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct BindRoom {
    /// Stable id.
    pub id: Digest,
    /// The room.
    pub room: RoomAddress,
    /// The group.
    pub group: GroupId,
    /// The hub's receipt key.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt_key: Vec<u8>,
    /// RFC 9420 number of the group's suite.
    pub suite: u16,
}

/// Ask the homeserver for devices that speak MLS and for one key package of each.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ClaimMatrix {
    /// The job's id.
    pub job: Digest,
    /// Which users; or, asked again for an unfit package, which of their devices.
    pub targets: Vec<ClaimTarget>,
    /// Suites, the preferred first.
    pub suites: Vec<u16>,
}

/// A user, or one device of theirs.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ClaimTarget {
    /// The user.
    pub user: UserId,
    /// Only this device.
    pub device: Option<String>,
}

/// Ask the homeserver which Ed25519 key a device announces for MLS.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct QueryDevice {
    /// The job's id.
    pub job: Digest,
    /// The device, of a Matrix account.
    pub client: ClientId,
}

/// Ask the homeserver which devices accounts have.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ListDevices {
    /// The job's id.
    pub job: Digest,
    /// Accounts of the homeserver.
    pub users: Vec<UserId>,
}

/// Let an account into a room: its own network's accounts are invited (Matrix) or made members
/// and invited (MUC); the other network's come as ghosts.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Admit {
    /// Stable id.
    pub id: Digest,
    /// The room.
    pub room: RoomAddress,
    /// The account.
    pub user: UserId,
}

/// Put an account out of a room: kicked, its affiliation taken away, or its ghost leaves.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Expel {
    /// Stable id.
    pub id: Digest,
    /// The room.
    pub room: RoomAddress,
    /// The account.
    pub user: UserId,
    /// One sentence for people.
    pub why: String,
}

impl Effect {
    /// The network that does it. `MakeRooms` may need both: the runtime asks each in turn.
    pub fn network(&self) -> Network {
        match self {
            Self::Answer(AnswerEffect { to: ReplyTo::ControlRoom(_), .. }) => Network::Matrix,
            Self::Answer(AnswerEffect { to: ReplyTo::Jid(_), .. }) => Network::Xmpp,
            Self::Notify(e) => e.to.network(),
            Self::PostHandshake(e) => e.room.network,
            Self::Relay(e) => e.room.network,
            Self::MakeRooms(e) => e.creator.network(),
            Self::BindRoom(e) => e.room.network,
            Self::ClaimMatrix(_) | Self::QueryDevice(_) | Self::ListDevices(_) => Network::Matrix,
            Self::Admit(e) => e.room.network,
            Self::Expel(e) => e.room.network,
        }
    }

    /// The lane of everything that is done in a room.
    pub fn lane_of(room: &RoomAddress) -> String {
        format!("in {room}")
    }

    /// What it must stay in order with: a room, or one receiver.
    pub fn lane(&self) -> String {
        match self {
            Self::Answer(AnswerEffect {
                to: ReplyTo::ControlRoom(to) | ReplyTo::Jid(to), ..
            }) => {
                format!("to {to}")
            }
            Self::Notify(e) => format!("to {}", e.to),
            Self::PostHandshake(PostHandshake { room, .. })
            | Self::Relay(Relay { room, .. })
            | Self::BindRoom(BindRoom { room, .. })
            | Self::Admit(Admit { room, .. })
            | Self::Expel(Expel { room, .. }) => Self::lane_of(room),
            Self::MakeRooms(MakeRooms { job, .. })
            | Self::ClaimMatrix(ClaimMatrix { job, .. })
            | Self::QueryDevice(QueryDevice { job, .. })
            | Self::ListDevices(ListDevices { job, .. }) => format!("job {job}"),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(
    Effect,
    AnswerEffect,
    Notify,
    PostHandshake,
    Relay,
    MakeRooms,
    BindRoom,
    ClaimMatrix,
    ClaimTarget,
    QueryDevice,
    ListDevices,
    Admit,
    Expel
);
