//! What can be taken from a member or the hub: its process, its power, a copy of its store.

use mls_core::hub::Hub;
use mls_core::member::Durability;
use mls_core::store::{MemoryStore, Store, Write};

use crate::network::{World, open_hub, open_member};

impl World {
    /// Opens a member again from what was committed, as after kill -9; its outputs that were on
    /// their way are given again by `pending`.
    pub(crate) fn restart(&mut self, index: usize) {
        self.reopen(index);
        let outputs = self.nodes[index].member.pending().unwrap();
        self.act(index, outputs);
    }

    pub(crate) fn reopen(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let (member, writes) = open_member(&node.store, &node.client);
        node.member = member;
        node.unsynced.extend(writes);
        node.sync();
    }

    /// The member's database is synced, as it is before anybody is answered.
    pub(crate) fn sync(&mut self, index: usize) {
        self.nodes[index].sync();
    }

    /// A copy of all that a member has stored, as somebody takes it who steals the profile.
    pub(crate) fn copy_store(&self, index: usize) -> MemoryStore {
        let copy = MemoryStore::default();
        copy.apply(&self.nodes[index].synced);
        copy.apply(&self.nodes[index].unsynced);
        copy
    }

    /// The machine loses its power, and the member comes back with what was on the disk.
    pub(crate) fn lose_power(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.unsynced.clear();
        node.store = MemoryStore::default();
        node.store.apply(&node.synced);
        self.restart(index);
    }

    /// Deletes whole spaces of a member's database, as a damaged disk would, and opens it again.
    pub(crate) fn lose(&mut self, index: usize, spaces: &[&'static str]) {
        let store = self.nodes[index].store.clone();
        for space in spaces {
            let entries = store.scan(space, &[], &[], 10_000).unwrap();
            let deletions: Vec<_> =
                entries.into_iter().map(|(key, _)| Write::Delete { space, key }).collect();
            store.apply(&deletions);
        }
        self.restart(index);
    }

    /// The member ends in order and is started again.
    pub(crate) fn rest(&mut self, index: usize) {
        let writes = self.nodes[index].member.rest().unwrap();
        self.nodes[index].commit(&writes, Durability::Synced);
        self.restart(index);
    }

    /// Restarts the hub.
    pub(crate) fn restart_hub(&mut self) {
        self.hub = open_hub(&self.hub_store);
    }

    /// A copy of the hub as it is now, which may go on with another story.
    pub(crate) fn hub_twin(&self) -> Hub {
        let store = MemoryStore::default();
        store.apply(&self.hub_writes);
        open_hub(&store)
    }
}
