//! The states of a group that are known: one for each commit that could be processed, and the one
//! in which order by the room began.
//!
//! The state that the group is in lies with the engine; those of before it, and those of commits
//! that did not win, lie here.

use std::collections::BTreeMap;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use zeroize::Zeroize;

use super::super::Member;
use super::super::event::EpochEvent;
use super::super::seen::group_prefix;
use super::own::OwnPart;
use super::rank::Rank;
use crate::address::ClientId;
use crate::engine::sha256_parts;
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

/// States, by group and the hash of the commit that led there.
const NODE: Space = "room_state";
/// What the engine wrote of each.
const SECRETS: Space = "room_state_secrets";
/// More of one group are never there.
const NODES_READ_MAX: usize = 256;

/// One state.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Node {
    /// The hash of the commit that led here.
    pub(super) id: Digest,
    /// The state in which that was made.
    pub(super) parent: Option<Digest>,
    pub(super) epoch: u64,
    pub(super) rank: Rank,
    /// When it came or, if the group was in it, when the group left it.
    pub(super) since_ms: u64,
    /// What the commit did.
    pub(super) effect: Effect,
    /// What is to be done again if this one of ours does not win.
    pub(super) own: Option<OwnPart>,
}

/// What a commit did.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum Effect {
    /// None led here.
    Began = 1u8,
    /// A new epoch.
    Epoch(EpochEvent) = 2u8,
    /// It removed this device, so there is no state.
    Removed(ClientId) = 3u8,
}

/// What the engine wrote of a state.
#[derive(Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct Secrets {
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) state: Vec<u8>,
    /// The epoch before it, as a past one; empty once that is with the engine.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) before: Vec<u8>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.state.zeroize();
        self.before.zeroize();
    }
}

/// The known states of one group.
pub(super) type Nodes = BTreeMap<Digest, Node>;

impl Node {
    /// The state in which order by the room began: no commit of a room led there.
    pub(super) fn root(epoch: u64, now_ms: u64) -> Self {
        let id = sha256_parts(&[b"order by the room began", &epoch.to_be_bytes()]);
        Self {
            id,
            parent: None,
            epoch,
            rank: Rank::new(false, 0, id),
            since_ms: now_ms,
            effect: Effect::Began,
            own: None,
        }
    }
}

/// The states from the oldest to `head`.
pub(super) fn way_to(nodes: &Nodes, head: &Digest) -> Vec<Digest> {
    let mut way = Vec::new();
    let mut next = nodes.get(head);
    while let Some(node) = next {
        way.push(node.id);
        next = node.parent.as_ref().and_then(|parent| nodes.get(parent));
    }
    way.reverse();
    way
}

/// The states from `root` over the winners to the last.
pub(super) fn way_of_winners(nodes: &Nodes, root: Digest) -> Vec<Digest> {
    let mut way = vec![root];
    let winner = |of: &Digest| {
        let children = nodes.values().filter(|node| node.parent.as_ref() == Some(of));
        children.min_by_key(|node| node.rank).map(|node| node.id)
    };
    let mut last = root;
    while let Some(next) = winner(&last) {
        way.push(next);
        last = next;
    }
    way
}

impl Member {
    pub(super) fn nodes(&self, group: &GroupId) -> Result<Nodes, StoreError> {
        let prefix = group_prefix(group);
        let rows = self.overlay.scan(NODE, &prefix, &prefix, NODES_READ_MAX)?;
        let node = |value: &[u8]| decode::<Node>(NODE, value).map(|node| (node.id, node));
        rows.iter().map(|(_, value)| node(value)).collect()
    }

    /// Whether states are kept of when the room ordered, or orders, the group.
    pub(in super::super) fn has_branches(&self, group: &GroupId) -> Result<bool, StoreError> {
        let prefix = group_prefix(group);
        Ok(!self.overlay.scan(NODE, &prefix, &prefix, 1)?.is_empty())
    }

    /// The last epoch of which this device may read messages.
    pub(in super::super) fn last_readable_epoch(
        &self,
        group: &GroupId,
        epoch: u64,
    ) -> Result<u64, StoreError> {
        if !self.has_branches(group)? {
            return Ok(epoch);
        }
        let last = self.nodes(group)?.values().map(|node| node.epoch).max();
        Ok(last.map_or(epoch, |last| last.max(epoch)))
    }

    pub(super) fn save_node(&self, group: &GroupId, node: &Node) -> Result<(), StoreError> {
        self.overlay.write(NODE, &key(group, &node.id), node)
    }

    pub(super) fn secrets(
        &self,
        group: &GroupId,
        id: &Digest,
    ) -> Result<Option<Secrets>, StoreError> {
        self.overlay.read(SECRETS, &key(group, id))
    }

    pub(super) fn save_secrets(
        &self,
        group: &GroupId,
        id: &Digest,
        secrets: &Secrets,
    ) -> Result<(), StoreError> {
        self.overlay.write(SECRETS, &key(group, id), secrets)
    }

    /// The state is with the engine now.
    pub(super) fn delete_node_secrets(&self, group: &GroupId, id: &Digest) {
        self.overlay.delete(SECRETS, &key(group, id));
    }

    pub(super) fn delete_node(&self, group: &GroupId, id: &Digest) {
        self.delete_node_secrets(group, id);
        self.overlay.delete(NODE, &key(group, id));
    }
}

fn key(group: &GroupId, id: &Digest) -> Vec<u8> {
    [group_prefix(group).as_slice(), &id.0].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Node, Effect, Secrets);
