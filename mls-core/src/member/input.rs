//! Everything that can happen to a member.

use super::{Command, CommandId};
use crate::address::{RoomAddress, UserId};
use crate::checkpoint::CheckpointBytes;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, Notice, RequestId};

/// One thing that happened. Parts of requests, answers and notices are inline here: the caller
/// moves blobs.
#[derive(Clone, Debug)]
pub enum Input {
    /// The user wants something.
    Command(CommandId, Command),
    /// The hub answered a request.
    Answer(RequestId, Result<Answer, Refusal>),
    /// The hub sent something.
    Notice(Notice),
    /// An application message came in a room, perhaps our own.
    Message(ReceivedMessage),
    /// Something that was to be done is done.
    Confirmed(Confirmation),
    /// This account is in the room now.
    RoomJoined(RoomAddress),
    /// This account is no longer in the room.
    RoomLeft(RoomAddress),
    /// Somebody posted a message in clear into a room that is marked as encrypted with MLS.
    CleartextInRoom {
        /// The room.
        room: RoomAddress,
        /// The account that the network shows as its sender; a ghost counts as `None`.
        sender: Option<UserId>,
    },
    /// How many one-time key packages of this device its network has left.
    KeyPackagesLeft {
        /// RFC 9420 number of their suite.
        suite: u16,
        /// How many.
        count: u32,
    },
    /// The connection is there (again): what waits at the hub should be fetched.
    Connected,
    /// Time passed; send one each second or so.
    Tick,
    /// Certificates may have been revoked: give one when the connection is there, and now and then. The hub is
    /// asked every [`REVOCATIONS_AGAIN_MS`](crate::limits::REVOCATIONS_AGAIN_MS).
    LookForRevocations,
    /// It is time to look into the authority's log, as often as the program likes.
    LookIntoLog,
    /// A person wants to see the log: the same, but [`LOG_ASKED_AGAIN_MS`](crate::limits::LOG_ASKED_AGAIN_MS) after
    /// the last look is late enough.
    LookIntoLogNow,
}

/// An application message in a room.
#[derive(Clone, Debug)]
pub struct ReceivedMessage {
    /// The room.
    pub room: RoomAddress,
    /// The account that the network shows as its sender; a ghost counts as `None`.
    pub sender: Option<UserId>,
    /// When it was sent, as the network says, in milliseconds since 1970.
    pub sent_ms: u64,
    /// What should be an MLSMessage.
    pub message: Vec<u8>,
    /// What came beside it in clear: what should be a [`Checkpoint`](crate::checkpoint::Checkpoint).
    pub checkpoint: Option<CheckpointBytes>,
}

/// What is done, by the id of its output.
#[derive(Clone, Debug)]
pub enum Confirmation {
    /// The room has the message.
    Sent(Digest),
    /// The network will never take the message, for this reason.
    NotSent(Digest, String),
    /// The network has the key packages.
    KeyPackagesUploaded(Digest),
    /// The room was joined or left, or cannot be.
    Room(RoomAddress, Result<(), String>),
}
