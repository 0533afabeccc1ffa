//! Taking a hub's new keys: into the pin, and by an admin's commit into each group.
//!
//! The old receipt key must have signed for the new one ([`crate::handover`]); nothing else makes a
//! member leave the key that it has pinned.

use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs_codec::MlsDecode;
use mls_rs_core::extension::ExtensionList;
use mls_rs_core::identity::SigningIdentity;

use super::Member;
use super::commit::Changes;
use super::loaded::Loaded;
use crate::bridge_group::BridgeGroup;
use crate::handover::Handover;
use crate::store::StoreError;
use crate::wire::GroupId;
use crate::wire::hub_info::{HubInfo, SuiteSender};

impl HubInfo {
    /// The external senders that go with a receipt key, current or replaced.
    pub(super) fn senders_of(&self, receipt_key: &[u8]) -> Option<&[SuiteSender]> {
        if self.receipt_key == receipt_key {
            return Some(&self.senders);
        }
        let former = self.former.iter().find(|keys| keys.receipt_key == receipt_key);
        former.map(|keys| keys.senders.as_slice())
    }

    /// The current external sender for a suite.
    pub(super) fn sender(&self, suite: u16) -> Option<SigningIdentity> {
        decoded(&self.senders, suite)
    }

    /// What the old receipt key signed for the current keys, if it did for this suite.
    fn handover(&self, old: &[u8], suite: u16) -> Option<Vec<u8>> {
        let former = self.former.iter().find(|keys| keys.receipt_key == old)?;
        let signed = former.handovers.iter().find(|signed| signed.suite == suite)?;
        let sender = &self.senders.iter().find(|sender| sender.suite == suite)?.identity;
        let handover = Handover { old, new: &self.receipt_key, sender };
        handover.verify(&signed.signature).ok().map(|()| signed.signature.clone())
    }

    /// Whether the keys of `pinned` have signed for all of these.
    pub(super) fn takes_the_place_of(&self, pinned: &Self) -> bool {
        let signed =
            |sender: &SuiteSender| self.handover(&pinned.receipt_key, sender.suite).is_some();
        !self.senders.is_empty() && self.senders.iter().all(signed)
    }
}

/// The external sender for a suite.
pub(super) fn decoded(senders: &[SuiteSender], suite: u16) -> Option<SigningIdentity> {
    let sender = senders.iter().find(|sender| sender.suite == suite)?;
    SigningIdentity::mls_decode(&mut sender.identity.as_slice()).ok()
}

impl Member {
    /// Commits the hub's new keys into a group of which this user is an admin. Whether a commit was
    /// made.
    pub(super) fn take_hub_keys(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let Some(hub) = self.hub()? else { return Ok(false) };
        let old = |r: &&super::group_record::GroupRecord| r.receipt_key != hub.receipt_key;
        if self.record(group).filter(old).is_none() || !self.may_commit(group) {
            return Ok(false);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(false) };
        let Some(context) = self.with_new_keys(&loaded, &hub) else {
            self.give_back(group, loaded);
            return Ok(false);
        };
        let changes = Changes { context: Some(context), ..Changes::default() };
        match self.commit(group, loaded, None, changes)? {
            Ok(()) => Ok(true),
            Err(_) => self.pause_commits(group).map(|()| false),
        }
    }

    /// The group's context with the hub's current keys, if this user may commit it.
    fn with_new_keys(&self, loaded: &Loaded, hub: &HubInfo) -> Option<ExtensionList> {
        let mut extensions = loaded.group.context().extensions.clone();
        let bound = BridgeGroup::from_extensions(&extensions).ok()?;
        if !bound.is_admin(&self.client.user()) {
            return None;
        }
        let suite = loaded.group.cipher_suite().into();
        let handover = hub.handover(&bound.receipt_key, suite)?;
        let sender = hub.sender(suite)?;
        let (receipt_key, previous_key) = (hub.receipt_key.clone(), bound.receipt_key.clone());
        let bound = BridgeGroup { receipt_key, previous_key, handover, ..bound };
        extensions.set_from(bound).ok()?;
        extensions.set_from(ExternalSendersExt::new(vec![sender])).ok()?;
        Some(extensions)
    }
}
