//! Moves what is too large for one event or stanza: parts go to the hub as blobs before their
//! request, and come from it chunk by chunk, each blob checked against its hash.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use mls_core::limits::{BLOB_CHUNK_BYTES, INLINE_BYTES_MAX, OBJECT_BYTES_MAX, REQUEST_RETRY_MS};
use mls_core::wire::blob::{BlobRef, GetBlob, Part, PutBlob};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Digest, Request};
use thiserror::Error;

/// All blobs of one answer or notice together, in bytes: a full page of large handshakes.
const FETCH_BYTES_MAX: usize = 8 * OBJECT_BYTES_MAX;
/// How often one chunk is asked for again when the hub says "not now".
const ATTEMPTS_MAX: u32 = 20;

/// Somebody who answers requests; asks again by itself until there is an answer.
pub(crate) trait Hub {
    /// Asks, and waits for the answer.
    fn ask(&self, request: Request) -> impl Future<Output = Result<Answer, Refusal>> + Send;
}

/// A part that cannot be moved.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum CourierError {
    /// The hub does not take or give a chunk.
    #[error("the hub refuses a blob: {0}")]
    Refused(Refusal),
    /// Ours: an object beyond every limit. Or theirs: a reference to one.
    #[error("a part of {0} bytes is beyond the limit")]
    TooLarge(usize),
    /// The hub's fault: the bytes are not those that the reference names.
    #[error("the hub gave other bytes than those of blob {0}")]
    WrongBytes(Digest),
    /// The hub's fault: an answer to another question.
    #[error("the hub answers a blob request with something else")]
    WrongAnswer,
}

impl CourierError {
    /// What to tell the member that asked: the hub's own word, or one that fits.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::TooLarge(_) => Refusal::TooLarge(OBJECT_BYTES_MAX as u32),
            Self::WrongBytes(_) | Self::WrongAnswer => Refusal::Unavailable(REQUEST_RETRY_MS),
        }
    }
}

/// Stores parts at the hub, largest first, until what is left fits inline.
pub(crate) async fn store_parts(hub: &impl Hub, request: &mut Request) -> Result<(), CourierError> {
    let mut parts = request.parts_mut();
    parts.sort_by_key(|part| std::cmp::Reverse(part.inline_len()));
    let mut inline: usize = parts.iter().map(|part| part.inline_len()).sum();
    for part in parts {
        if inline <= INLINE_BYTES_MAX {
            break;
        }
        if let Part::Inline(bytes) = part {
            inline = inline.saturating_sub(bytes.len());
            let blob = store(hub, bytes).await?;
            *part = Part::Blob(blob);
        }
    }
    Ok(())
}

/// Fetches all parts that came as blobs and puts their bytes in their places.
pub(crate) async fn fetch_parts(hub: &impl Hub, parts: Vec<&mut Part>) -> Result<(), CourierError> {
    let total: usize = parts.iter().filter_map(|part| blob(part)).map(|b| b.size as usize).sum();
    if total > FETCH_BYTES_MAX {
        return Err(CourierError::TooLarge(total));
    }
    for part in parts {
        if let Part::Blob(reference) = part {
            let bytes = fetch(hub, *reference).await?;
            *part = Part::Inline(bytes);
        }
    }
    Ok(())
}

/// Whether any of the parts came as a blob.
pub(crate) fn any_blob(parts: &[&mut Part]) -> bool {
    parts.iter().any(|part| blob(part).is_some())
}

fn blob(part: &Part) -> Option<BlobRef> {
    match part {
        Part::Blob(reference) => Some(*reference),
        Part::Inline(_) => None,
    }
}

