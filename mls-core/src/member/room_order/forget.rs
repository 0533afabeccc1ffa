//! The end of states that are kept: after so many epochs, after so long, and with their group.

use super::super::Member;
use super::branch::{Node, Nodes, way_to};
use super::waiting::{Waiting, oldest_epoch};
use crate::limits::ROOM_BRANCHES_MAX;
use crate::policy::{ROOM_REWIND_EPOCHS, ROOM_REWIND_MS};
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

impl Member {
    /// Time passed.
    pub(in super::super) fn forget_room_states(&mut self) -> Result<(), StoreError> {
        let groups: Vec<_> = self.groups.keys().cloned().collect();
        groups.iter().try_for_each(|group| self.forget_branches(group))
    }

    /// Deletes the states of a group that are too old or too many, and what waited for them.
    pub(super) fn forget_branches(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(record) = self.record(group) else { return Ok(()) };
        let (head, epoch) = (record.room_head, record.epoch);
        let nodes = self.nodes(group)?;
        if nodes.is_empty() {
            return Ok(());
        }
        let before_ms = self.now_ms.saturating_sub(ROOM_REWIND_MS);
        let too_old = |node: &Node| {
            node.since_ms <= before_ms || node.epoch.saturating_add(ROOM_REWIND_EPOCHS) < epoch
        };
        let mut gone: Vec<Digest> = nodes
            .values()
            .filter(|node| Some(node.id) != head && too_old(node))
            .map(|node| node.id)
            .collect();
        // What comes late of a time when the room ordered the group parted from the way that was ours then.
        let ends: Vec<_> = head.into_iter().chain(self.last_by_room(group)?).collect();
        gone.extend(too_many(&nodes, &ends, &gone));
        gone.iter().for_each(|id| self.delete_node(group, id));
        self.forget_commits(group, before_ms)
    }

    /// Deletes commits whose states are gone.
    fn forget_commits(&mut self, group: &GroupId, before_ms: u64) -> Result<(), StoreError> {
        let nodes = self.nodes(group)?;
        let oldest = oldest_epoch(&nodes, None);
        // However late the state comes in which the hub took the group back: it is the hub's from there on.
        let too_old = |commit: &Waiting| !commit.receipted && commit.came_ms <= before_ms;
        for commit in self.waiting(group, None)? {
            if too_old(&commit) || oldest.is_none_or(|oldest| commit.epoch < oldest) {
                self.delete_waiting(group, &commit);
            }
        }
        // However long ago it was made: the network may bring it late, and as long as the state before it is
        // kept, others follow it.
        for (hash, parent, _) in self.own_commits_of(group)? {
            if !nodes.contains_key(&parent) {
                self.take_own_commit(group, &hash)?;
            }
        }
        Ok(())
    }

    /// A group has ended: what the room has not shown of our commits is sent no more.
    pub(in super::super) fn give_up_room_commits(
        &mut self,
        group: &GroupId,
    ) -> Result<(), StoreError> {
        for (hash, ..) in self.own_commits_of(group)? {
            self.take_own_commit(group, &hash)?;
        }
        Ok(())
    }

    /// Deletes all that order by the room kept of a group.
    pub(in super::super) fn forget_room_order(
        &mut self,
        group: &GroupId,
    ) -> Result<(), StoreError> {
        for id in self.nodes(group)?.keys() {
            self.delete_node(group, id);
        }
        for commit in self.waiting(group, None)? {
            self.delete_waiting(group, &commit);
        }
        self.give_up_room_commits(group)?;
        self.forget_handed_back(group);
        if !self.is_ordered_by_room(group) {
            return Ok(());
        }
        self.note_room_order(group)?;
        self.change_record(group, |record| record.room_head = None)
    }
}

/// The oldest states beside those that led to one of the `ends` of our own way, where there are too many.
fn too_many(nodes: &Nodes, ends: &[Digest], gone: &[Digest]) -> Vec<Digest> {
    let ours: Vec<_> = ends.iter().flat_map(|end| way_to(nodes, end)).collect();
    let kept = |node: &&Node| !ours.contains(&node.id) && !gone.contains(&node.id);
    let mut beside: Vec<_> = nodes.values().filter(kept).collect();
    beside.sort_by_key(|node| node.since_ms);
    let over = beside.len().saturating_sub(ROOM_BRANCHES_MAX);
    beside.into_iter().take(over).map(|node| node.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    use super::*;

    fn node(runner: &mut TestRunner, id: u8, parent: Option<u8>) -> Node {
        let any = proptest::arbitrary::any::<Node>().new_tree(runner).unwrap().current();
        let (id, parent) = (Digest([id; 32]), parent.map(|parent| Digest([parent; 32])));
        Node { id, parent, since_ms: u64::from(id.0[0]), ..any }
    }

    #[test]
    fn of_too_many_states_those_stay_that_led_to_ours_also_in_an_earlier_time_of_the_room() {
        let mut runner = TestRunner::deterministic();
        // 1 to 3 from an earlier time, 4 and 5 from the last one, and one branch more than are kept.
        let ours = [(1, None), (2, Some(1)), (3, Some(2)), (4, None), (5, Some(4))];
        let first = 10;
        let last = first + u8::try_from(ROOM_BRANCHES_MAX).unwrap();
        let branches = (first..=last).map(|id| (id, Some(1)));
        let nodes: Nodes = ours
            .into_iter()
            .chain(branches)
            .map(|(id, parent)| (Digest([id; 32]), node(&mut runner, id, parent)))
            .collect();
        let ends = [Digest([5; 32]), Digest([3; 32])];
        assert_eq!(too_many(&nodes, &ends, &[]), [Digest([first; 32])]);
        assert_eq!(too_many(&nodes, &ends, &[Digest([first; 32])]), []);
        assert_eq!(too_many(&nodes, &ends[..1], &[]).first(), Some(&Digest([1; 32])));
    }
}
