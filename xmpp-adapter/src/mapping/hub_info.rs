//! `<hub-info/>`: what a hub says of itself.

use minidom::Element;
use mls_core::identity::TrustAnchor;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};

use super::element::{Broken, Build, Fields, bytes, ours};

/// The name of the request and of its answer.
pub(super) const NAME: &str = "hub-info";

pub(super) fn request() -> Element {
    ours(NAME)
}

pub(super) fn to_xml(info: &HubInfo) -> Element {
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
        .holding(bytes("seal-key", &info.seal_key))
        .holding(bytes("seal-signature", &info.seal_signature))
        .holding_all(info.senders.iter().map(sender_to_xml))
        .holding_all(info.former.iter().map(former_to_xml))
        .holding_all(info.anchors.iter().map(anchor_to_xml))
        .holding_all(info.versions.iter().map(|v| ours("version").saying(&v.to_string())))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<HubInfo, Broken> {
    let version =
        |v: Fields<'_>| v.text()?.parse().map_err(|_| v.broken("not a version".to_owned()));
    Ok(HubInfo {
        receipt_key: fields.child("receipt-key")?.bytes()?,
        seal_key: fields.child("seal-key")?.bytes()?,
        seal_signature: fields.child("seal-signature")?.bytes()?,
        senders: fields.children("sender").map(sender_from_xml).collect::<Result<_, _>>()?,
        former: fields.children("former").map(former_from_xml).collect::<Result<_, _>>()?,
        hub_matrix: fields.optional_attr("hub-matrix")?.map(str::to_owned),
        hub_xmpp: fields.optional_attr("hub-xmpp")?.map(str::to_owned),
        anchors: fields.children("anchor").map(anchor_from_xml).collect::<Result<_, _>>()?,
        inline_bytes_max: fields.number("inline-bytes-max")?,
        versions: fields.children("version").map(version).collect::<Result<_, _>>()?,
        recovering: fields.flag("recovering")?,
    })
}

fn sender_to_xml(sender: &SuiteSender) -> Element {
    bytes("sender", &sender.identity).with("suite", sender.suite.to_string())
}

fn sender_from_xml(fields: Fields<'_>) -> Result<SuiteSender, Broken> {
    Ok(SuiteSender { suite: fields.number("suite")?, identity: fields.bytes()? })
}

fn anchor_to_xml(anchor: &TrustAnchor) -> Element {
    bytes("anchor", &anchor.certificate).with("domain", &anchor.domain)
}

fn anchor_from_xml(fields: Fields<'_>) -> Result<TrustAnchor, Broken> {
    Ok(TrustAnchor { domain: fields.attr("domain")?.to_owned(), certificate: fields.bytes()? })
}

fn former_to_xml(keys: &FormerKeys) -> Element {
    let handover = |signed: &SuiteSignature| {
        bytes("handover", &signed.signature).with("suite", signed.suite.to_string())
    };
    ours("former")
        .holding(bytes("receipt-key", &keys.receipt_key))
        .holding_all(keys.senders.iter().map(sender_to_xml))
        .holding_all(keys.handovers.iter().map(handover))
}

fn former_from_xml(fields: Fields<'_>) -> Result<FormerKeys, Broken> {
    let handover = |signed: Fields<'_>| {
        Ok(SuiteSignature { suite: signed.number("suite")?, signature: signed.bytes()? })
    };
    Ok(FormerKeys {
        receipt_key: fields.child("receipt-key")?.bytes()?,
        senders: fields.children("sender").map(sender_from_xml).collect::<Result<_, _>>()?,
        handovers: fields.children("handover").map(handover).collect::<Result<_, _>>()?,
    })
}
