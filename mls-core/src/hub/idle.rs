//! Leaves that nobody renews: their removal is proposed while they are still valid (RFC 9750 7).
//!
//! A device that is away for good would keep its leaf's keys in the tree for ever, and a leaf whose
//! lifetime has ended keeps others from reading the group anew. So each leaf has a time until which
//! it must have been renewed; a commit with a path, an Update or a return renews it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::expiry::{Expiring, expire_at};
use super::group_record;
use super::turn::Turn;
use crate::address::ClientId;
use crate::limits::DAY_MS;
use crate::policy::{LEAF_IDLE_MS, LEAF_LIFETIME_LEFT_MS};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Until when each leaf must be renewed, by group and client, in milliseconds since 1970.
const SPACE: Space = "leaf_until";
/// A removal that was proposed is looked at again after this.
const AGAIN_MS: u64 = 7 * DAY_MS;

/// One leaf.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct LeafKey {
    /// The group.
    pub(super) group: GroupId,
    /// Whose leaf it is.
    pub(super) client: ClientId,
}

impl Turn<'_> {
    /// A leaf came, with a key package that ends at `end_ms`.
    pub(super) fn leaf_came(
        &self,
        group: &GroupId,
        client: &ClientId,
        end_ms: u64,
    ) -> Result<(), StoreError> {
        let until_ms = end_ms
            .saturating_sub(LEAF_LIFETIME_LEFT_MS)
            .min(self.now_ms.saturating_add(LEAF_IDLE_MS));
        self.store.write(SPACE, &key(group, client), &until_ms)?;
        let leaf = LeafKey { group: group.clone(), client: client.clone() };
        expire_at(self.store, until_ms, &Expiring::IdleLeaf(leaf))
    }

    /// A leaf was renewed. It is looked at when its former time has come.
    pub(super) fn leaf_renewed(
        &self,
        group: &GroupId,
        client: &ClientId,
    ) -> Result<(), StoreError> {
        let until_ms = self.now_ms.saturating_add(LEAF_IDLE_MS);
        self.store.write(SPACE, &key(group, client), &until_ms)
    }

    /// A leaf went.
    pub(super) fn leaf_went(&self, group: &GroupId, client: &ClientId) {
        self.store.delete(SPACE, &key(group, client));
    }

    /// A leaf's time may have come.
    pub(super) fn look_at_leaf(&mut self, leaf: &LeafKey) -> Result<(), StoreError> {
        let LeafKey { group, client } = leaf;
        let Some(until_ms) = self.store.read::<u64>(SPACE, &key(group, client))? else {
            return Ok(());
        };
        if until_ms > self.now_ms {
            return expire_at(self.store, until_ms, &Expiring::IdleLeaf(leaf.clone()));
        }
        let record = group_record::read(self.store, group)?;
        let Some(mut record) = record.filter(|record| record.successor.is_none()) else {
            return Ok(());
        };
        self.propose_removal_of(&mut record, client)?;
        let again_ms = self.now_ms.saturating_add(AGAIN_MS);
        expire_at(self.store, again_ms, &Expiring::IdleLeaf(leaf.clone()))
    }
}

fn key(group: &GroupId, client: &ClientId) -> Vec<u8> {
    [group.0.as_slice(), client.as_str().as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(LeafKey);
