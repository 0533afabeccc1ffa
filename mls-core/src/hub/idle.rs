//! Leaves that nobody renews: their removal is proposed while they are still valid (RFC 9750 7).
//!
//! A device that is away for good would keep its leaf's keys in the tree for ever, and a leaf whose
//! lifetime has ended keeps others from reading the group anew. So each leaf has a time until which
//! it must have been renewed; a commit with a path, an Update or a return renews it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::identity::SigningIdentity;

use super::commit_check::Change;
use super::expiry::{Expiring, expire_at};
use super::group_record;
use super::group_record::bridge_group;
use super::turn::{Turn, machine};
use crate::address::{ClientId, UserId};
use crate::bridge_group::BridgeGroup;
use crate::engine::PublicGroup;
use crate::identity::{Standing, check_leaf, client_id};
use crate::limits::{IDLE_AGAIN_MS, MEMBERS_MAX};
use crate::overlay::Overlay;
use crate::policy::{LEAF_IDLE_MS, LEAF_LIFETIME_LEFT_MS};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Until when each leaf must be renewed, by group and client, in milliseconds since 1970.
const SPACE: Space = "leaf_until";

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
    /// Notes until when the leaves that a commit brought or renewed must be renewed again.
    pub(super) fn note_leaves(
        &self,
        group: &GroupId,
        change: &Change,
        after: &PublicGroup,
    ) -> Result<(), StoreError> {
        for client in change.removed.values() {
            self.leaf_went(group, client);
        }
        for fit in &change.added {
            self.leaf_came(group, &fit.client, fit.until_ms)?;
        }
        if let Some(client) = &change.joined {
            self.leaf_came(group, client, u64::MAX)?;
        }
        let bound = bridge_group(after)?;
        for (client, identity) in &change.renewed {
            self.leaf_renewed(group, client, certificate_end_ms(identity, &bound))?;
        }
        if change.resettled { self.judge_leaves_anew(group, after) } else { Ok(()) }
    }

    /// A leaf came, with a key package or a certificate that ends at `end_ms`.
    fn leaf_came(&self, group: &GroupId, client: &ClientId, end_ms: u64) -> Result<(), StoreError> {
        let until_ms = self.good_until_ms(end_ms);
        self.store.write(SPACE, &key(group, client), &until_ms)?;
        let leaf = LeafKey { group: group.clone(), client: client.clone() };
        expire_at(self.store, until_ms, &Expiring::IdleLeaf(leaf))
    }

    /// A group came, with all its leaves.
    pub(super) fn leaves_came(
        &self,
        group: &GroupId,
        public: &PublicGroup,
    ) -> Result<(), StoreError> {
        let bound = bridge_group(public)?;
        public.roster().member_identities_iter().try_for_each(|identity| {
            let client = client_id(identity).map_err(machine)?;
            self.leaf_came(group, &client, certificate_end_ms(identity, &bound))
        })
    }

    /// The group asks for something else of its leaves.
    fn judge_leaves_anew(&self, group: &GroupId, public: &PublicGroup) -> Result<(), StoreError> {
        let bound = bridge_group(public)?;
        public.roster().member_identities_iter().try_for_each(|identity| {
            let client = client_id(identity).map_err(machine)?;
            let end_ms = certificate_end_ms(identity, &bound);
            let former_ms = self.store.read::<u64>(SPACE, &key(group, &client))?;
            match former_ms.is_some_and(|former_ms| former_ms <= self.good_until_ms(end_ms)) {
                true => Ok(()),
                false => self.leaf_came(group, &client, end_ms),
            }
        })
    }

    /// A leaf was renewed, under a certificate that ends at `end_ms`. It is looked at when its former
    /// time has come, or before where the certificate ends sooner.
    fn leaf_renewed(
        &self,
        group: &GroupId,
        client: &ClientId,
        end_ms: u64,
    ) -> Result<(), StoreError> {
        let former_ms = self.store.read::<u64>(SPACE, &key(group, client))?;
        let until_ms = self.good_until_ms(end_ms);
        if former_ms.is_none_or(|former_ms| until_ms < former_ms) {
            return self.leaf_came(group, client, end_ms);
        }
        self.store.write(SPACE, &key(group, client), &until_ms)
    }

    fn good_until_ms(&self, end_ms: u64) -> u64 {
        let idle_ms = self.now_ms.saturating_add(LEAF_IDLE_MS);
        end_ms.saturating_sub(LEAF_LIFETIME_LEFT_MS).min(idle_ms)
    }

    /// Whether a client has a leaf in a group that the hub orders.
    pub(super) fn has_leaf(&self, group: &GroupId, client: &ClientId) -> Result<bool, StoreError> {
        Ok(self.store.get(SPACE, &key(group, client))?.is_some())
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
        let again_ms = self.now_ms.saturating_add(IDLE_AGAIN_MS);
        expire_at(self.store, again_ms, &Expiring::IdleLeaf(leaf.clone()))
    }
}

/// Clients of an account that have a leaf in a group that the hub orders.
pub(super) fn clients(
    store: &Overlay,
    group: &GroupId,
    user: &UserId,
) -> Result<Vec<ClientId>, StoreError> {
    let prefix = [group.0.as_slice(), user.as_str().as_bytes(), b"/"].concat();
    let found = store.scan(SPACE, &prefix, &[], MEMBERS_MAX)?;
    let client = |key: &[u8]| {
        let name = std::str::from_utf8(key.get(group.0.len()..)?).ok()?;
        ClientId::parse(name).ok()
    };
    Ok(found.iter().filter_map(|(key, _)| client(key)).collect())
}

/// When the certificate of a leaf ends without which the group would not take it.
pub(super) fn certificate_end_ms(identity: &SigningIdentity, group: &BridgeGroup) -> u64 {
    match check_leaf(identity, group, None) {
        Ok(Standing::Vouched { until_s }) if !group.basic_allowed => until_s.saturating_mul(1000),
        _ => u64::MAX,
    }
}

fn key(group: &GroupId, client: &ClientId) -> Vec<u8> {
    [group.0.as_slice(), client.as_str().as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(LeafKey);
