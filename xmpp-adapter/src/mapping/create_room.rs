//! `<create-room/>` and `<room-created/>`: the hub makes a room, a MUC, or both.

use minidom::Element;
use mls_core::wire::create_room::{CreateRoom, RoomCreated};

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "create-room";
pub(super) const ANSWER: &str = "room-created";

pub(super) fn to_xml(request: &CreateRoom) -> Element {
    ours(NAME)
        .with("matrix", request.matrix.to_string())
        .with("xmpp", request.xmpp.to_string())
        .holding(ours("name").saying(&request.name))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<CreateRoom, Broken> {
    Ok(CreateRoom {
        matrix: fields.flag("matrix")?,
        xmpp: fields.flag("xmpp")?,
        name: fields.child("name")?.text()?,
    })
}

pub(super) fn answer_to_xml(made: &RoomCreated) -> Element {
    let named = |name, text: &Option<String>| text.as_ref().map(|text| ours(name).saying(text));
    ours(ANSWER)
        .holding_all(named("matrix-room", &made.matrix_room))
        .holding_all(named("muc", &made.muc))
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<RoomCreated, Broken> {
    Ok(RoomCreated {
        matrix_room: fields.optional("matrix-room").map(Fields::text).transpose()?,
        muc: fields.optional("muc").map(Fields::text).transpose()?,
    })
}
