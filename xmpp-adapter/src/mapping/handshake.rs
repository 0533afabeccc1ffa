//! `<handshake/>`: an accepted proposal or commit with its receipt, sealed, posted by the hub's
//! occupant.

use minidom::Element;
use mls_core::wire::handshake::SealedHandshake;

use super::element::{Broken, Build, Fields, bytes, ours};
use super::{hints, stanza};

pub(super) const NAME: &str = "handshake";

pub(super) fn to_xml(handshake: &SealedHandshake) -> Element {
    ours(NAME)
        .with("group", handshake.group.to_hex())
        .with("epoch", handshake.epoch.to_string())
        .with("seq", handshake.seq.to_string())
        .holding(bytes("sealed", &handshake.sealed))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<SealedHandshake, Broken> {
    Ok(SealedHandshake {
        group: fields.group()?,
        epoch: fields.number("epoch")?,
        seq: fields.number("seq")?,
        sealed: fields.child("sealed")?.bytes()?,
    })
}

/// The message for the room: archived, silent for clients without MLS (no body, no encryption hint).
pub fn message(room: &str, id: &str, handshake: &SealedHandshake) -> Element {
    stanza::message("groupchat", room, id)
        .holding(to_xml(handshake))
        .holding(hints::origin_id(id))
        .holding(hints::store())
}
