//! `<leave-room/>`: give up the MUC of a group; answered by `<done/>`.

use minidom::Element;
use mls_core::wire::leave_room::LeaveRoom;

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "leave-room";

pub(super) fn to_xml(request: &LeaveRoom) -> Element {
    ours(NAME).with("group", request.group.to_hex())
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<LeaveRoom, Broken> {
    Ok(LeaveRoom { group: fields.group()? })
}
