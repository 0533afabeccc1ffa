//! Everything that a member wants done.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::EventRecord;
use crate::address::RoomAddress;
use crate::checkpoint::CheckpointBytes;
use crate::service::Service;
use crate::wire::{Digest, GroupId, Request, RequestId};

/// One thing to do; all but events are repeated by [`super::Member::pending`] until confirmed.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask this service; confirmed by the answer.
    Request(Service, RequestId, Request),
    /// Post a message into a room of our own network.
    Send(OutgoingMessage),
    /// Put key packages where our network keeps them: the homeserver, or the hub's pool and PEP.
    UploadKeyPackages(KeyPackageUpload),
    /// Accept the invitation to a room, or enter it.
    JoinRoom(RoomAddress),
    /// Leave a room.
    LeaveRoom(RoomAddress),
    /// Show something to the user.
    Event(EventRecord),
}

/// A message to post.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OutgoingMessage {
    /// Stable id (SHA-256 of the message); the transaction id or origin-id follows from it.
    pub id: Digest,
    /// The room.
    pub room: RoomAddress,
    /// The group.
    pub group: GroupId,
    /// The epoch in which it was encrypted.
    pub epoch: u64,
    /// RFC 9420 number of the group's suite.
    pub suite: u16,
    /// An MLSMessage that holds a PrivateMessage.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub message: Vec<u8>,
    /// What travels beside it in clear: see [`crate::checkpoint`].
    pub checkpoint: Option<CheckpointBytes>,
}

/// Key packages to upload.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KeyPackageUpload {
    /// Stable id.
    pub id: Digest,
    /// RFC 9420 number of their suite.
    pub suite: u16,
    /// All suites that the device does, to be announced with it; the one that everybody must have
    /// first.
    pub suites: Vec<u16>,
    /// The device's Ed25519 signature public key, to be announced with the device.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature_key: Vec<u8>,
    /// Key package reference and MLSMessage of each.
    pub one_time: Vec<(Vec<u8>, Vec<u8>)>,
    /// The same for the package that is handed out when no other is left.
    pub last_resort: Option<(Vec<u8>, Vec<u8>)>,
}

#[cfg(test)]
crate::codec_properties::hold!(OutgoingMessage, KeyPackageUpload);