async fn store(hub: &impl Hub, bytes: &[u8]) -> Result<BlobRef, CourierError> {
    let size = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= OBJECT_BYTES_MAX);
    let size = size.ok_or(CourierError::TooLarge(bytes.len()))?;
    let blob = BlobRef { hash: hash(bytes), size };
    let mut offset = 0;
    for chunk in bytes.chunks(BLOB_CHUNK_BYTES) {
        let put = PutBlob { blob, offset, bytes: chunk.to_vec() };
        match ask_patiently(hub, Request::PutBlob(put)).await? {
            Answer::Done => offset += chunk.len() as u32,
            _ => return Err(CourierError::WrongAnswer),
        }
    }
    Ok(blob)
}

async fn fetch(hub: &impl Hub, blob: BlobRef) -> Result<Vec<u8>, CourierError> {
    let size = blob.size as usize;
    if size > OBJECT_BYTES_MAX {
        return Err(CourierError::TooLarge(size));
    }
    // Grows with what really comes, for the size is only what somebody claims.
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let get = GetBlob { hash: blob.hash, offset: bytes.len() as u32 };
        let Answer::BlobChunk(chunk) = ask_patiently(hub, Request::GetBlob(get)).await? else {
            return Err(CourierError::WrongAnswer);
        };
        let fits = chunk.bytes.len() <= BLOB_CHUNK_BYTES.min(size - bytes.len());
        if chunk.size != blob.size || chunk.bytes.is_empty() || !fits {
            return Err(CourierError::WrongBytes(blob.hash));
        }
        bytes.extend_from_slice(&chunk.bytes);
    }
    if hash(&bytes) == blob.hash { Ok(bytes) } else { Err(CourierError::WrongBytes(blob.hash)) }
}

/// Asks again, after the wait that the hub names, when it says "not now".
async fn ask_patiently(hub: &impl Hub, request: Request) -> Result<Answer, CourierError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let wait_ms = match hub.ask(request.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(Refusal::RateLimited(ms) | Refusal::Unavailable(ms)) if attempt < ATTEMPTS_MAX => {
                ms
            }
            Err(refusal) => return Err(CourierError::Refused(refusal)),
        };
        tokio::time::sleep(Duration::from_millis(wait_ms.clamp(100, 60_000))).await;
    }
}

