//! `<put-blob/>`, `<get-blob/>` and `<blob-chunk/>`: objects too large for a stanza, in chunks.

use minidom::Element;
use mls_core::wire::blob::{BlobChunk, GetBlob, PutBlob};

use super::element::{Broken, Build, Fields, bytes, ours};

pub(super) const PUT: &str = "put-blob";
pub(super) const GET: &str = "get-blob";
pub(super) const ANSWER: &str = "blob-chunk";

pub(super) fn put_to_xml(request: &PutBlob) -> Element {
    bytes(PUT, &request.bytes)
        .with("sha-256", request.blob.hash.to_string())
        .with("size", request.blob.size.to_string())
        .with("offset", request.offset.to_string())
}

pub(super) fn put_from_xml(fields: Fields<'_>) -> Result<PutBlob, Broken> {
    Ok(PutBlob {
        blob: fields.blob_ref()?,
        offset: fields.number("offset")?,
        bytes: fields.bytes()?,
    })
}

pub(super) fn get_to_xml(request: &GetBlob) -> Element {
    ours(GET).with("sha-256", request.hash.to_string()).with("offset", request.offset.to_string())
}

pub(super) fn get_from_xml(fields: Fields<'_>) -> Result<GetBlob, Broken> {
    Ok(GetBlob { hash: fields.digest("sha-256")?, offset: fields.number("offset")? })
}

pub(super) fn answer_to_xml(chunk: &BlobChunk) -> Element {
    bytes(ANSWER, &chunk.bytes).with("size", chunk.size.to_string())
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<BlobChunk, Broken> {
    Ok(BlobChunk { size: fields.number("size")?, bytes: fields.bytes()? })
}
