//! Going where the winners lead: forward, or back to where the ways part and forward from there.

use super::super::engine_storage::{self, Slot};
use super::super::event::RewoundEvent;
use super::super::group_record::{PastEpoch, PendingCommit};
use super::super::membership_log::MembershipEntry;
use super::super::{Event, Member};
use super::branch::{Effect, Node, Secrets, way_of_winners, way_to};
use crate::bridge_group::BridgeGroup;
use crate::limits::PAST_EPOCHS_MAX;
use crate::store::StoreError;
use crate::wire::GroupId;

/// From one state to another.
pub(super) struct Change {
    /// The last state that both ways have, or the oldest known on the way of what the hub has signed.
    fork: Node,
    /// What is taken back, the oldest first.
    undone: Vec<Node>,
    /// What takes its place.
    adopted: Vec<Node>,
}

impl Change {
    /// What takes the place of what is taken back, the oldest first.
    pub(super) fn adopted(&self) -> &[Node] {
        &self.adopted
    }
}

impl Member {
    /// Follows the winners.
    pub(super) fn settle(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(change) = self.change_of_way(group)? else { return Ok(()) };
        self.leave_head(group, &change)?;
        self.take_back(group, &change)?;
        if let Some(by) = change.adopted.iter().find_map(removal) {
            return self.removed(group, by);
        }
        self.adopt(group, &change)?;
        self.follow_own(group, &change)?;
        self.tell(group, &change)?;
        self.end_room_order(group)?;
        self.forget_branches(group)
    }

    fn change_of_way(&self, group: &GroupId) -> Result<Option<Change>, StoreError> {
        let nodes = self.nodes(group)?;
        let Some(head) = self.record(group).and_then(|record| record.room_head) else {
            return Ok(None);
        };
        let ours = way_to(&nodes, &head);
        let Some(root) = ours.first() else { return Ok(None) };
        let winners = match self.handed_back_in(group, &nodes)? {
            Some(last) => way_to(&nodes, &last),
            None => way_of_winners(&nodes, *root),
        };
        let common = ours.iter().zip(&winners).take_while(|(a, b)| a == b).count();
        let nodes_of = |way: &[crate::wire::Digest], from: usize| {
            way.iter().skip(from).filter_map(|id| nodes.get(id).cloned()).collect::<Vec<_>>()
        };
        let undone = nodes_of(&ours, common);
        let (fork, adopted) = match common.checked_sub(1) {
            Some(last) => (ours.get(last), nodes_of(&winners, common)),
            // The ways parted before the oldest state that is kept of ours: only what the hub has signed is
            // followed then, from the oldest state that is kept of that.
            None => (winners.first(), nodes_of(&winners, 1)),
        };
        let Some(fork) = fork.and_then(|id| nodes.get(id).cloned()) else { return Ok(None) };
        let change = Change { fork, undone, adopted };
        Ok(Some(change).filter(|change| !change.adopted.is_empty()))
    }

    /// The state that the group is in becomes one of those that are kept.
    fn leave_head(&mut self, group: &GroupId, change: &Change) -> Result<(), StoreError> {
        let mut head = change.undone.last().unwrap_or(&change.fork).clone();
        if let Some(loaded) = self.loaded.remove(group) {
            let mut loaded = self.without_doubt(group, loaded)?;
            self.snapshot(&mut loaded)?;
        }
        let state = engine_storage::state(&self.overlay, Slot::Current, &group.0)?;
        if let Some(state) = state {
            let secrets = Secrets { state: state.to_vec(), before: Vec::new() };
            self.save_secrets(group, &head.id, &secrets)?;
        }
        head.since_ms = self.now_ms;
        self.save_node(group, &head)
    }

