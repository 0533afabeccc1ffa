//! `<report-invalid/>`: a handshake that a member cannot process; answered by `<done/>`.

use minidom::Element;
use mls_core::wire::report_invalid::ReportInvalid;

use super::element::{Broken, Build, Fields, bytes, ours};

pub(super) const NAME: &str = "report-invalid";

pub(super) fn to_xml(request: &ReportInvalid) -> Element {
    ours(NAME)
        .with("group", request.group.to_hex())
        .with("seq", request.seq.to_string())
        .holding(bytes("receipt", &request.receipt))
        .holding(ours("why").saying(&request.why))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<ReportInvalid, Broken> {
    Ok(ReportInvalid {
        group: fields.group()?,
        seq: fields.number("seq")?,
        receipt: fields.child("receipt")?.bytes()?,
        why: fields.child("why")?.sentence(),
    })
}
