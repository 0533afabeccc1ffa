//! `<fetch-group-info/>` and `<sealed-group-info/>`: what an external commit starts from.

use minidom::Element;
use mls_core::wire::fetch_group_info::{FetchGroupInfo, SealedGroupInfo};

use super::element::{Broken, Build, Fields, bytes, ours, part};

pub(super) const NAME: &str = "fetch-group-info";
pub(super) const ANSWER: &str = "sealed-group-info";

pub(super) fn to_xml(request: &FetchGroupInfo) -> Element {
    ours(NAME).with("group", request.group.to_hex()).holding(bytes("seal-key", &request.seal_key))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<FetchGroupInfo, Broken> {
    Ok(FetchGroupInfo { group: fields.group()?, seal_key: fields.child("seal-key")?.bytes()? })
}

pub(super) fn answer_to_xml(answer: &SealedGroupInfo) -> Element {
    ours(ANSWER)
        .holding(bytes("kem-output", &answer.kem_output))
        .holding(part("sealed", &answer.sealed))
        .holding(part("tree", &answer.tree))
        .holding(bytes("receipt", &answer.receipt))
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<SealedGroupInfo, Broken> {
    Ok(SealedGroupInfo {
        kem_output: fields.child("kem-output")?.bytes()?,
        sealed: fields.child("sealed")?.part()?,
        tree: fields.child("tree")?.part()?,
        receipt: fields.child("receipt")?.bytes()?,
    })
}
