//! `Refusal`: why a hub says no. The codes follow MIMI (draft-ietf-mimi-protocol) where it has one.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use thiserror::Error;

use super::Digest;
use crate::service::ServiceAddress;

/// Whose fault it was follows from the variant; `why` is one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Refusal {
    /// The asker may not do this.
    #[error("not allowed: {0}")]
    NotAllowed(String) = 1u8,
    /// Too often; ask again after so many milliseconds.
    #[error("too often: ask again in {0} ms")]
    RateLimited(u64) = 2u8,
    /// The hub knows no such group, or no group bound to that room.
    #[error("the hub knows no such group")]
    UnknownGroup = 3u8,
    /// The request does not say what it must.
    #[error("invalid: {0}")]
    Invalid(String) = 4u8,
    /// The group, or a group for that room, is there already.
    #[error("it exists already")]
    Exists = 5u8,
    /// Another commit was first; this is the epoch now.
    #[error("wrong epoch: the group is at epoch {0}")]
    WrongEpoch(u64) = 6u8,
    /// The commit must cover these pending proposals (hashes of the messages).
    #[error("the commit leaves out pending removals")]
    MissingProposals(Vec<Digest>) = 7u8,
    /// The commit, or what came with it, is not valid.
    #[error("invalid commit: {0}")]
    InvalidCommit(String) = 8u8,
    /// Larger than so many bytes.
    #[error("too large: at most {0} bytes")]
    TooLarge(u32) = 9u8,
    /// It was there and is no longer kept, or has ended.
    #[error("it has ended, or is no longer kept")]
    Gone = 10u8,
    /// The hub does not know this request, or not in this version.
    #[error("the hub does not know this request")]
    Unsupported = 11u8,
    /// Not now, through no fault of the asker; ask again after so many milliseconds.
    #[error("not now: ask again in {0} ms")]
    Unavailable(u64) = 12u8,
    /// The hub's keys changed, or the request is broken or somebody else's.
    #[error("the hub cannot open the request: ask it for its keys again")]
    NotOpened = 13u8,
    /// No hub orders the group now, until an admin hands it back.
    #[error("its room orders the group, and no hub does")]
    RoomOrders = 14u8,
    /// The other service of the domain answers that, and is there.
    #[error("another service answers that: it is at {0}")]
    Elsewhere(ServiceAddress) = 15u8,
}

#[cfg(test)]
crate::codec_properties::hold!(Refusal);
