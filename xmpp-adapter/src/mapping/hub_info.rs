//! `<hub-info/>`: what a hub says of itself.

use minidom::Element;
use mls_core::wire::hub_info::{HubInfo, SuiteSender};

use super::element::{Broken, Build, Fields, bytes, ours};

/// The name of the request and of its answer.
pub(super) const NAME: &str = "hub-info";

pub(super) fn request() -> Element {
    ours(NAME)
}

pub(super) fn to_xml(info: &HubInfo) -> Element {
    let sender = |s: &SuiteSender| bytes("sender", &s.identity).with("suite", s.suite.to_string());
    let mut element = ours(NAME)
        .with("inline-bytes-max", info.inline_bytes_max.to_string())
        .with("recovering", info.recovering.to_string());
    if let Some(hub) = &info.hub_matrix {
        element = element.with("hub-matrix", hub);
    }
    if let Some(hub) = &info.hub_xmpp {
        element = element.with("hub-xmpp", hub);
    }
    element
        .holding(bytes("receipt-key", &info.receipt_key))
        .holding_all(info.senders.iter().map(sender))
        .holding_all(info.versions.iter().map(|v| ours("version").saying(&v.to_string())))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<HubInfo, Broken> {
    let sender =
        |s: Fields<'_>| Ok(SuiteSender { suite: s.number("suite")?, identity: s.bytes()? });
    let version =
        |v: Fields<'_>| v.text()?.parse().map_err(|_| v.broken("not a version".to_owned()));
    Ok(HubInfo {
        receipt_key: fields.child("receipt-key")?.bytes()?,
        senders: fields.children("sender").map(sender).collect::<Result<_, _>>()?,
        hub_matrix: fields.optional_attr("hub-matrix")?.map(str::to_owned),
        hub_xmpp: fields.optional_attr("hub-xmpp")?.map(str::to_owned),
        inline_bytes_max: fields.number("inline-bytes-max")?,
        versions: fields.children("version").map(version).collect::<Result<_, _>>()?,
        recovering: fields.flag("recovering")?,
    })
}
