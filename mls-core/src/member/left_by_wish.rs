//! A group that this device left by its user's wish, and whose room its account is in again before anybody has removed
//! its leaf: for the others it never went, so it comes back to that.
//!
//! While a room orders its group nobody need see that an account leaves, and the hub does not propose its removal
//! when it has come again by the time that it takes the group back.

use super::Member;
use super::group_record::{Rejoin, State};
use crate::address::RoomAddress;
use crate::limits::REJOIN_PAUSE_MS;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Groups that this device left. Its leaf is there until somebody has removed it, who need not have seen that
/// while the room orders the group.
const LEFT_BY_WISH: Space = "left_by_wish";

impl Member {
    /// This device leaves a group.
    pub(super) fn note_left_by_wish(&self, group: &GroupId) {
        self.overlay.put(LEFT_BY_WISH, &group.0, Vec::new());
    }

    /// Whether a leaf of this device may still be in a group that it left.
    pub(super) fn is_left_by_wish(&self, group: &GroupId) -> Result<bool, StoreError> {
        Ok(self.overlay.get(LEFT_BY_WISH, &group.0)?.is_some())
    }

    /// This device is in the group again, or certainly out of it.
    pub(super) fn forget_left_by_wish(&self, group: &GroupId) {
        self.overlay.delete(LEFT_BY_WISH, &group.0);
    }

    /// The room of a group that this device is out of: it left, or was removed, and perhaps a Welcome was lost.
    pub(super) fn found_after_going(
        &mut self,
        group: &GroupId,
        room: &RoomAddress,
    ) -> Result<(), StoreError> {
        match self.is_in_room(room) && self.is_left_by_wish(group)? {
            true => self.come_back_after_leaving(group, room),
            false => self.fetch_welcomes(),
        }
    }

    fn come_back_after_leaving(
        &mut self,
        group: &GroupId,
        room: &RoomAddress,
    ) -> Result<(), StoreError> {
        self.change_record(group, |record| {
            record.state = State::Rejoining;
            record.rejoin = Some(Rejoin { was_gone: true, ..Rejoin::by_itself() });
            record.commit_after_ms = 0;
            record.room_head = None;
            if record.rooms.is_empty() {
                record.rooms = vec![room.clone()];
            }
        })
    }

    /// There was no way back to the leaf of a group that this device had left: looked for again, unless it is out.
    pub(super) fn look_again_after_leaving(
        &mut self,
        group: &GroupId,
        out: bool,
    ) -> Result<(), StoreError> {
        if out {
            self.forget_left_by_wish(group);
        } else if let Some(room) = self.own_room(group)
            && self.is_left_by_wish(group)?
        {
            let again_ms = self.now_ms.saturating_add(REJOIN_PAUSE_MS);
            self.rooms_to_find.insert(room, again_ms);
        }
        Ok(())
    }
}
