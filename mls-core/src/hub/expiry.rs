//! What is to be taken away, and when: one index in order of time for everything that ends.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::idle::LeafKey;
use super::knock::KnockKey;
use super::turn::machine;
use crate::address::{ClientId, UserId};
use crate::engine::sha256;
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

const SPACE: Space = "expiry";

/// Something that ends.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum Expiring {
    /// A remembered answer.
    Answer(Digest) = 1u8,
    /// A blob that may no longer be needed.
    Blob(Digest) = 2u8,
    /// An upload that was begun.
    Upload(UploadKey) = 3u8,
    /// A Welcome that waits.
    Welcome(WelcomeKey) = 4u8,
    /// The record of a claimed key package.
    Claim(ClaimKey) = 5u8,
    /// A job that is not done: its asker has waited long enough.
    SlowJob(Digest) = 6u8,
    /// A job that will never be done.
    Job(Digest) = 7u8,
    /// The mark of a key package that was published once.
    PublishedPackage(Digest) = 8u8,
    /// A leaf that must have been renewed by then.
    IdleLeaf(LeafKey) = 9u8,
    /// A request for a credential that the homeserver never spoke to.
    CredentialJob(Digest) = 31u8,
    /// A knock that nobody answered.
    Knock(KnockKey) = 60u8,
}

/// Whose upload of which blob.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct UploadKey {
    /// Who uploads.
    pub(super) user: UserId,
    /// SHA-256 of the blob.
    pub(super) hash: Digest,
}

/// Which Welcome of which client.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct WelcomeKey {
    /// For whom.
    pub(super) client: ClientId,
    /// Its id.
    pub(super) id: Digest,
}

/// Which key package was claimed for which group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct ClaimKey {
    /// The group.
    pub(super) group: GroupId,
    /// The KeyPackageRef.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) reference: Vec<u8>,
}

/// Remembers that `what` ends at `at_ms`. Said twice for two times, it is looked at twice.
pub(super) fn expire_at(store: &Overlay, at_ms: u64, what: &Expiring) -> Result<(), StoreError> {
    let bytes = what.mls_encode_to_vec().map_err(machine)?;
    let key = [at_ms.to_be_bytes().as_slice(), &sha256(&bytes).0].concat();
    store.put(SPACE, &key, bytes);
    Ok(())
}

/// Takes from the index at most `limit` things that ended by `now_ms`, the oldest first.
pub(super) fn take_due(
    store: &Overlay,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<Expiring>, StoreError> {
    let mut due = Vec::new();
    for (key, value) in store.scan(SPACE, b"", b"", limit)? {
        if key.get(..8).is_some_and(|at| at > now_ms.to_be_bytes().as_slice()) {
            break;
        }
        due.push(decode(SPACE, &value)?);
        store.delete(SPACE, &key);
    }
    Ok(due)
}

#[cfg(test)]
crate::codec_properties::hold!(Expiring, UploadKey, WelcomeKey, ClaimKey);
