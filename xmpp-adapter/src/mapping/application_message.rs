//! `<application/>`: an MLS PrivateMessage in a room, straight from its sender or from a ghost; and
//! beside it, now and then, its sender's `<checkpoint/>`.

use minidom::Element;
use mls_core::checkpoint::CheckpointBytes;
use mls_core::wire::GroupId;

use super::element::{Build, Fields, Unread, bytes};
use super::namespace::MLS_BRIDGE;
use super::{hints, stanza};

const NAME: &str = "application";
const CHECKPOINT: &str = "checkpoint";

/// An application message as it travels; group and epoch are routing hints, the bytes decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The group.
    pub group: GroupId,
    /// The epoch in which it was sent.
    pub epoch: u64,
    /// What should be an MLSMessage.
    pub message: Vec<u8>,
    /// What stands beside it in clear.
    pub checkpoint: Option<CheckpointBytes>,
}

/// The message for the room: archived, without a body, marked as encrypted.
pub fn message(room: &str, id: &str, application: &Application) -> Element {
    let payload = bytes(NAME, &application.message)
        .with("group", application.group.to_hex())
        .with("epoch", application.epoch.to_string());
    let checkpoint = application.checkpoint.as_ref().map(|signed| bytes(CHECKPOINT, &signed.0));
    stanza::message("groupchat", room, id)
        .holding(payload)
        .holding_all(checkpoint)
        .holding(hints::encryption())
        .holding(hints::origin_id(id))
        .holding(hints::store())
}

/// Reads a room's message.
pub fn from_message(message: &Element) -> Result<Application, Unread> {
    let payload = message.get_child(NAME, MLS_BRIDGE).ok_or(Unread::NotMine)?;
    let fields = Fields::of(payload)?;
    // One that cannot be read is passed over: the message is worth reading without.
    let checkpoint = message.get_child(CHECKPOINT, MLS_BRIDGE);
    let checkpoint = checkpoint.and_then(|element| Fields::of(element).ok()?.bytes().ok());
    Ok(Application {
        group: fields.group()?,
        epoch: fields.number("epoch")?,
        message: fields.bytes()?,
        checkpoint: checkpoint.and_then(CheckpointBytes::of),
    })
}
