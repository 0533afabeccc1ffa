//! Whether a tree that the hub hands out still shows the people that this device knows.
//!
//! On the way back nobody but the hub vouches for the tree, and it could put keys of its own under
//! the names of the others. So the tree is compared with the state that is here, where one is, and with
//! what handshakes have made of it since ([`super::key_history`]).

use std::collections::BTreeMap;

use mls_rs::group::Roster;
use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::identity::SigningIdentity;

use super::Member;
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;
use crate::identity::{Standing, check_leaf, client_id};
use crate::wire::GroupId;

impl Member {
    /// Clients that have another signature key in `roster` than in the state of the group that is
    /// here, and than handshakes since then show; none where there is no state.
    pub(super) fn changed_keys(&self, group: &GroupId, roster: &Roster<'_>) -> Vec<ClientId> {
        let Ok(here) = self.engine.load_group(&group.0) else { return Vec::new() };
        let mut known = keys(&here.roster());
        if let Some(history) = self.key_histories.get(group) {
            known.extend(keys(&history.public.roster()));
        }
        let other = |(client, key): (ClientId, SignaturePublicKey)| {
            known.get(&client).is_some_and(|before| *before != key).then_some(client)
        };
        keys(roster).into_iter().filter_map(other).collect()
    }

    /// Of those, the ones for whom no authority vouches that the group here names: a device has
    /// another key in each group.
    pub(super) fn doubtful_keys(&self, group: &GroupId, roster: &Roster<'_>) -> Vec<ClientId> {
        let mut changed = self.changed_keys(group, roster);
        let Ok(here) = self.engine.load_group(&group.0) else { return changed };
        let Ok(bound) = BridgeGroup::from_extensions(&here.context().extensions) else {
            return changed;
        };
        let vouched = |leaf: &SigningIdentity| {
            matches!(
                check_leaf(leaf, &bound, Some(self.now_ms / 1000)),
                Ok(Standing::Vouched { .. })
            )
        };
        let vouched: Vec<_> = roster
            .member_identities_iter()
            .filter(|leaf| vouched(leaf))
            .filter_map(|leaf| client_id(leaf).ok())
            .collect();
        changed.retain(|client| !vouched.contains(client));
        changed
    }
}

fn keys(roster: &Roster<'_>) -> BTreeMap<ClientId, SignaturePublicKey> {
    let key = |identity: &SigningIdentity| {
        Some((client_id(identity).ok()?, identity.signature_key.clone()))
    };
    roster.member_identities_iter().filter_map(key).collect()
}
