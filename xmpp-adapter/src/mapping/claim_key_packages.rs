//! `<claim-key-packages/>` and `<key-packages/>`: packages of users who are to be added.

use minidom::Element;
use mls_core::address::{ClientId, UserId};
use mls_core::wire::claim_key_packages::{ClaimKeyPackages, ClaimOutcome, ClaimedClient};

use super::element::{Broken, Build, Fields, bytes, ours};

pub(super) const NAME: &str = "claim-key-packages";
pub(super) const ANSWER: &str = "key-packages";

pub(super) fn to_xml(request: &ClaimKeyPackages) -> Element {
    let element = match &request.successor {
        Some(successor) => ours(NAME).with("successor", successor.to_hex()),
        None => ours(NAME),
    };
    element
        .with("group", request.group.to_hex())
        .holding_all(request.users.iter().map(|user| ours("user").saying(user.as_str())))
        .holding_all(request.suites.iter().map(|suite| ours("suite").saying(&suite.to_string())))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<ClaimKeyPackages, Broken> {
    let suite = |s: Fields<'_>| {
        s.text()?.parse().map_err(|_| s.broken("not the number of a cipher suite".to_owned()))
    };
    Ok(ClaimKeyPackages {
        group: fields.group()?,
        successor: fields.optional_group("successor")?,
        users: fields.children("user").map(|u| user(u, &u.text()?)).collect::<Result<_, _>>()?,
        suites: fields.children("suite").map(suite).collect::<Result<_, _>>()?,
    })
}

pub(super) fn answer_to_xml(clients: &[ClaimedClient]) -> Element {
    ours(ANSWER).holding_all(clients.iter().map(claimed_to_xml))
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<Vec<ClaimedClient>, Broken> {
    fields.children("client").map(claimed_from_xml).collect()
}

fn claimed_to_xml(claimed: &ClaimedClient) -> Element {
    let (element, outcome) = match &claimed.outcome {
        ClaimOutcome::OneTime(package) => (bytes("client", package), "one-time"),
        ClaimOutcome::LastResort(package) => (bytes("client", package), "last-resort"),
        ClaimOutcome::Exhausted => (ours("client"), "exhausted"),
        ClaimOutcome::Incompatible => (ours("client"), "incompatible"),
        ClaimOutcome::Unknown => (ours("client"), "unknown"),
        ClaimOutcome::NoConsent => (ours("client"), "no-consent"),
    };
    let element = element.with("user", claimed.user.as_str()).with("outcome", outcome);
    match &claimed.client {
        Some(client) => element.with("id", client.as_str()),
        None => element,
    }
}

fn claimed_from_xml(fields: Fields<'_>) -> Result<ClaimedClient, Broken> {
    let outcome = match fields.attr("outcome")? {
        "one-time" => ClaimOutcome::OneTime(fields.bytes()?),
        "last-resort" => ClaimOutcome::LastResort(fields.bytes()?),
        "exhausted" => ClaimOutcome::Exhausted,
        "incompatible" => ClaimOutcome::Incompatible,
        "unknown" => ClaimOutcome::Unknown,
        "no-consent" => ClaimOutcome::NoConsent,
        _ => return Err(fields.broken("attribute outcome has no known value".to_owned())),
    };
    let client = fields.optional_attr("id")?.map(ClientId::parse).transpose();
    Ok(ClaimedClient {
        user: user(fields, fields.attr("user")?)?,
        client: client.map_err(|error| fields.broken(error.to_string()))?,
        outcome,
    })
}

fn user(fields: Fields<'_>, text: &str) -> Result<UserId, Broken> {
    UserId::parse(text).map_err(|error| fields.broken(error.to_string()))
}
