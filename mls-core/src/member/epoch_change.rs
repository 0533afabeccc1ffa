//! What follows when a group moves on: a new epoch, our removal, the loss of its state.

use mls_rs::group::proposal::Proposal;
use mls_rs::group::{CommitEffect, CommitMessageDescription, NewEpoch, Roster};
use mls_rs_core::identity::SigningIdentity;

use super::event::{EpochEvent, RemovedEvent};
use super::group_record::{PastEpoch, PendingCommit, Rejoin, State};
use super::loaded::Loaded;
use super::membership_log::{changes, new_keys};
use super::pending_proposals::hub_removes_all;
use super::warning::WarningKind;
use super::{Event, Member};
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;
use crate::identity::{client_id, clients};
use crate::limits::PAST_EPOCHS_MAX;
use crate::receipt::Receipt;
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// A commit was applied: ours (`own`), or somebody else's.
    pub(super) fn new_epoch(
        &mut self,
        mut loaded: Loaded,
        receipt: &Receipt,
        commit: &CommitMessageDescription,
        own: Option<PendingCommit>,
    ) -> Result<(), StoreError> {
        let group = receipt.tbs.group.clone();
        if own.is_none() && self.is_beaten(receipt) {
            self.commit_lost(&group)?;
        }
        if let CommitEffect::Removed { new_epoch, .. } = &commit.effect {
            let by = committer(commit, &new_epoch.prior_state.roster());
            self.log_removal(receipt, commit)?;
            let by = by.unwrap_or_else(|| self.client.clone());
            // Our own way back, given up before its receipt came (for a Welcome): our leaf is there.
            let back = commit.is_external && by == self.client;
            return if back {
                self.lost(&group)
            } else if self.is_way_back_at_hub(&group) {
                self.removed_before_way_back(&group, by)
            } else {
                self.removed(&group, by)
            };
        }
        let event = describe(&loaded, &group, receipt.tbs.seq, commit);
        let by = committer(commit, &loaded.group.roster());
        if let Some(event) = &event {
            let (committer, changes) = (event.committer.clone(), event.changes.clone());
            self.log_changes(receipt, event.epoch, Some(committer), changes)?;
        }
        if own.as_ref().is_some_and(|pending| pending.has_path) {
            self.leaf_renewed(&group);
        }
        self.gaps.epoch_begins(&group, loaded.group.current_epoch());
        self.keep_previous(receipt)?;
        self.snapshot(&mut loaded)?;
        self.advance_record(&group, &loaded, receipt)?;
        self.epoch_begun_by(&group, loaded.group.current_epoch(), by.clone())?;
        if let Some(pending) = own {
            self.own_commit_applied(&group, &pending, &loaded)?;
        }
        if let Some(event) = &event {
            self.compare_with_replaced(&loaded.group, &event.added)?;
        }
        let revoked = match &event {
            Some(event) => self.revoked_among(&loaded, &event.added),
            None => Vec::new(),
        };
        self.give_back(&group, loaded);
        if let Some(event) = event {
            self.emit(Event::Epoch(event.clone()))?;
            self.devices_wait_no_more(&group, &event.added);
            self.tell_of_revoked(&group, &revoked)?;
            self.look_at_changed_identities(&event)?;
        }
        self.read_future(&group)?;
        match &commit.effect {
            CommitEffect::ReInit(info) => self.group_ended(&group, &info.proposal, by),
            _ => Ok(()),
        }
    }

    /// This device is no longer a member: by whose proposal stays known.
    fn log_removal(
        &self,
        receipt: &Receipt,
        commit: &CommitMessageDescription,
    ) -> Result<(), StoreError> {
        let CommitEffect::Removed { new_epoch, .. } = &commit.effect else { return Ok(()) };
        let before = new_epoch.prior_state.roster();
        let Some(by) = committer(commit, &before) else { return Ok(()) };
        let changes = changes(new_epoch, &before, &by, commit.is_external);
        self.log_changes(receipt, new_epoch.epoch, Some(by), changes)
    }

    /// Whether a commit of ours that waits was for the epoch that is over. A way back may be built
    /// on a later one, of which its GroupInfo told before the handshakes came.
    fn is_beaten(&self, by: &Receipt) -> bool {
        let Some(record) = self.record(&by.tbs.group) else { return false };
        let external = record.pending.as_ref().is_some_and(|pending| pending.external);
        let base = record.rejoin.as_ref().and_then(|rejoin| rejoin.base.as_ref());
        !external || base.is_none_or(|base| by.tbs.seq > base.tbs.seq)
    }

    /// Writes the new epoch into the record.
    pub(super) fn advance_record(
        &mut self,
        group: &GroupId,
        loaded: &Loaded,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        self.mark_epoch(group, loaded, receipt)?;
        let ordered_by_room = self.begin_room_order_where_it_is(group, loaded)?;
        let context = loaded.group.context();
        let epoch = context.epoch;
        let bound = BridgeGroup::from_extensions(&context.extensions);
        if let Ok(bound) = &bound {
            self.anchors_of_group(group, bound)?;
        }
        if self.record(group).is_some_and(|record| record.ended_ms != 0) {
            // It goes on, whatever was said.
            self.returned(group);
        }
        let now_ms = self.now_ms;
        self.change_record(group, |record| {
            record.past_epochs.push(PastEpoch { epoch: record.epoch, ended_ms: now_ms });
            let too_many = record.past_epochs.len().saturating_sub(PAST_EPOCHS_MAX);
            record.past_epochs.drain(..too_many);
            record.epoch = epoch;
            record.last_receipt = Some(receipt.clone());
            record.proposals_since_ms = None;
            record.broken_seq = None;
            record.ended_ms = 0;
            record.room_head = ordered_by_room;
            if let Ok(bound) = bound {
                record.rooms = bound.rooms();
                record.receipt_key = bound.receipt_key;
            }
        })
    }

    /// What follows when a commit of ours is the group's.
    pub(super) fn own_commit_applied(
        &mut self,
        group: &GroupId,
        pending: &PendingCommit,
        loaded: &Loaded,
    ) -> Result<(), StoreError> {
        self.forget_request(&pending.request);
        self.change_record(group, |record| {
            record.pending = None;
            record.attempts = 0;
            record.commit_after_ms = 0;
        })?;
        self.settle_key(group, loaded)?;
        self.plan_update(group, loaded, pending.has_path)?;
        match pending.intent {
            Some(number) => self.intent_committed(number, group),
            None => Ok(()),
        }
    }

    /// A proposal was accepted and waits for a commit.
    pub(super) fn proposal_came(
        &mut self,
        group: &GroupId,
        mut loaded: Loaded,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        self.snapshot(&mut loaded)?;
        let nobody_stays = hub_removes_all(&loaded);
        self.give_back(group, loaded);
        let now_ms = self.now_ms;
        self.change_record(group, |record| {
            record.last_receipt = Some(receipt.clone());
            record.proposals_since_ms.get_or_insert(now_ms);
        })?;
        if nobody_stays {
            // Nobody may commit that, and the hub takes nothing else: the group has ended.
            let own = self.client.clone();
            return self.removed(group, own);
        }
        Ok(())
    }

    /// This device is no longer a member: its secrets of the group go. What waits to be read stays
    /// for its day, for we may have been added again already.
    pub(super) fn removed(&mut self, group: &GroupId, by: ClientId) -> Result<(), StoreError> {
        self.take_pending(group)?;
        self.fail_join(group)?;
        self.delete_secrets(group)?;
        self.forget_keys(group);
        self.forget_told(group)?;
        self.forget_early(group)?;
        self.forget_group_requests(group);
        self.change_record(group, |record| {
            record.state = State::Gone;
            record.rejoin = None;
            record.proposals_since_ms = None;
        })?;
        self.emit(Event::Removed(RemovedEvent { group: group.clone(), by }))?;
        self.fail_outgoing(group, "this device was removed from the group")?;
        self.end_leaving(group)?;
        // One may have waited for this, if we were removed and added again.
        self.try_welcomes()
    }

    /// The state of a group is lost, or can no longer be brought up to date; our leaf may still
    /// be there.
    pub(super) fn lost(&mut self, group: &GroupId) -> Result<(), StoreError> {
        if self.is_ordered_by_room(group) && !self.is_handed_back(group)? {
            return self.lost_without_hub(group);
        }
        self.take_pending(group)?;
        self.delete_secrets(group)?;
        self.forget_early(group)?;
        self.warn(
            group,
            WarningKind::CannotFollow,
            "this device lost the group's state and tries to come back",
        )?;
        self.change_record(group, |record| {
            record.state = State::Rejoining;
            record.proposals_since_ms = None;
            record.rejoin.get_or_insert(Rejoin::by_itself());
        })
    }
}

