//! The door: what bytes may reach the MLS engine at all, for members and hub alike.
//!
//! The engine by itself takes encrypted commits, and proposals of strangers, from anywhere. So
//! a room may bring application messages only, and a hub handshakes only, each for the group
//! that the room or the receipt is for. Who may propose what is in [`crate::rules`].

use mls_rs::group::{ContentType, Sender};
use mls_rs::{MlsMessage, MlsMessageDescription};
use mls_rs_core::crypto::CipherSuite;
use thiserror::Error;

use crate::framing;
use crate::hpke_keys::{self, UnusableKey};
use crate::limits::{APPLICATION_BYTES_MAX, OBJECT_BYTES_MAX};
use crate::policy::PAST_EPOCHS;
use crate::receipt::ReceiptKind;
use crate::wire::GroupId;

/// Bytes that do not get in; the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DoorError {
    /// Longer than its bound.
    #[error("the message is too large")]
    TooLarge,
    /// Not an MLSMessage.
    #[error("the bytes are not an MLS message")]
    Broken,
    /// For another group.
    #[error("the message is for another group")]
    OtherGroup,
    /// Not what this way may bring.
    #[error("{0}")]
    WrongKind(&'static str),
    /// A key in the path of a commit that nobody could encrypt to.
    #[error("the commit cannot be followed: {0}")]
    UnusableKey(#[from] UnusableKey),
    /// What travels in clear, and what nobody here reads.
    #[error("the message carries authenticated data, which travels in clear and is not used here")]
    AuthenticatedData,
    /// From too long ago.
    #[error("the message is from an epoch that is no longer read")]
    TooOld,
}

/// An application message that may go to the engine.
#[derive(Clone, Debug)]
pub struct ApplicationMessage {
    /// The epoch that its header names; the sender is known only after decryption.
    pub epoch: u64,
    /// The message.
    pub message: MlsMessage,
}

/// A commit that a room brought, and that may go to the engine.
#[derive(Clone, Debug)]
pub struct RoomCommit {
    /// The epoch in which it was made; who made it is known only after decryption.
    pub epoch: u64,
    /// The message.
    pub message: MlsMessage,
}

/// A handshake that may go to the engine.
#[derive(Clone, Debug)]
pub struct HandshakeMessage {
    /// The epoch in which it was sent.
    pub epoch: u64,
    /// Who says to have sent it; the engine checks the signature.
    pub sender: Sender,
    /// A proposal or a commit.
    pub kind: ReceiptKind,
    /// The message.
    pub message: MlsMessage,
}

/// From a room: only a PrivateMessage of content type application, for that room's group, at
/// most [`PAST_EPOCHS`] old. A future epoch is for the caller to buffer or refuse.
pub fn from_room(
    bytes: &[u8],
    group: &GroupId,
    epoch_now: u64,
) -> Result<ApplicationMessage, DoorError> {
    let message = decode(bytes, APPLICATION_BYTES_MAX)?;
    let epoch = match message.description() {
        MlsMessageDescription::PrivateProtocolMessage { group_id, epoch_id, content_type } => {
            if group_id != group.0 {
                return Err(DoorError::OtherGroup);
            }
            if content_type != ContentType::Application {
                return Err(DoorError::WrongKind("a room may not bring encrypted handshakes"));
            }
            epoch_id
        }
        _ => return Err(DoorError::WrongKind("a room may bring only encrypted messages")),
    };
    check_authenticated_data(bytes)?;
    if epoch.saturating_add(PAST_EPOCHS) < epoch_now {
        return Err(DoorError::TooOld);
    }
    Ok(ApplicationMessage { epoch, message })
}

/// From the room of a group that its room orders: a member's encrypted commit, or the commit of
/// somebody from outside (which RFC 9420 has in clear), for that group, which is of this suite.
/// Nothing for what is no handshake.
pub fn commit_from_room(
    bytes: &[u8],
    group: &GroupId,
    suite: CipherSuite,
) -> Result<Option<RoomCommit>, DoorError> {
    let message = decode(bytes, APPLICATION_BYTES_MAX)?;
    let (group_id, epoch) = match message.description() {
        MlsMessageDescription::PrivateProtocolMessage { group_id, epoch_id, content_type } => {
            match content_type {
                ContentType::Commit => (group_id, epoch_id),
                ContentType::Proposal => {
                    let why = "a group without a hub takes proposals inside commits only";
                    return Err(DoorError::WrongKind(why));
                }
                _ => return Ok(None),
            }
        }
        MlsMessageDescription::PublicProtocolMessage {
            group_id,
            epoch_id,
            content_type: ContentType::Commit,
            sender: Sender::NewMemberCommit,
            ..
        } => {
            check_path(suite, bytes)?;
            (group_id, epoch_id)
        }
        _ => return Ok(None),
    };
    if group_id != group.0 {
        return Err(DoorError::OtherGroup);
    }
    check_authenticated_data(bytes)?;
    Ok(Some(RoomCommit { epoch, message }))
}

/// From the hub, or to it: only a PublicMessage with a proposal or a commit, for that group, which
/// is of this suite.
pub fn handshake(
    bytes: &[u8],
    group: &GroupId,
    suite: CipherSuite,
) -> Result<HandshakeMessage, DoorError> {
    let message = decode(bytes, OBJECT_BYTES_MAX)?;
    let (epoch, sender, kind) = match message.description() {
        MlsMessageDescription::PublicProtocolMessage {
            group_id,
            epoch_id,
            content_type,
            sender,
            ..
        } => {
            if group_id != group.0 {
                return Err(DoorError::OtherGroup);
            }
            let kind = match content_type {
                ContentType::Proposal => ReceiptKind::Proposal,
                ContentType::Commit => ReceiptKind::Commit,
                _ => return Err(DoorError::WrongKind("an application message in clear")),
            };
            (epoch_id, sender, kind)
        }
        _ => return Err(DoorError::WrongKind("a handshake must be a PublicMessage")),
    };
    check_authenticated_data(bytes)?;
    if kind == ReceiptKind::Commit {
        check_path(suite, bytes)?;
    }
    Ok(HandshakeMessage { epoch, sender, kind, message })
}

/// Group id and epoch bind a message to its context; more than that would only be one more thing in clear.
fn check_authenticated_data(bytes: &[u8]) -> Result<(), DoorError> {
    match framing::authenticated_data(bytes) {
        Ok(data) if data.is_empty() => Ok(()),
        Ok(_) => Err(DoorError::AuthenticatedData),
        Err(_) => Err(DoorError::Broken),
    }
}

/// What a commit in clear brings in its path, if it has one.
fn check_path(suite: CipherSuite, commit: &[u8]) -> Result<(), DoorError> {
    match framing::path(commit) {
        Ok(Some(path)) => Ok(hpke_keys::check_path(suite, &path)?),
        Ok(None) => Ok(()),
        Err(_) => Err(DoorError::Broken),
    }
}

fn decode(bytes: &[u8], bytes_max: usize) -> Result<MlsMessage, DoorError> {
    if bytes.len() > bytes_max {
        return Err(DoorError::TooLarge);
    }
    MlsMessage::from_bytes(bytes).map_err(|_| DoorError::Broken)
}
