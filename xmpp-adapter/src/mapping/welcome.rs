//! `<welcome/>`: the way into a group, for one device; kept by the hub until acknowledged.

use minidom::Element;
use mls_core::address::ClientId;
use mls_core::wire::welcome::Welcome;

use super::element::{Broken, Build, Fields, bytes, ours, part};

pub(super) const NAME: &str = "welcome";

pub(super) fn to_xml(welcome: &Welcome) -> Element {
    let element = match &welcome.former {
        Some(former) => ours(NAME).with("former", former.to_hex()),
        None => ours(NAME),
    };
    element
        .with("id", welcome.id.to_string())
        .with("client", welcome.client.as_str())
        .with("group", welcome.group.to_hex())
        .with("epoch", welcome.epoch.to_string())
        .holding(bytes("receipt", &welcome.receipt))
        .holding(part("tree", &welcome.tree))
        .holding(part("message", &welcome.welcome))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<Welcome, Broken> {
    let client = ClientId::parse(fields.attr("client")?);
    Ok(Welcome {
        id: fields.digest("id")?,
        client: client.map_err(|error| fields.broken(error.to_string()))?,
        group: fields.group()?,
        former: fields.optional_group("former")?,
        epoch: fields.number("epoch")?,
        receipt: fields.child("receipt")?.bytes()?,
        tree: fields.child("tree")?.part()?,
        welcome: fields.child("message")?.part()?,
    })
}
