//! `<sealed/>`: a request that only the hub can read, and its answer, that only the asker can.

use minidom::Element;
use mls_core::wire::sealed::SealedRequest;

use super::element::{Broken, Build, Fields, bytes, ours};

/// The name of the request and of its answer.
pub(super) const NAME: &str = "sealed";

pub(super) fn to_xml(request: &SealedRequest) -> Element {
    ours(NAME)
        .holding(bytes("kem-output", &request.kem_output))
        .holding(bytes("ciphertext", &request.ciphertext))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<SealedRequest, Broken> {
    Ok(SealedRequest {
        kem_output: fields.child("kem-output")?.bytes()?,
        ciphertext: fields.child("ciphertext")?.bytes()?,
    })
}
