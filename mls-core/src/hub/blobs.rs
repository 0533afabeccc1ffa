//! Blobs: bytes too large for one event or stanza, in chunks, found by their SHA-256.
//!
//! An upload belongs to its account until its last chunk has come and the hash is right; then
//! it is a blob, which whoever knows its hash may read. Chunks of a blob are all of one size.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::expiry::{Expiring, UploadKey, expire_at};
use super::turn::{Stop, Turn, invalid};
use crate::address::UserId;
use crate::engine::sha256;
use crate::limits::{BLOB_BYTES_PER_USER_MAX, BLOB_CHUNK_BYTES, OBJECT_BYTES_MAX, UPLOAD_KEEP_MS};
use crate::store::{Space, StoreError};
use crate::wire::blob::{BlobChunk, BlobRef, GetBlob, Part, PutBlob};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest};

const BLOB: Space = "blob";
const CHUNK: Space = "blob_chunk";
const UPLOAD: Space = "upload";
const UPLOAD_CHUNK: Space = "upload_chunk";
const UNUSED: Space = "upload_unused";

/// A blob that is there.
#[derive(Clone, Copy, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct BlobRecord {
    size: u32,
    /// Kept until then, in any case.
    until_ms: u64,
    /// Waiting Welcomes that need it.
    holds: u32,
}

/// Bytes that an account has brought and that no request has used yet.
#[derive(Clone, Copy, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Upload {
    size: u32,
    received: u32,
}

