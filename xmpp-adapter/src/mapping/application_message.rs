//! `<application/>`: an MLS PrivateMessage in a room, straight from its sender or from a ghost.

use minidom::Element;
use mls_core::wire::GroupId;

use super::element::{Build, Fields, Unread, bytes};
use super::namespace::MLS_BRIDGE;
use super::{hints, stanza};

const NAME: &str = "application";

/// An application message as it travels; group and epoch are routing hints, the bytes decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The group.
    pub group: GroupId,
    /// The epoch in which it was sent.
    pub epoch: u64,
    /// What should be an MLSMessage.
    pub message: Vec<u8>,
}

/// The message for the room: archived, without a body, marked as encrypted.
pub fn message(room: &str, id: &str, application: &Application) -> Element {
    let payload = bytes(NAME, &application.message)
        .with("group", application.group.to_hex())
        .with("epoch", application.epoch.to_string());
    stanza::message("groupchat", room, id)
        .holding(payload)
        .holding(hints::encryption())
        .holding(hints::origin_id(id))
        .holding(hints::store())
}

/// Reads a room's message.
pub fn from_message(message: &Element) -> Result<Application, Unread> {
    let payload = message.get_child(NAME, MLS_BRIDGE).ok_or(Unread::NotMine)?;
    let fields = Fields::of(payload)?;
    Ok(Application {
        group: fields.group()?,
        epoch: fields.number("epoch")?,
        message: fields.bytes()?,
    })
}
