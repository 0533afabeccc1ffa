//! `<handshake/>`: an accepted proposal or commit with its receipt, posted by the hub's occupant.

use minidom::Element;
use mls_core::wire::handshake::Handshake;

use super::element::{Broken, Build, Fields, bytes, ours, part};
use super::{hints, stanza};

pub(super) const NAME: &str = "handshake";

pub(super) fn to_xml(handshake: &Handshake) -> Element {
    ours(NAME)
        .with("group", handshake.group.to_hex())
        .with("epoch", handshake.epoch.to_string())
        .with("seq", handshake.seq.to_string())
        .holding(part("message", &handshake.message))
        .holding(bytes("receipt", &handshake.receipt))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<Handshake, Broken> {
    Ok(Handshake {
        group: fields.group()?,
        epoch: fields.number("epoch")?,
        seq: fields.number("seq")?,
        message: fields.child("message")?.part()?,
        receipt: fields.child("receipt")?.bytes()?,
    })
}

/// The message for the room: archived, silent for clients without MLS (no body, no encryption hint).
pub fn message(room: &str, id: &str, handshake: &Handshake) -> Element {
    stanza::message("groupchat", room, id)
        .holding(to_xml(handshake))
        .holding(hints::origin_id(id))
        .holding(hints::store())
}