    /// Forgets with the engine what followed the fork.
    fn take_back(&mut self, group: &GroupId, change: &Change) -> Result<(), StoreError> {
        let pending = self.record(group).and_then(|record| record.pending.clone());
        let won = |pending: &PendingCommit| change.adopted.iter().any(|n| n.id == pending.hash);
        // A way back is made in the hub's state, and the hub says what becomes of it.
        if pending.is_some_and(|pending| !pending.external && !won(&pending)) {
            self.commit_lost(group)?;
        }
        if change.undone.is_empty() {
            return Ok(());
        }
        self.gaps.forget_group(group);
        let epoch = change.fork.epoch;
        engine_storage::delete_epochs_from(&self.overlay, Slot::Current, &group.0, epoch)?;
        self.unlog_after(group, self.place_of(group), epoch)
    }

    /// The last of the winners becomes the group's state.
    fn adopt(&mut self, group: &GroupId, change: &Change) -> Result<(), StoreError> {
        let Some(head) = change.adopted.last() else { return Ok(()) };
        for node in &change.adopted {
            let Some(mut secrets) = self.secrets(group, &node.id)? else { continue };
            let before = node.epoch.saturating_sub(1);
            let (overlay, slot) = (&self.overlay, Slot::Current);
            engine_storage::set_past_epoch(overlay, slot, &group.0, before, &secrets.before);
            if node.id == head.id {
                engine_storage::set_state(overlay, slot, &group.0, &secrets.state);
                self.delete_node_secrets(group, &node.id);
            } else {
                secrets.before.clear();
                self.save_secrets(group, &node.id, &secrets)?;
                let node = Node { since_ms: self.now_ms, ..node.clone() };
                self.save_node(group, &node)?;
            }
        }
        self.loaded.remove(group);
        // Nothing was ever sent in it.
        self.ratchet_written(group, head.epoch)?;
        self.enter_epoch(group, change.fork.epoch, head)
    }

    /// Writes the new epoch into the record.
    fn enter_epoch(
        &mut self,
        group: &GroupId,
        fork_epoch: u64,
        head: &Node,
    ) -> Result<(), StoreError> {
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        let bound = BridgeGroup::from_extensions(&loaded.group.context().extensions);
        self.give_back(group, loaded);
        self.gaps.epoch_begins(group, head.epoch);
        let (now_ms, id, epoch) = (self.now_ms, head.id, head.epoch);
        self.change_record(group, |record| {
            record.past_epochs.retain(|past| past.epoch < fork_epoch);
            let ended = (fork_epoch..epoch).map(|epoch| PastEpoch { epoch, ended_ms: now_ms });
            record.past_epochs.extend(ended);
            let too_many = record.past_epochs.len().saturating_sub(PAST_EPOCHS_MAX);
            record.past_epochs.drain(..too_many);
            record.epoch = epoch;
            record.room_head = Some(id);
            record.proposals_since_ms = None;
            if let Ok(bound) = bound {
                record.rooms = bound.rooms();
                record.receipt_key = bound.receipt_key;
            }
        })
    }

    /// Logs and shows what happened.
    fn tell(&mut self, group: &GroupId, change: &Change) -> Result<(), StoreError> {
        let again = self.do_again(group, &change.undone)?;
        if let Some(last) = change.undone.last() {
            let (to_epoch, from_epoch) = (change.fork.epoch, last.epoch);
            let group = group.clone();
            self.emit(Event::Rewound(RewoundEvent { group, to_epoch, from_epoch, again }))?;
        }
        for node in &change.adopted {
            let Effect::Epoch(event) = &node.effect else { continue };
            let entry = MembershipEntry {
                seq: event.seq,
                epoch: event.epoch,
                time_ms: self.now_ms,
                committer: Some(event.committer.clone()),
                changes: event.changes.clone(),
            };
            self.log_entry(group, &entry)?;
            self.emit(Event::Epoch(event.clone()))?;
            self.devices_wait_no_more(group, &event.added);
            self.look_at_changed_identities(event)?;
        }
        Ok(())
    }
}

fn removal(node: &Node) -> Option<crate::address::ClientId> {
    match &node.effect {
        Effect::Removed(by) => Some(by.clone()),
        Effect::Began | Effect::Epoch(_) => None,
    }
}
