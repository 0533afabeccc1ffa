//! Everything that can happen to a hub.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{OperatorOrder, RevokedList};
use crate::address::{RoomAddress, UserId};
use crate::checkpoint::CheckpointBytes;
use crate::wire::claim_key_packages::ClaimedClient;
use crate::wire::create_room::RoomCreated;
use crate::wire::sealed::{RequestEnvelope, SealedRequest};
use crate::wire::{Digest, Request, RequestId};

/// One thing that happened; adapters make them from what their network says.
#[derive(Clone, Debug)]
pub enum Input {
    /// An account asks for something: what no server between could read, or need not see it.
    Request(RequestInput),
    /// An account asks for something, sealed.
    Sealed(SealedInput),
    /// An encrypted application message was posted into a room.
    Message(RoomMessage),
    /// Somebody is, or is no longer, in a room's list (Matrix `join` or `invite`; MUC
    /// affiliation member or above).
    Membership(Membership),
    /// The whole list of a room, for what was missed; ghosts and the hub are not in it.
    Listed {
        /// The room.
        room: RoomAddress,
        /// Accounts of the room's own network that are in its list.
        users: Vec<UserId>,
    },
    /// A room is gone, or the hub was put out of it for good: nobody there can be reached any more.
    RoomLost {
        /// The room.
        room: RoomAddress,
    },
    /// [`super::MakeRooms`] was carried out, or cannot be.
    RoomsMade(RoomsMade),
    /// [`super::ClaimMatrix`] was carried out.
    Claimed(Claimed),
    /// [`super::QueryDevice`] was carried out.
    DeviceKey(DeviceKey),
    /// [`super::ListDevices`] was carried out, or given up.
    DevicesListed(DevicesListed),
    /// [`super::Expel`] was carried out, or given up: what the room says of it is on its way.
    Expelled {
        /// The room.
        room: RoomAddress,
        /// Who was put out.
        user: UserId,
    },
    /// The operator wants something, on the hub's own machine; answered in the outcome.
    Operator(OperatorOrder),
    /// An authority that is another process says who is revoked: a list that was verified
    /// ([`RevokedList::verify`]).
    Revoked(RevokedList),
    /// Time passed; send one each minute.
    Tick,
    /// The moment that [`super::Hub::due_ms`] names has come.
    Due,
}

/// What an adapter makes of one thing that its network said.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every value is the large one")]
pub enum Incoming {
    /// Something for the hub.
    Input(Input),
    /// A ghost was put out of a room by somebody else. Ghost names are never parsed back: the
    /// runtime finds the account whose expected ghost this is among [`super::Hub::users_in`].
    GhostExpelled {
        /// The room.
        room: RoomAddress,
        /// The ghost, as its network writes it.
        ghost: String,
    },
}

/// A request, from an account that the network authenticated.
#[derive(Clone, Debug)]
pub struct RequestInput {
    /// Who asks.
    pub from: UserId,
    /// Where the answer goes.
    pub reply_to: ReplyTo,
    /// The client's id for the request.
    pub id: RequestId,
    /// What is asked.
    pub request: Request,
}

/// A sealed request, from an account that the network authenticated.
#[derive(Clone, Debug)]
pub struct SealedInput {
    /// Who asks.
    pub from: UserId,
    /// Where the answer goes.
    pub reply_to: ReplyTo,
    /// The client's id for the request.
    pub id: RequestId,
    /// What is asked.
    pub sealed: SealedRequest,
}

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum ReplyTo {
    /// A control room, by its room id.
    ControlRoom(String) = 1u8,
    /// A full JID; the answer's stanza id is the request's.
    Jid(String) = 2u8,
}

impl Input {
    /// Who waits for an answer, and to which request.
    pub fn asker(&self) -> Option<(&ReplyTo, &RequestId)> {
        match self {
            Self::Request(asked) => Some((&asked.reply_to, &asked.id)),
            Self::Sealed(asked) => Some((&asked.reply_to, &asked.id)),
            _ => None,
        }
    }

    /// What an account asks for, as a network carried it.
    pub fn asked(from: UserId, reply_to: ReplyTo, id: RequestId, asked: RequestEnvelope) -> Self {
        match asked {
            RequestEnvelope::HubInfo => {
                Self::Request(RequestInput { from, reply_to, id, request: Request::HubInfo })
            }
            RequestEnvelope::Sealed(sealed) => {
                Self::Sealed(SealedInput { from, reply_to, id, sealed })
            }
        }
    }
}

/// An encrypted message in a room, from somebody other than the hub and its ghosts.
#[derive(Clone, Debug)]
pub struct RoomMessage {
    /// The room.
    pub room: RoomAddress,
    /// The account that the network shows as its sender.
    pub sender: UserId,
    /// The room's id for it: the event id or the archive's stanza-id.
    pub event: String,
    /// When it was sent, as the network says, in milliseconds since 1970.
    pub sent_ms: u64,
    /// What should be an MLSMessage.
    pub message: Vec<u8>,
    /// What came beside it in clear, to be passed on unread.
    pub checkpoint: Option<CheckpointBytes>,
}

/// A change in a room's list.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The room.
    pub room: RoomAddress,
    /// The account; for a ghost, which is reported when it was let in and when somebody threw it
    /// out, the account that it stands for.
    pub user: UserId,
    /// Whether the account is in the list now.
    pub listed: bool,
}

/// The result of [`super::MakeRooms`].
#[derive(Clone, Debug)]
pub struct RoomsMade {
    /// The job's id.
    pub job: Digest,
    /// The rooms, or one sentence why not.
    pub result: Result<RoomCreated, String>,
}

/// The result of [`super::ClaimMatrix`]: packages as they came, not looked into.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job's id.
    pub job: Digest,
    /// One entry a device, or a user without any.
    pub clients: Vec<ClaimedClient>,
}

/// The result of [`super::QueryDevice`].
#[derive(Clone, Debug)]
pub struct DeviceKey {
    /// The job's id.
    pub job: Digest,
    /// The key that the device announces, where there is such a device; or one sentence why nobody
    /// knows.
    pub result: Result<Option<Vec<u8>>, String>,
}

/// The result of [`super::ListDevices`].
#[derive(Clone, Debug)]
pub struct DevicesListed {
    /// The job's id.
    pub job: Digest,
    /// The accounts that the homeserver named; of others nothing is known.
    pub accounts: Vec<AccountDevices>,
}

/// The devices of an account, as its homeserver lists them.
#[derive(Clone, Debug)]
pub struct AccountDevices {
    /// The account.
    pub user: UserId,
    /// Device ids, as the homeserver writes them.
    pub devices: Vec<String>,
}

#[cfg(test)]
crate::codec_properties::hold!(ReplyTo);
