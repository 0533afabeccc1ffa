//! A commit is given to the states of its epoch, each beside the group: only the one in which it was
//! made can process it. What comes of that is a further state, whether it wins or not.

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::group::{CommitEffect, CommitMessageDescription, CommitSecrets, ReceivedMessage};

use super::super::engine_storage::{self, MemberGroup, Slot};
use super::super::epoch_change::{committer, describe};
use super::super::loaded::Loaded;
use super::super::{Member, engine_fault, is_storage_fault};
use super::branch::{Effect, Node, Secrets, way_to};
use super::hand_back::is_ordered_by_hub;
use super::rank::Rank;
use super::waiting::Waiting;
use crate::engine::mls_time;
use crate::policy::ROOM_REWIND_EPOCHS;
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

impl Member {
    /// Hangs a commit, and those that waited for it, below the states in which they were made.
    /// The states that they led to.
    pub(super) fn attach_new(
        &mut self,
        group: &GroupId,
        commit: Waiting,
    ) -> Result<Vec<Node>, StoreError> {
        let mut new = Vec::new();
        let nodes = self.nodes(group)?;
        let parents = nodes.into_values().filter(|node| node.epoch == commit.epoch);
        let mut pairs: Vec<_> = parents.map(|parent| (parent, commit.clone())).collect();
        while let Some((parent, commit)) = pairs.pop() {
            if let Some(node) = self.attach(group, &parent, &commit)? {
                pairs.retain(|(_, other)| other.hash != commit.hash);
                let next = self.waiting(group, Some(node.epoch))?;
                pairs.extend(next.into_iter().map(|commit| (node.clone(), commit)));
                new.push(node);
            }
        }
        Ok(new)
    }

    /// The state that the commit leads to from this one, if it was made there.
    fn attach(
        &mut self,
        group: &GroupId,
        parent: &Node,
        commit: &Waiting,
    ) -> Result<Option<Node>, StoreError> {
        let own = self.own_commit(group, &commit.hash)?;
        if own.as_ref().is_some_and(|own| own.parent != parent.id)
            || matches!(parent.effect, Effect::Removed(_))
        {
            return Ok(None);
        }
        let Some(mut state) = self.state_beside(group, &parent.id)? else { return Ok(None) };
        let applied = match &own {
            Some(own) => CommitSecrets::from_bytes(&own.secrets)
                .and_then(|secrets| state.apply_detached_commit(secrets)),
            None => self.process_beside(&mut state, &commit.message),
        };
        let attached = match applied {
            Ok(applied) => self.describe_beside(group, parent, commit, state, &applied)?,
            Err(error) if is_storage_fault(&error) => return Err(engine_fault(&error)),
            Err(_) => None,
        };
        engine_storage::delete(&self.overlay, Slot::Replay, &group.0)?;
        let Some(mut node) = attached else { return Ok(None) };
        if own.is_some() {
            node.own = self.take_own_commit(group, &commit.hash)?;
        }
        self.save_node(group, &node)?;
        self.delete_waiting(group, commit);
        self.mark_seen(group, commit.epoch, &commit.hash);
        Ok(Some(node))
    }

    /// A state of the group, to be tried on; nothing of it touches the group.
    pub(super) fn state_beside(
        &mut self,
        group: &GroupId,
        id: &Digest,
    ) -> Result<Option<MemberGroup>, StoreError> {
        let head = self.record(group).and_then(|record| record.room_head);
        if head.as_ref() == Some(id) {
            let Some(loaded) = self.take_group(group)? else { return Ok(None) };
            let mut loaded = self.without_doubt(group, loaded)?;
            self.snapshot(&mut loaded)?;
            self.give_back(group, loaded);
            let state = engine_storage::state(&self.overlay, Slot::Current, &group.0)?;
            let Some(state) = state else { return Ok(None) };
            engine_storage::set_state(&self.overlay, Slot::Replay, &group.0, &state);
        } else {
            let Some(secrets) = self.secrets(group, id)? else { return Ok(None) };
            engine_storage::set_state(&self.overlay, Slot::Replay, &group.0, &secrets.state);
        }
        self.loader(Slot::Replay).load_group(&group.0).map(Some).map_err(|e| engine_fault(&e))
    }

    fn process_beside(
        &self,
        state: &mut MemberGroup,
        message: &[u8],
    ) -> Result<CommitMessageDescription, MlsError> {
        let message = MlsMessage::from_bytes(message)?;
        // No receipt says when: what it adds has to be good by our clock.
        match state.process_incoming_message_with_time(message, mls_time(self.now_ms))? {
            ReceivedMessage::Commit(commit) => Ok(commit),
            _ => Err(MlsError::UnexpectedMessageType),
        }
    }