impl Turn<'_> {
    /// Takes one chunk.
    pub(super) fn put_blob(&mut self, from: &UserId, put: &PutBlob) -> Result<Answer, Stop> {
        let size = usize::try_from(put.blob.size).unwrap_or(usize::MAX);
        if size > OBJECT_BYTES_MAX {
            return Err(too_large(OBJECT_BYTES_MAX));
        } else if put.bytes.len() > BLOB_CHUNK_BYTES {
            return Err(too_large(BLOB_CHUNK_BYTES));
        } else if put.bytes.is_empty() {
            return Err(invalid("a chunk has at least one byte"));
        } else if self.blob(&put.blob.hash)?.is_some() {
            return Ok(Answer::Done);
        }
        let key = upload_key(from, &put.blob.hash);
        let begun: Option<Upload> = self.store.read(UPLOAD, &key)?;
        let mut upload = match begun {
            Some(upload) if upload.size == put.blob.size => upload,
            Some(_) => return Err(invalid("the blob was begun with another size")),
            None => self.begin_upload(from, put)?,
        };
        let end = u32::try_from(put.bytes.len()).ok().and_then(|len| put.offset.checked_add(len));
        let end = end.filter(|end| *end <= upload.size).ok_or_else(|| invalid("too many bytes"))?;
        if end <= upload.received {
            return Ok(Answer::Done);
        } else if put.offset != upload.received {
            return Err(invalid(format!("the next chunk starts at {}", upload.received)));
        }
        self.store.put(UPLOAD_CHUNK, &chunk_key(&key, put.offset), put.bytes.clone());
        upload.received = end;
        self.store.write(UPLOAD, &key, &upload)?;
        if end == upload.size {
            self.finish_upload(&key, &put.blob)?;
        }
        Ok(Answer::Done)
    }

    /// Reads from one chunk: from the offset to the chunk's end.
    pub(super) fn get_blob(&self, get: &GetBlob) -> Result<Answer, Stop> {
        let record = self.blob(&get.hash)?.ok_or(Refusal::Gone)?;
        if get.offset > record.size {
            return Err(invalid(format!("the blob has {} bytes", record.size)));
        }
        let chunk_len = u32::try_from(BLOB_CHUNK_BYTES).unwrap_or(u32::MAX);
        let (index, skip) = (get.offset / chunk_len, get.offset % chunk_len);
        let chunk = self.store.get(CHUNK, &chunk_key(&get.hash.0, index))?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let bytes = chunk.and_then(|c| c.get(skip..).map(<[u8]>::to_vec)).unwrap_or_default();
        Ok(Answer::BlobChunk(BlobChunk { size: record.size, bytes }))
    }

    /// The bytes of a part of a request; what was uploaded for it counts as used.
    pub(super) fn part(&mut self, from: &UserId, part: &Part) -> Result<Vec<u8>, Stop> {
        let blob = match part {
            Part::Inline(bytes) if bytes.len() > OBJECT_BYTES_MAX => {
                return Err(too_large(OBJECT_BYTES_MAX));
            }
            Part::Inline(bytes) => return Ok(bytes.clone()),
            Part::Blob(blob) => blob,
        };
        let bytes = self.blob_bytes(&blob.hash)?.ok_or(Refusal::Gone)?;
        self.end_upload(&UploadKey { user: from.clone(), hash: blob.hash })?;
        Ok(bytes)
    }

    /// Whether a blob is kept.
    pub(super) fn has_blob(&self, hash: &Digest) -> Result<bool, StoreError> {
        Ok(self.blob(hash)?.is_some())
    }

    /// The bytes of a blob.
    pub(super) fn blob_bytes(&self, hash: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(record) = self.blob(hash)? else { return Ok(None) };
        let chunks = self.store.scan(CHUNK, &hash.0, b"", chunk_count(record.size))?;
        Ok(Some(chunks.iter().flat_map(|(_, chunk)| chunk.iter().copied()).collect()))
    }

    /// Stores bytes of the hub's own as a blob, for at least `keep_ms` from now.
    pub(super) fn keep_blob(&self, bytes: &[u8], keep_ms: u64) -> Result<BlobRef, StoreError> {
        let hash = sha256(bytes);
        let size = u32::try_from(bytes.len()).map_err(super::turn::machine)?;
        let until_ms = self.now_ms.saturating_add(keep_ms);
        let record = match self.blob(&hash)? {
            Some(known) => BlobRecord { until_ms: known.until_ms.max(until_ms), ..known },
            None => {
                self.put_chunks(&hash, bytes);
                BlobRecord { size, until_ms, holds: 0 }
            }
        };
        self.store.write(BLOB, &hash.0, &record)?;
        expire_at(self.store, record.until_ms, &Expiring::Blob(hash))?;
        Ok(BlobRef { hash, size })
    }

    /// A waiting Welcome needs the blob, or no longer does.
    pub(super) fn hold_blob(&self, hash: &Digest, hold: bool) -> Result<(), StoreError> {
        let Some(mut record) = self.blob(hash)? else { return Ok(()) };
        record.holds =
            if hold { record.holds.saturating_add(1) } else { record.holds.saturating_sub(1) };
        self.store.write(BLOB, &hash.0, &record)?;
        if record.holds == 0 {
            expire_at(self.store, record.until_ms.max(self.now_ms), &Expiring::Blob(*hash))?;
        }
        Ok(())
    }

    /// Takes a blob away if its time is over and nobody holds it.
    pub(super) fn expire_blob(&self, hash: &Digest) -> Result<(), StoreError> {
        let Some(record) = self.blob(hash)? else { return Ok(()) };
        if record.holds == 0 && record.until_ms <= self.now_ms {
            for (key, _) in self.store.scan(CHUNK, &hash.0, b"", chunk_count(record.size))? {
                self.store.delete(CHUNK, &key);
            }
            self.store.delete(BLOB, &hash.0);
        }
        Ok(())
    }

    /// An upload was used, or its time is over: it no longer counts against its account.
    pub(super) fn end_upload(&self, upload: &UploadKey) -> Result<(), StoreError> {
        let key = upload_key(&upload.user, &upload.hash);
        let Some(begun) = self.store.read::<Upload>(UPLOAD, &key)? else { return Ok(()) };
        self.delete_upload_chunks(&key, begun.size)?;
        self.store.delete(UPLOAD, &key);
        let unused = self.unused(&upload.user)?.saturating_sub(begun.size);
        self.store.write(UNUSED, upload.user.as_str().as_bytes(), &unused)
    }

    fn begin_upload(&self, from: &UserId, put: &PutBlob) -> Result<Upload, Stop> {
        let unused = self.unused(from)?.saturating_add(put.blob.size);
        if usize::try_from(unused).unwrap_or(usize::MAX) > BLOB_BYTES_PER_USER_MAX {
            return Err(too_large(BLOB_BYTES_PER_USER_MAX));
        }
        self.store.write(UNUSED, from.as_str().as_bytes(), &unused)?;
        let key = UploadKey { user: from.clone(), hash: put.blob.hash };
        let end = self.now_ms.saturating_add(UPLOAD_KEEP_MS);
        expire_at(self.store, end, &Expiring::Upload(key))?;
        Ok(Upload { size: put.blob.size, received: 0 })
    }

    fn finish_upload(&mut self, key: &[u8], blob: &BlobRef) -> Result<(), Stop> {
        let chunks = self.store.scan(UPLOAD_CHUNK, key, b"", OBJECT_BYTES_MAX)?;
        let bytes: Vec<u8> = chunks.iter().flat_map(|(_, chunk)| chunk.iter().copied()).collect();
        if sha256(&bytes) != blob.hash {
            return Err(invalid(
                "the bytes do not have this hash: begin again under the right one",
            ));
        }
        self.delete_upload_chunks(key, blob.size)?;
        // As long as it counts against its account; what uses it keeps its own.
        self.keep_blob(&bytes, UPLOAD_KEEP_MS)?;
        Ok(())
    }

    fn delete_upload_chunks(&self, key: &[u8], size: u32) -> Result<(), StoreError> {
        let count = usize::try_from(size).unwrap_or(usize::MAX);
        for (key, _) in self.store.scan(UPLOAD_CHUNK, key, b"", count)? {
            self.store.delete(UPLOAD_CHUNK, &key);
        }
        Ok(())
    }

    fn put_chunks(&self, hash: &Digest, bytes: &[u8]) {
        for (index, chunk) in (0u32..).zip(bytes.chunks(BLOB_CHUNK_BYTES)) {
            self.store.put(CHUNK, &chunk_key(&hash.0, index), chunk.to_vec());
        }
    }

    fn blob(&self, hash: &Digest) -> Result<Option<BlobRecord>, StoreError> {
        self.store.read(BLOB, &hash.0)
    }

    fn unused(&self, user: &UserId) -> Result<u32, StoreError> {
        Ok(self.store.read(UNUSED, user.as_str().as_bytes())?.unwrap_or(0))
    }
}

fn too_large(max: usize) -> Stop {
    Stop::Refused(Refusal::TooLarge(u32::try_from(max).unwrap_or(u32::MAX)))
}

fn chunk_count(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX).div_ceil(BLOB_CHUNK_BYTES)
}

fn upload_key(user: &UserId, hash: &Digest) -> Vec<u8> {
    [user.as_str().as_bytes(), &[0], &hash.0].concat()
}

fn chunk_key(of: &[u8], number: u32) -> Vec<u8> {
    [of, &number.to_be_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(BlobRecord, Upload);