/// What people are told of a commit; nothing for a ReInit.
pub(super) fn describe(
    loaded: &Loaded,
    group: &GroupId,
    seq: u64,
    commit: &CommitMessageDescription,
) -> Option<EpochEvent> {
    let CommitEffect::NewEpoch(epoch) = &commit.effect else { return None };
    let roster = loaded.group.roster();
    let members = clients(&roster);
    let before = epoch.prior_state.roster();
    let committer = committer(commit, &roster)?;
    let mut added = proposed(epoch, &before, |proposal, _| match proposal {
        Proposal::Add(add) => client_id(add.signing_identity()).ok(),
        _ => None,
    });
    if commit.is_external && !clients(&before).contains(&committer) {
        added.push(committer.clone());
    }
    let removed = proposed(epoch, &before, |proposal, before| match proposal {
        Proposal::Remove(remove) => client_at(before, remove.to_remove()),
        _ => None,
    });
    let mut changes = changes(epoch, &before, &committer, commit.is_external);
    changes.extend(new_keys(commit, epoch, &before, &roster));
    Some(EpochEvent {
        group: group.clone(),
        epoch: epoch.epoch,
        seq,
        changes,
        committer,
        added,
        // A leaf that came back by an external commit did not go.
        removed: removed.into_iter().filter(|client| !members.contains(client)).collect(),
        members: u32::try_from(members.len()).unwrap_or(u32::MAX),
    })
}

fn proposed(
    epoch: &NewEpoch,
    before: &Roster<'_>,
    of: impl Fn(&Proposal, &Roster<'_>) -> Option<ClientId>,
) -> Vec<ClientId> {
    epoch.applied_proposals.iter().filter_map(|info| of(&info.proposal, before)).collect()
}

pub(super) fn committer(
    commit: &CommitMessageDescription,
    roster: &Roster<'_>,
) -> Option<ClientId> {
    client_at(roster, commit.committer)
}

/// The client of a leaf.
pub(super) fn client_at(roster: &Roster<'_>, leaf: u32) -> Option<ClientId> {
    let member = roster.member_with_index(leaf).ok()?;
    client_of(&member.signing_identity)
}

fn client_of(identity: &SigningIdentity) -> Option<ClientId> {
    client_id(identity).ok()
}
