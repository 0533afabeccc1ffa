//! `<submit-proposal/>`: a proposal by reference; answered by a `<receipt/>`.

use minidom::Element;
use mls_core::wire::submit_proposal::SubmitProposal;

use super::element::{Broken, Build, Fields, bytes, ours};

pub(super) const NAME: &str = "submit-proposal";

pub(super) fn to_xml(request: &SubmitProposal) -> Element {
    ours(NAME)
        .with("group", request.group.to_hex())
        .with("epoch", request.epoch.to_string())
        .holding(bytes("proposal", &request.proposal))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<SubmitProposal, Broken> {
    Ok(SubmitProposal {
        group: fields.group()?,
        epoch: fields.number("epoch")?,
        proposal: fields.child("proposal")?.bytes()?,
    })
}
