//! `<submit-commit/>`: a commit and what follows from it; answered by a `<receipt/>`.

use minidom::Element;
use mls_core::wire::submit_commit::SubmitCommit;

use super::element::{Broken, Build, Fields, bytes, ours, part};

pub(super) const NAME: &str = "submit-commit";

pub(super) fn to_xml(request: &SubmitCommit) -> Element {
    ours(NAME)
        .with("group", request.group.to_hex())
        .with("epoch", request.epoch.to_string())
        .holding(part("commit", &request.commit))
        .holding_all(request.welcome.iter().map(|welcome| part("welcome", welcome)))
        .holding(part("group-info", &request.group_info))
        .holding(bytes("signature", &request.signature))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<SubmitCommit, Broken> {
    Ok(SubmitCommit {
        group: fields.group()?,
        epoch: fields.number("epoch")?,
        commit: fields.child("commit")?.part()?,
        welcome: fields.optional("welcome").map(Fields::part).transpose()?,
        group_info: fields.child("group-info")?.part()?,
        signature: fields.child("signature")?.bytes()?,
    })
}
