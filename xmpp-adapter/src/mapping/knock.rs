//! `<knocked/>`: somebody asks to be let into a group; `<knock-denied/>`: an admin said no.

use minidom::Element;
use mls_core::address::{RoomAddress, UserId};
use mls_core::wire::knock::{KnockDenied, Knocked};

use super::element::{Broken, Build, Fields, ours};

pub(super) const KNOCKED: &str = "knocked";
pub(super) const DENIED: &str = "knock-denied";

pub(super) fn knocked_to_xml(notice: &Knocked) -> Element {
    ours(KNOCKED)
        .with("group", notice.group.to_hex())
        .with("user", notice.user.as_str())
        .with("since-ms", notice.since_ms.to_string())
}

pub(super) fn knocked_from_xml(fields: Fields<'_>) -> Result<Knocked, Broken> {
    let user = UserId::parse(fields.attr("user")?);
    Ok(Knocked {
        group: fields.group()?,
        user: user.map_err(|error| fields.broken(error.to_string()))?,
        since_ms: fields.number("since-ms")?,
    })
}

pub(super) fn denied_to_xml(notice: &KnockDenied) -> Element {
    ours(DENIED)
        .with("device", notice.device.as_str())
        .with("network", notice.room.network.name())
        .with("room", notice.room.address.as_str())
}

pub(super) fn denied_from_xml(fields: Fields<'_>) -> Result<KnockDenied, Broken> {
    let address = fields.attr("room")?;
    let room = match fields.attr("network")? {
        "matrix" => RoomAddress::matrix(address),
        "xmpp" => RoomAddress::xmpp(address),
        _ => return Err(fields.broken("attribute network is neither matrix nor xmpp".to_owned())),
    };
    Ok(KnockDenied { device: fields.attr("device")?.to_owned(), room })
}
