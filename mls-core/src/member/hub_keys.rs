//! Taking a hub's new keys: into the pin, and by an admin's commit into each group.
//!
//! The old receipt key must have signed for the new one ([`crate::handover`]); nothing else makes a
//! member leave the key that it has pinned.

use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs_codec::MlsDecode;
use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::extension::ExtensionList;
use mls_rs_core::identity::SigningIdentity;

use super::Member;
use super::commit::Changes;
use super::engine_storage::{self, Slot};
use super::group_record::{GroupRecord, State};
use super::loaded::Loaded;
use crate::bridge_group::BridgeGroup;
use crate::handover::Handover;
use crate::limits::UNSIGNED_FETCH_MS;
use crate::receipt::Receipt;
use crate::seal::hub_key;
use crate::store::StoreError;
use crate::wire::GroupId;
use crate::wire::handshake::Handshake;
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

    /// Whether one of its keys, current or replaced, signed a receipt.
    pub(super) fn ever_signed(&self, receipt: &Receipt) -> bool {
        let former = self.former.iter().map(|keys| &keys.receipt_key);
        let mut keys = former.chain([&self.receipt_key]);
        keys.any(|key| receipt.verify(&SignaturePublicKey::from(key.clone())).is_ok())
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

    /// Whether the receipt key signed the seal key.
    pub(super) fn has_good_seal_key(&self) -> bool {
        hub_key::verify(&self.receipt_key, &self.seal_key, &self.seal_signature).is_ok()
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
        let old = |r: &&GroupRecord| r.receipt_key != hub.receipt_key;
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

    /// The hub's keys change with a commit of the group: what they signed after it may come before
    /// it, and what they signed before it may come again. The former is asked for in order.
    pub(super) fn may_explain(
        &mut self,
        record: &GroupRecord,
        handshake: &Handshake,
    ) -> Result<bool, StoreError> {
        let Ok(receipt) = Receipt::from_bytes(&handshake.receipt) else { return Ok(false) };
        let seq = receipt.tbs.seq;
        if seq < record.next_seq() {
            let followed = self.followed(record, seq)?;
            let same = followed.is_some_and(|followed| followed.receipt == receipt);
            return Ok(same || self.hub()?.is_some_and(|hub| hub.ever_signed(&receipt)));
        } else if seq == record.next_seq() {
            // On the way back the record names the key of the state that is not here yet.
            return Ok(record.pending.as_ref().is_some_and(|pending| pending.external));
        }
        let asked_ms = self.unsigned_ms.get(&record.group).copied().unwrap_or(0);
        if self.now_ms.saturating_sub(asked_ms) >= UNSIGNED_FETCH_MS {
            self.unsigned_ms.insert(record.group.clone(), self.now_ms);
            self.fetch_handshakes(&record.group)?;
        }
        Ok(true)
    }

    /// The state that is there names its own rooms and key again, not those of the one given up.
    pub(super) fn bind_as_before(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let live = self.record(group).is_some_and(|record| record.state == State::Live);
        let held = self.loaded.contains_key(group)
            || engine_storage::exists(&self.overlay, Slot::Current, &group.0)?;
        if !live || !held {
            return Ok(());
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        let bound = BridgeGroup::from_extensions(&loaded.group.context().extensions);
        self.give_back(group, loaded);
        let Ok(bound) = bound else { return Ok(()) };
        self.change_record(group, |record| {
            record.rooms = bound.rooms();
            record.receipt_key = bound.receipt_key;
        })
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
