//! What was said in states that did not win: read there, as long as they are kept. What no known
//! state can read may be of one whose commit is still to come, so it waits.

use super::super::engine_storage::{self, Slot};
use super::super::loaded::Loaded;
use super::super::receive::decrypt;
use super::super::{Member, ReceivedMessage, engine_fault};
use super::branch::Secrets;
use crate::door::ApplicationMessage;
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

impl Member {
    /// Reads a message that the group as it is cannot read, or keeps it.
    pub(in super::super) fn read_on_branches(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        message: ApplicationMessage,
        received: ReceivedMessage,
    ) -> Result<(), StoreError> {
        let epoch = message.epoch;
        if let Some(content) = self.own_content(group, epoch, hash)? {
            return self.came_home(group, epoch, hash, content, &received);
        }
        let nodes = self.nodes(group)?;
        let head = self.record(group).and_then(|record| record.room_head);
        let beside = nodes.values().filter(|node| node.epoch == epoch && Some(node.id) != head);
        for id in beside.map(|node| node.id).collect::<Vec<_>>() {
            if self.read_beside(group, &id, hash, &message, &received)? {
                return self.look_for_abyss(group, &id);
            }
        }
        self.keep_for_future(group, epoch, hash, received)
    }

    /// Whether this state could read it.
    fn read_beside(
        &mut self,
        group: &GroupId,
        id: &Digest,
        hash: &Digest,
        message: &ApplicationMessage,
        received: &ReceivedMessage,
    ) -> Result<bool, StoreError> {
        let Some(state) = self.state_beside(group, id)? else { return Ok(false) };
        let mut loaded = Loaded::apart(state);
        let read = decrypt(&mut loaded, message.message.clone());
        if read.is_ok() {
            loaded.group.write_to_storage().map_err(|e| engine_fault(&e))?;
            let state = engine_storage::state(&self.overlay, Slot::Replay, &group.0)?;
            let before = self.secrets(group, id)?.map(|s| s.before.clone()).unwrap_or_default();
            let state = state.map(|state| state.to_vec()).unwrap_or_default();
            self.save_secrets(group, id, &Secrets { state, before })?;
        }
        engine_storage::delete(&self.overlay, Slot::Replay, &group.0)?;
        let Ok(read) = read else { return Ok(false) };
        self.mark_seen(group, message.epoch, hash);
        if let Some(read) = read {
            self.show(group, message.epoch, read.sender.clone(), read.content.clone(), received)?;
        }
        Ok(true)
    }
}
