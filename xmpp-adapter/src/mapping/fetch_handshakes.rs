//! `<fetch-handshakes/>` and `<handshakes/>`: a gap in a group's sequence is filled.

use minidom::Element;
use mls_core::wire::fetch_handshakes::{FetchHandshakes, Handshakes};

use super::element::{Broken, Build, Fields, ours};
use super::handshake;

pub(super) const NAME: &str = "fetch-handshakes";
pub(super) const ANSWER: &str = "handshakes";

pub(super) fn to_xml(request: &FetchHandshakes) -> Element {
    ours(NAME).with("group", request.group.to_hex()).with("from-seq", request.from_seq.to_string())
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<FetchHandshakes, Broken> {
    Ok(FetchHandshakes { group: fields.group()?, from_seq: fields.number("from-seq")? })
}

pub(super) fn answer_to_xml(answer: &Handshakes) -> Element {
    ours(ANSWER)
        .with("last-seq", answer.last_seq.to_string())
        .holding_all(answer.handshakes.iter().map(handshake::to_xml))
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<Handshakes, Broken> {
    let handshakes = fields.children(handshake::NAME).map(handshake::from_xml);
    Ok(Handshakes {
        handshakes: handshakes.collect::<Result<_, _>>()?,
        last_seq: fields.number("last-seq")?,
    })
}
