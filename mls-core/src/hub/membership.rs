//! Rooms' lists: who left, was kicked or banned is to leave the group as well.

use super::turn::Turn;
use super::{Membership, listed, room_record};
use crate::address::{RoomAddress, UserId};
use crate::store::StoreError;

impl Turn<'_> {
    /// One change of a list.
    pub(super) fn membership(&mut self, change: Membership) -> Result<(), StoreError> {
        let Membership { room, user, listed: is_listed } = change;
        if !room_record::is_live(self.store, &room)? {
            Ok(())
        } else if is_listed {
            listed::joined(self.store, &room, &user)
        } else if listed::left(self.store, &room, &user, self.now_ms)? {
            // A homeserver takes deactivated accounts out of their rooms, and says no more than that.
            self.look_soon(&user);
            self.remove_from_group_of(&room, &[user])
        } else {
            Ok(())
        }
    }

    /// The whole list of a room.
    pub(super) fn listed(
        &mut self,
        room: &RoomAddress,
        users: &[UserId],
    ) -> Result<(), StoreError> {
        if !room_record::is_live(self.store, room)? {
            return Ok(());
        }
        let missing = listed::compare(self.store, room, users, self.now_ms)?;
        self.remove_from_group_of(room, &missing)
    }

    fn remove_from_group_of(
        &mut self,
        room: &RoomAddress,
        users: &[UserId],
    ) -> Result<(), StoreError> {
        match room_record::group(self.store, room)? {
            Some(mut record) => {
                // Whose ghost is put out is not carried into that room any more.
                for user in users.iter().filter(|user| user.network() != room.network) {
                    self.forget_held(&record, user)?;
                }
                self.propose_removal(&mut record, users)
            }
            None => Ok(()),
        }
    }
}
