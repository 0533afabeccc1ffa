//! The one order of a group: each accepted handshake gets the next receipt, is kept, and is
//! posted into every room.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::GroupRecord;
use super::public_group::write_snapshot;
use super::turn::{Turn, effect_id, machine};
use super::{Effect, PostHandshake, handshake_keys};
use crate::address::UserId;
use crate::engine::{PublicGroup, sha256};
use crate::limits::{
    BLOB_KEEP_MS, HANDSHAKE_KEEP_MS, HANDSHAKES_KEPT_MAX, HANDSHAKES_PER_SNAPSHOT, INLINE_BYTES_MAX,
};
use crate::overlay::Overlay;
use crate::receipt::{Receipt, ReceiptKind};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::blob::Part;
use crate::wire::handshake::Handshake;

const SPACE: Space = "handshake";
const BY_HASH: Space = "handshake_by_hash";
/// Old handshakes taken away with each new one, so that a long log shrinks step by step.
const FORGOTTEN_AT_ONCE: usize = 4;

/// One handshake of the log; the entry at seq 0 is the registration and holds no message.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct LogEntry {
    /// Its receipt.
    pub(super) receipt: Receipt,
    /// The MLSMessage.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) message: Vec<u8>,
}

/// Where a message stands in the order, and who submitted it.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Accepted {
    seq: u64,
    by: UserId,
}

/// One handshake, if it is still kept.
pub(super) fn read(
    store: &Overlay,
    group: &GroupId,
    seq: u64,
) -> Result<Option<LogEntry>, StoreError> {
    store.read(SPACE, &key(group, seq))
}

/// Stores one handshake.
pub(super) fn write(store: &Overlay, group: &GroupId, entry: &LogEntry) -> Result<(), StoreError> {
    store.write(SPACE, &key(group, entry.receipt.tbs.seq), entry)
}

/// The receipt that the same message got when `by` submitted it before.
pub(super) fn accepted_before(
    store: &Overlay,
    group: &GroupId,
    message: &[u8],
    by: &UserId,
) -> Result<Option<Receipt>, StoreError> {
    let accepted: Option<Accepted> = store.read(BY_HASH, &hash_key(group, message))?;
    match accepted {
        Some(accepted) if accepted.by == *by => {
            Ok(read(store, group, accepted.seq)?.map(|entry| entry.receipt))
        }
        _ => Ok(None),
    }
}

/// Remembers who submitted the message that was accepted as `seq`.
pub(super) fn remember_submitter(
    store: &Overlay,
    group: &GroupId,
    message: &[u8],
    seq: u64,
    by: &UserId,
) -> Result<(), StoreError> {
    store.write(BY_HASH, &hash_key(group, message), &Accepted { seq, by: by.clone() })
}

impl Turn<'_> {
    /// Accepts a handshake: `public` is the group's state after it. Writes the record.
    pub(super) fn append(
        &mut self,
        record: &mut GroupRecord,
        kind: ReceiptKind,
        message: &[u8],
        public: &PublicGroup,
    ) -> Result<Receipt, StoreError> {
        let receipt = Receipt::sign(
            &self.keys.of(&record.receipt_key)?.receipt,
            Some(&record.last),
            kind,
            &record.group,
            record.epoch,
            message,
            record.receipt_time(self.now_ms),
        )
        .map_err(machine)?;
        let entry = LogEntry { receipt: receipt.clone(), message: message.to_vec() };
        write(self.store, &record.group, &entry)?;
        self.post(record, &entry)?;
        record.last = receipt.clone();
        record.epoch = public.group_context().epoch;
        if kind == ReceiptKind::Commit {
            record.proposals = 0;
        }
        if record.seq() - record.snapshot_seq >= HANDSHAKES_PER_SNAPSHOT {
            write_snapshot(self.store, &record.group, record.seq(), public)?;
            record.snapshot_seq = record.seq();
        }
        self.forget_old(record)?;
        record.write(self.store)?;
        Ok(receipt)
    }

    /// The handshake as it travels, its message inline if it is at most `inline_max` long.
    pub(super) fn handshake(
        &mut self,
        group: &GroupId,
        entry: &LogEntry,
        inline_max: usize,
    ) -> Result<Handshake, StoreError> {
        let message = if entry.message.len() <= inline_max {
            Part::Inline(entry.message.clone())
        } else {
            Part::Blob(self.keep_blob(&entry.message, BLOB_KEEP_MS)?)
        };
        Ok(Handshake {
            group: group.clone(),
            seq: entry.receipt.tbs.seq,
            epoch: entry.receipt.tbs.epoch,
            message,
            receipt: entry.receipt.to_bytes().map_err(machine)?,
        })
    }

    fn post(&mut self, record: &GroupRecord, entry: &LogEntry) -> Result<(), StoreError> {
        let receipt_len = entry.receipt.mls_encoded_len();
        let inline_max = INLINE_BYTES_MAX.saturating_sub(receipt_len);
        let handshake = self.handshake(&record.group, entry, inline_max)?;
        let handshake = handshake_keys::seal(self.store, &handshake)?;
        for room in &record.rooms {
            let seq = handshake.seq.to_be_bytes();
            let id = effect_id("handshake", &[room.address.as_bytes(), &record.group.0, &seq]);
            let post = PostHandshake { id, room: room.clone(), handshake: handshake.clone() };
            self.effects.push(Effect::PostHandshake(post));
        }
        Ok(())
    }

    /// Takes away what is too old or too much, but nothing that the newest snapshot needs.
    fn forget_old(&self, record: &mut GroupRecord) -> Result<(), StoreError> {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let seq = record.oldest_seq;
            let Some(entry) = read(self.store, &record.group, seq)? else { break };
            let age_ms = self.now_ms.saturating_sub(entry.receipt.tbs.time_ms);
            if seq >= record.snapshot_seq || !is_over(record.seq() - seq, age_ms) {
                break;
            }
            self.store.delete(SPACE, &key(&record.group, seq));
            self.store.delete(BY_HASH, &hash_key(&record.group, &entry.message));
            record.oldest_seq += 1;
        }
        Ok(())
    }
}

/// Whether a handshake is kept no longer: so many came after it, or it is so old.
fn is_over(later: u64, age_ms: u64) -> bool {
    later >= HANDSHAKES_KEPT_MAX || age_ms > HANDSHAKE_KEEP_MS
}

fn key(group: &GroupId, seq: u64) -> Vec<u8> {
    [group.0.as_slice(), &seq.to_be_bytes()].concat()
}

fn hash_key(group: &GroupId, message: &[u8]) -> Vec<u8> {
    [group.0.as_slice(), &sha256(message).0].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(LogEntry, Accepted);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_kept_until_it_is_too_old_or_too_many_came_after_it() {
        assert!(!is_over(HANDSHAKES_KEPT_MAX - 1, HANDSHAKE_KEEP_MS));
        assert!(is_over(HANDSHAKES_KEPT_MAX, 0));
        assert!(is_over(0, HANDSHAKE_KEEP_MS + 1));
    }
}