fn hash(bytes: &[u8]) -> Digest {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Digest(hash)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
    use mls_core::wire::GroupId;
    use mls_core::wire::blob::BlobChunk;
    use mls_core::wire::submit_commit::SubmitCommit;

    use super::*;

    /// Keeps blobs as a hub does, and can be told to misbehave.
    #[derive(Default)]
    struct FakeHub {
        blobs: Mutex<BTreeMap<Digest, Vec<u8>>>,
        asked: Mutex<Vec<Request>>,
        spoil: Option<fn(&mut BlobChunk)>,
        busy: Mutex<u32>,
    }

    impl Hub for FakeHub {
        async fn ask(&self, request: Request) -> Result<Answer, Refusal> {
            fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
                mutex.lock().unwrap_or_else(PoisonError::into_inner)
            }
            lock(&self.asked).push(request.clone());
            let mut busy = lock(&self.busy);
            if *busy > 0 {
                *busy -= 1;
                return Err(Refusal::RateLimited(1));
            }
            let mut blobs = lock(&self.blobs);
            match request {
                Request::PutBlob(put) => {
                    let blob = blobs.entry(put.blob.hash).or_default();
                    assert_eq!(blob.len(), put.offset as usize, "chunks come in order");
                    assert!(put.bytes.len() <= BLOB_CHUNK_BYTES);
                    blob.extend(put.bytes);
                    Ok(Answer::Done)
                }
                Request::GetBlob(get) => {
                    let blob = blobs.get(&get.hash).ok_or(Refusal::Gone)?;
                    let end = blob.len().min(get.offset as usize + BLOB_CHUNK_BYTES);
                    let bytes = blob[get.offset as usize..end].to_vec();
                    let mut chunk = BlobChunk { size: blob.len() as u32, bytes };
                    if let Some(spoil) = self.spoil {
                        spoil(&mut chunk);
                    }
                    Ok(Answer::BlobChunk(chunk))
                }
                _ => Err(Refusal::Unsupported),
            }
        }
    }

    fn commit(commit: usize, welcome: usize, group_info: usize) -> Request {
        Request::SubmitCommit(SubmitCommit {
            group: GroupId(vec![1]),
            epoch: 1,
            after_seq: 0,
            commit: vec![1; commit].into(),
            welcome: Some(vec![2; welcome].into()),
            group_info: vec![3; group_info].into(),
            handshake_key: HandshakeKey::from_exported(&[5; LENGTH]).unwrap(),
            signature: vec![4],
        })
    }

    /// Runs to the end, however often it waits.
    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn parts_travel_as_blobs_largest_first_until_the_rest_fits_and_come_back_whole() {
        let limit = INLINE_BYTES_MAX;
        for (sizes, blobs) in [
            ([10, 20, 30], [false, false, false]),
            ([limit - 20, 10, 10], [false, false, false]),
            ([limit - 19, 10, 10], [true, false, false]),
            ([10, 200_000, 10], [false, true, false]),
            ([limit, limit - 10, 10], [true, false, false]),
            ([limit, limit + 1, limit + 2], [false, true, true]),
            ([0, OBJECT_BYTES_MAX, 0], [false, true, false]),
        ] {
            let hub = FakeHub::default();
            let original = commit(sizes[0], sizes[1], sizes[2]);
            let mut request = original.clone();
            run(store_parts(&hub, &mut request)).unwrap();
            let Request::SubmitCommit(sent) = &request else { panic!("another request") };
            let parts = [&sent.commit, sent.welcome.as_ref().unwrap(), &sent.group_info];
            assert_eq!(parts.map(|part| part.inline().is_none()), blobs, "{sizes:?}");
            run(fetch_parts(&hub, request.parts_mut())).unwrap();
            assert!(request == original, "{sizes:?} came back different");
        }
    }

    #[test]
    fn a_part_beyond_the_limit_is_refused_before_anything_is_sent() {
        let hub = FakeHub::default();
        let mut request = commit(OBJECT_BYTES_MAX + 1, 1, 1);
        let result = run(store_parts(&hub, &mut request));
        assert_eq!(result, Err(CourierError::TooLarge(OBJECT_BYTES_MAX + 1)));
        let reference = BlobRef { hash: hash(b"x"), size: OBJECT_BYTES_MAX as u32 + 1 };
        let mut part = Part::Blob(reference);
        let result = run(fetch_parts(&hub, vec![&mut part]));
        assert_eq!(result, Err(CourierError::TooLarge(OBJECT_BYTES_MAX + 1)));
        assert!(hub.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn bytes_that_are_not_the_blob_are_refused() {
        let spoilers: [fn(&mut BlobChunk); 5] = [
            |chunk| chunk.bytes[0] ^= 1,
            |chunk| chunk.size += 1,
            |chunk| chunk.bytes.clear(),
            |chunk| chunk.bytes.push(0),
            |chunk| chunk.bytes.resize(BLOB_CHUNK_BYTES + 1, 0),
        ];
        for spoil in spoilers {
            let hub = FakeHub { spoil: Some(spoil), ..FakeHub::default() };
            let blob = run(store(&hub, &[7; 1000])).unwrap();
            let mut part = Part::Blob(blob);
            let result = run(fetch_parts(&hub, vec![&mut part]));
            assert_eq!(result, Err(CourierError::WrongBytes(blob.hash)));
        }
    }

    #[test]
    fn a_busy_hub_is_asked_again_and_a_refusal_is_passed_on() {
        let hub = FakeHub { busy: Mutex::new(3), ..FakeHub::default() };
        let blob = run(store(&hub, b"bytes")).unwrap();
        assert_eq!(hub.asked.lock().unwrap().len(), 4);
        let missing = BlobRef { hash: hash(b"other"), ..blob };
        let result = run(fetch_parts(&hub, vec![&mut Part::Blob(missing)]));
        assert_eq!(result.unwrap_err().into_refusal(), Refusal::Gone);
    }
}