    /// Keeps what the engine made of a commit.
    fn describe_beside(
        &self,
        group: &GroupId,
        parent: &Node,
        commit: &Waiting,
        mut state: MemberGroup,
        applied: &CommitMessageDescription,
    ) -> Result<Option<Node>, StoreError> {
        let epoch = parent.epoch.saturating_add(1);
        let seq = self.place_of(group).saturating_add(u64::from(commit.receipted));
        let rank = Rank::new(applied.is_external, applied.committer, commit.hash);
        let effect = match &applied.effect {
            CommitEffect::Removed { new_epoch, .. } => {
                let by = committer(applied, &new_epoch.prior_state.roster());
                Effect::Removed(by.unwrap_or_else(|| self.client.clone()))
            }
            CommitEffect::NewEpoch(_) => {
                if is_ordered_by_hub(&state.context().extensions) != commit.receipted {
                    return Ok(None);
                }
                state.write_to_storage().map_err(|e| engine_fault(&e))?;
                let loaded = Loaded::apart(state);
                let Some(event) = describe(&loaded, group, seq, applied) else { return Ok(None) };
                self.keep_secrets_beside(group, parent.epoch, commit)?;
                Effect::Epoch(event)
            }
            CommitEffect::ReInit(_) => return Ok(None),
        };
        let (id, parent, since_ms) = (commit.hash, Some(parent.id), self.now_ms);
        Ok(Some(Node { id, parent, epoch, rank, since_ms, effect, own: None }))
    }

    fn keep_secrets_beside(
        &self,
        group: &GroupId,
        epoch_before: u64,
        commit: &Waiting,
    ) -> Result<(), StoreError> {
        let (overlay, slot) = (&self.overlay, Slot::Replay);
        let state = engine_storage::state(overlay, slot, &group.0)?;
        let before = engine_storage::past_epoch(overlay, slot, &group.0, epoch_before)?;
        let bytes = |value: Option<crate::store::Value>| value.map(|v| v.to_vec());
        let secrets = Secrets {
            state: bytes(state).unwrap_or_default(),
            before: bytes(before).unwrap_or_default(),
        };
        self.save_secrets(group, &commit.hash, &secrets)
    }

    /// The last place in the hub's order that is followed here: after it the room began to order the
    /// group, where it does.
    pub(in super::super) fn place_of(&self, group: &GroupId) -> u64 {
        let last = self.record(group).and_then(|record| record.last_receipt.as_ref());
        last.map_or(0, |last| last.tbs.seq)
    }

    /// The epoch in which the room began to order the group, after what the hub had signed last.
    pub(super) fn room_order_began(&self, group: &GroupId) -> u64 {
        let last = self.record(group).and_then(|record| record.last_receipt.as_ref());
        last.map_or(0, |last| last.tbs.epoch.saturating_add(1))
    }

    /// Somebody made a commit or said something in this state: where it is on a branch beside ours, further on
    /// than can be taken back, its members stay there. To be asked once the winners are followed, for a branch
    /// that wins is ours then.
    pub(super) fn look_for_abyss(
        &mut self,
        group: &GroupId,
        followed: &Digest,
    ) -> Result<(), StoreError> {
        let nodes = self.nodes(group)?;
        let Some(head) = self.record(group).and_then(|record| record.room_head) else {
            return Ok(());
        };
        let ours = way_to(&nodes, &head);
        let theirs = way_to(&nodes, followed);
        let began = self.room_order_began(group);
        let ends = theirs.first().zip(theirs.last());
        let ends = ends.and_then(|(first, last)| nodes.get(first).zip(nodes.get(last)));
        let Some((oldest, last)) = ends else { return Ok(()) };
        if oldest.epoch < began {
            // It belongs to a time that a receipt of the hub has ended.
            return Ok(());
        }
        let parted = theirs.iter().rev().find(|id| ours.contains(id)).and_then(|id| nodes.get(id));
        // Where the state in which the ways parted is deleted, it was before the oldest that is kept of theirs. How
        // long before nobody knows: who follows this may still have that state, and come back from there.
        let from = parted.map_or(oldest.epoch.saturating_sub(1), |parted| parted.epoch);
        let far = last.epoch.saturating_sub(from) > ROOM_REWIND_EPOCHS;
        if ours.last() == parted.map(|node| &node.id) || !far {
            return Ok(());
        }
        self.fell_apart(
            group,
            "members follow other commits than this device, and did so for longer than can be taken \
             back",
        )
    }
}
