//! The last handshakes of each group with their receipts, to hold others against them.
//!
//! A hub that tells two stories shows by two receipts of its own. The first of them is one that
//! this device followed, so those are kept for a while: [`HANDSHAKES_REMEMBERED`] a group, one
//! small row a handshake, and its message where that is small.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::group_record::GroupRecord;
use super::handshake::signed;
use super::seen::group_prefix;
use crate::evidence::{MessageBytes, Receipted, TwoReceipts, contradict};
use crate::limits::{HANDSHAKES_REMEMBERED, INLINE_BYTES_MAX};
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::handshake::Handshake;

/// Handshakes that were followed, by group and seq.
const FOLLOWED: Space = "followed_handshake";

/// One that was followed.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Followed {
    receipted: Receipted,
}

impl Member {
    /// A handshake has the group's next receipt.
    pub(super) fn remember_handshake(
        &self,
        receipt: &Receipt,
        message: &[u8],
    ) -> Result<(), StoreError> {
        let tbs = &receipt.tbs;
        let followed = Followed { receipted: receipted(receipt, message) };
        self.overlay.write(FOLLOWED, &key(&tbs.group, tbs.seq), &followed)?;
        if let Some(old) = tbs.seq.checked_sub(HANDSHAKES_REMEMBERED) {
            self.overlay.delete(FOLLOWED, &key(&tbs.group, old));
        }
        Ok(())
    }

    /// The receipt that this device followed at `seq`, if it still knows.
    pub(super) fn followed(
        &self,
        record: &GroupRecord,
        seq: u64,
    ) -> Result<Option<Receipted>, StoreError> {
        let followed: Option<Followed> = self.overlay.read(FOLLOWED, &key(&record.group, seq))?;
        let last = record.last_receipt.as_ref().filter(|last| last.tbs.seq == seq);
        let last = last.map(|last| Receipted { receipt: last.clone(), message: None });
        Ok(followed.map(|followed| followed.receipted).or(last))
    }

    /// What `receipt`, which the hub signed, contradicts among what this device followed.
    pub(super) fn contradiction(
        &self,
        record: &GroupRecord,
        receipt: &Receipt,
        message: &[u8],
    ) -> Result<Option<TwoReceipts>, StoreError> {
        let seq = receipt.tbs.seq;
        for known in [Some(seq), seq.checked_sub(1)].into_iter().flatten() {
            let Some(first) = self.followed(record, known)? else { continue };
            if contradict(&first.receipt, receipt).map_err(|e| StoreError(e.to_string()))? {
                return Ok(Some(TwoReceipts { first, second: receipted(receipt, message) }));
            }
        }
        Ok(None)
    }

    /// A second handshake came before its turn, for a place for which one waits. Before a group is
    /// joined nothing of it was checked, so the receipts are here.
    pub(super) fn early_twice(
        &mut self,
        before: &Handshake,
        now: &Handshake,
    ) -> Result<(), StoreError> {
        let Some(record) = self.record(&now.group) else { return Ok(()) };
        let signed = |handshake: &Handshake| {
            let message = handshake.message.inline()?;
            signed(record, handshake, message).ok().map(|receipt| receipted(&receipt, message))
        };
        let (Some(first), Some(second)) = (signed(before), signed(now)) else { return Ok(()) };
        match contradict(&first.receipt, &second.receipt) {
            Ok(true) => self.hub_contradicts(TwoReceipts { first, second }),
            _ => Ok(()),
        }
    }

    /// Forgets the handshakes of a group that begins anew for this device.
    pub(super) fn forget_followed(&self, group: &GroupId) -> Result<(), StoreError> {
        let (prefix, most) = (group_prefix(group), usize::from(u16::MAX));
        for (key, _) in self.overlay.scan(FOLLOWED, &prefix, &prefix, most)? {
            self.overlay.delete(FOLLOWED, &key);
        }
        Ok(())
    }
}

fn receipted(receipt: &Receipt, message: &[u8]) -> Receipted {
    let small = message.len() <= INLINE_BYTES_MAX;
    let message = small.then(|| MessageBytes(message.to_vec()));
    Receipted { receipt: receipt.clone(), message }
}

fn key(group: &GroupId, seq: u64) -> Vec<u8> {
    [group_prefix(group), seq.to_be_bytes().to_vec()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Followed);
