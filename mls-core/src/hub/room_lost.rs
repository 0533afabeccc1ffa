//! A room that is gone, or closed to the hub for good: the group goes on in its other room.
//!
//! Who sits in the lost room hears and says nothing any more, so they leave the group like those
//! who leave a room. A group whose only room is lost stays as it is.

use super::group_record::GroupRecord;
use super::turn::{Turn, effect_id};
use super::{Effect, Notify, leaves, listed, room_record};
use crate::address::{RoomAddress, UserId};
use crate::identity::clients;
use crate::store::StoreError;
use crate::wire::Notice;
use crate::wire::membership_warning::MembershipWarning;

impl Turn<'_> {
    /// From now on nothing is done in the room; said again, it changes nothing.
    pub(super) fn room_lost(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        if !room_record::is_live(self.store, room)? {
            return Ok(());
        }
        self.lost_rooms.push(room.clone());
        listed::forget(self.store, room)?;
        let Some(mut record) = room_record::group(self.store, room)? else {
            room_record::read(self.store, room)?.iter().for_each(|room| room.delete(self.store));
            return Ok(());
        };
        record.rooms.retain(|kept| kept != room);
        record.write(self.store)?;
        self.tell_room_lost(&record, room)?;
        if record.rooms.is_empty() {
            return Ok(());
        }
        let mut users: Vec<UserId> = leaves::users(self.store, &record.group)?;
        users.retain(|user| user.network() == room.network);
        self.propose_removal(&mut record, &users)
    }

    /// Tells every client: those in the lost room hear nothing else about it.
    fn tell_room_lost(
        &mut self,
        record: &GroupRecord,
        room: &RoomAddress,
    ) -> Result<(), StoreError> {
        let what_follows = match record.rooms.is_empty() {
            true => "it has no other",
            false => "its members there are removed from the group",
        };
        let network = room.network;
        let text = format!("the group's room on {network} is gone or closed to us: {what_follows}");
        let public = self.groups.copy(self.store, record)?;
        for client in clients(&public.roster()) {
            let id = effect_id("room lost", &[&room_record::key(room), client.as_str().as_bytes()]);
            let warning = MembershipWarning { group: record.group.clone(), text: text.clone() };
            let notice = Notice::MembershipWarning(warning);
            self.effects.push(Effect::Notify(Notify { id, to: client, notice }));
        }
        Ok(())
    }
}
