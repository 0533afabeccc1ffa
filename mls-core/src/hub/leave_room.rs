//! `LeaveRoom`: an XMPP member gives up the MUC, and so the group.

use super::turn::{Stop, Turn, effect_id, not_allowed};
use super::{Effect, Expel, listed, room_record};
use crate::address::{Network, RoomAddress, UserId};
use crate::store::StoreError;
use crate::wire::Answer;
use crate::wire::leave_room::LeaveRoom;

impl Turn<'_> {
    /// Proposes the Removes and puts the account out of every room of the group.
    pub(super) fn leave_room(&mut self, from: &UserId, leave: &LeaveRoom) -> Result<Answer, Stop> {
        if from.network() != Network::Xmpp {
            return Err(not_allowed("on Matrix, leave the room itself"));
        }
        let mut record = self.group_of_member(&leave.group, from)?;
        self.release_before_leaving(&record, from)?;
        self.propose_removal(&mut record, std::slice::from_ref(from))?;
        for room in record.rooms.clone() {
            self.expel(&room, from, record.seq(), "left the group")?;
        }
        Ok(Answer::Done)
    }

    /// Has an account put out of a room, because of handshake `seq`.
    pub(super) fn expel(
        &mut self,
        room: &RoomAddress,
        user: &UserId,
        seq: u64,
        why: &str,
    ) -> Result<(), StoreError> {
        let cause = [&room_record::key(room), user.as_str().as_bytes(), &seq.to_be_bytes()];
        let id = effect_id("expel", &cause);
        listed::expelled(self.store, room, user)?;
        let (room, user, why) = (room.clone(), user.clone(), why.to_owned());
        self.effects.push(Effect::Expel(Expel { id, room, user, why }));
        Ok(())
    }
}
