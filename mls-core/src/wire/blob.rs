//! Objects too large for one event or stanza: stored at the hub in chunks, found by their hash.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Digest;

/// A part of a message: here, or as a blob at the hub.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Part {
    /// The bytes themselves.
    Inline(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>) = 0u8,
    /// To be fetched from the hub and checked against its hash.
    Blob(BlobRef) = 1u8,
}

/// Which blob, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct BlobRef {
    /// SHA-256 of the bytes.
    pub hash: Digest,
    /// Length in bytes, at most [`OBJECT_BYTES_MAX`](crate::limits::OBJECT_BYTES_MAX).
    pub size: u32,
}

/// Store one chunk. Chunks of a blob come in order; the blob is there when the last one is.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct PutBlob {
    /// The whole blob.
    pub blob: BlobRef,
    /// Where the chunk starts, in bytes.
    pub offset: u32,
    /// At most [`BLOB_CHUNK_BYTES`](crate::limits::BLOB_CHUNK_BYTES).
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub bytes: Vec<u8>,
}

/// Read one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct GetBlob {
    /// SHA-256 of the whole blob.
    pub hash: Digest,
    /// Where the chunk starts, in bytes.
    pub offset: u32,
}

/// One chunk.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct BlobChunk {
    /// Length of the whole blob, in bytes.
    pub size: u32,
    /// At most [`BLOB_CHUNK_BYTES`](crate::limits::BLOB_CHUNK_BYTES), fewer at the end.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub bytes: Vec<u8>,
}

impl Part {
    /// The bytes, if they are here.
    pub fn inline(&self) -> Option<&[u8]> {
        match self {
            Self::Inline(bytes) => Some(bytes),
            Self::Blob(_) => None,
        }
    }

    /// How many bytes it takes in the message that carries it.
    pub fn inline_len(&self) -> usize {
        self.inline().map_or(0, <[u8]>::len)
    }
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Inline(bytes)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Part, BlobRef, PutBlob, GetBlob, BlobChunk);
