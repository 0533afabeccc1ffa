//! Evidence that this device came upon: kept, told once, and given out as bytes for others.

use super::Member;
use super::alarm::{Alarm, HubContradicts};
use super::seen::group_prefix;
use crate::engine::sha256;
use crate::evidence::{Evidence, TwoReceipts};
use crate::limits::EVIDENCE_PER_GROUP_MAX;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

/// Encoded evidence, by group, kind and its hash.
const EVIDENCE: Space = "evidence";

impl Member {
    /// What this device has against anybody in a group: encoded [`Evidence`], at most
    /// [`EVIDENCE_PER_GROUP_MAX`] of each kind, to be handed to others as it is. It stays when the group goes.
    pub fn evidence(&self, group: &GroupId) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = group_prefix(group);
        let most = EVIDENCE_PER_GROUP_MAX.saturating_mul(2);
        let kept = self.overlay.scan(EVIDENCE, &prefix, &prefix, most)?;
        Ok(kept.into_iter().map(|(_, bytes)| bytes.to_vec()).collect())
    }

    /// Keeps evidence; its hash, unless it is known already or there is enough of it.
    pub(super) fn keep_evidence(&self, evidence: &Evidence) -> Result<Option<Digest>, StoreError> {
        let bytes = evidence.to_bytes().map_err(|e| StoreError(e.to_string()))?;
        // Apart by kind: what a member can sign leaves the hub's place free.
        let kind = match evidence {
            Evidence::Receipts(_) => 1,
            Evidence::Checkpoint(_) => 2,
        };
        let prefix = [group_prefix(evidence.group()), vec![kind]].concat();
        let hash = sha256(&bytes);
        let key = [prefix.as_slice(), &hash.0].concat();
        let kept = self.overlay.scan(EVIDENCE, &prefix, &prefix, EVIDENCE_PER_GROUP_MAX)?;
        if kept.len() >= EVIDENCE_PER_GROUP_MAX || kept.iter().any(|(k, _)| *k == key) {
            return Ok(None);
        }
        self.overlay.put(EVIDENCE, &key, bytes);
        Ok(Some(hash))
    }

    /// The hub signed two orders of a group: people are told, and nothing else happens.
    pub(super) fn hub_contradicts(&mut self, two: TwoReceipts) -> Result<(), StoreError> {
        let group = two.first.receipt.tbs.group.clone();
        let seq = two.second.receipt.tbs.seq;
        match self.keep_evidence(&Evidence::Receipts(two))? {
            Some(evidence) => {
                self.alarm(&group, Alarm::HubContradicts(HubContradicts { seq, evidence }))
            }
            None => Ok(()),
        }
    }
}
