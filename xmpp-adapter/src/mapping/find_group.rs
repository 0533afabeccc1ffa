//! `<find-group/>` and `<group-found/>`: which group is bound to a room.

use minidom::Element;
use mls_core::address::{Network, RoomAddress};
use mls_core::wire::find_group::{FindGroup, GroupFound};

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "find-group";
pub(super) const ANSWER: &str = "group-found";

pub(super) fn to_xml(request: &FindGroup) -> Element {
    let network = request.room.network.name();
    ours(NAME).with("network", network).with("room", &request.room.address)
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<FindGroup, Broken> {
    let network = match fields.attr("network")? {
        "matrix" => Network::Matrix,
        "xmpp" => Network::Xmpp,
        _ => return Err(fields.broken("attribute network is not matrix or xmpp".to_owned())),
    };
    let address = fields.attr("room")?.to_owned();
    Ok(FindGroup { room: RoomAddress { network, address } })
}

pub(super) fn answer_to_xml(found: &GroupFound) -> Element {
    ours(ANSWER).with("group", found.group.to_hex()).with("epoch", found.epoch.to_string())
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<GroupFound, Broken> {
    Ok(GroupFound { group: fields.group()?, epoch: fields.number("epoch")? })
}
