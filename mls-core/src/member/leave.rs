//! Leave: leaving is leaving the room; the hub then proposes the Removes.

use super::event::RemovedEvent;
use super::group_record::State;
use super::intents::{Stage, Step};
use super::requests::Purpose;
use super::{Command, Event, Member};
use crate::address::{Network, RoomAddress};
use crate::limits::{LEFT_ROOM_WATCH_MAX_MS, REQUEST_RETRY_MS};
use crate::store::StoreError;
use crate::wire::leave_room::LeaveRoom;
use crate::wire::{GroupId, Request};

/// When to look next at a group whose room we are no longer in, and how long to wait after that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    at_ms: u64,
    wait_ms: u64,
}

impl Member {
    /// Leaves the room, after what was to be said is said.
    pub(super) fn step_leave(&mut self, number: u64) -> Result<Step, StoreError> {
        let Some((Command::Leave(group), stage)) =
            self.intents.get(&number).map(|i| (i.command.clone(), i.stage.clone()))
        else {
            return Ok(Step::Next);
        };
        if stage != Stage::Waiting || self.unconfirmed_in(&group) > 0 {
            return Ok(Step::Wait);
        }
        let Some(room) = self.own_room(&group) else {
            return self.left(&group, number).map(|()| Step::Next);
        };
        self.set_stage(number, Stage::Asked)?;
        match self.client.network() {
            _ if self.is_ordered_by_room(&group) => self.unwant_room(&room)?,
            Network::Matrix => self.unwant_room(&room)?,
            Network::Xmpp => {
                let leave = LeaveRoom { group };
                self.request(Purpose::Intent(number), Request::LeaveRoom(leave))?;
            }
        }
        Ok(Step::Wait)
    }

    /// A room was left, by our own wish.
    pub(super) fn left_room(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        let leaving = self.leaving_by(room);
        leaving.into_iter().try_for_each(|(group, number)| self.left(&group, number))
    }

    /// The room cannot be left.
    pub(super) fn leaving_failed(
        &mut self,
        room: &RoomAddress,
        why: &str,
    ) -> Result<(), StoreError> {
        let leaving = self.leaving_by(room);
        leaving.into_iter().try_for_each(|(_, number)| {
            self.fail(number, format!("the room {room} cannot be left: {why}"))
        })
    }

    /// The groups that are left by leaving a room, and by which commands. It may have another group by now than
    /// the one that has ended for this device.
    fn leaving_by(&self, room: &RoomAddress) -> Vec<(GroupId, u64)> {
        let of_room = self.groups.values().filter(|record| record.rooms.contains(room));
        let groups = of_room.map(|record| &record.group);
        groups.filter_map(|group| Some((group.clone(), self.leaving(group)?))).collect()
    }

    fn leaving(&self, group: &GroupId) -> Option<u64> {
        let leaves = |command: &Command| matches!(command, Command::Leave(g) if g == group);
        self.intents.values().find(|i| leaves(&i.command)).map(|intent| intent.number)
    }

    /// We are out: what we could read or send with goes, whenever the commit comes. What waits to be
    /// read stays for its day, for we may have been invited again already.
    pub(super) fn left(&mut self, group: &GroupId, number: u64) -> Result<(), StoreError> {
        self.note_left_by_wish(group);
        self.take_pending(group)?;
        self.fail_join(group)?;
        self.delete_secrets(group)?;
        self.forget_early(group)?;
        self.forget_group_requests(group);
        self.change_record(group, |record| {
            record.state = State::Gone;
            record.rejoin = None;
            record.proposals_since_ms = None;
        })?;
        self.fail_outgoing(group, "this device left the group")?;
        let by = self.client.clone();
        self.emit(Event::Removed(RemovedEvent { group: group.clone(), by }))?;
        self.done(number, Some(group.clone()))
    }

    /// We are removed: who asked for that has what it wanted, and is not to go once more if it is added again.
    pub(super) fn end_leaving(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let asked =
            |number: &u64| self.intents.get(number).map(|i| &i.stage) == Some(&Stage::Asked);
        let Some(number) = self.leaving(group).filter(asked) else { return Ok(()) };
        self.forget_requests(|purpose| *purpose == Purpose::Intent(number));
        self.done(number, Some(group.clone()))
    }

    /// We are out of a group's room, not by our own wish: the commit that removes us is not
    /// posted where we could see it, so we ask for it, less and less often.
    pub(super) fn watch_after_leaving(&mut self, group: &GroupId) {
        let wait_ms = REQUEST_RETRY_MS;
        let at_ms = self.now_ms.saturating_add(wait_ms);
        self.watched.insert(group.clone(), Watch { at_ms, wait_ms });
    }

    /// Looks at the groups whose rooms we are no longer in.
    pub(super) fn look_at_watched(&mut self) -> Result<(), StoreError> {
        let watched: Vec<_> = self.watched.keys().cloned().collect();
        for group in watched {
            let back = self.own_room(&group).is_none_or(|room| self.is_in_room(&room));
            if back || self.readable(&group).is_none() {
                self.watched.remove(&group);
                continue;
            }
            let now_ms = self.now_ms;
            let Some(watch) = self.watched.get_mut(&group).filter(|w| w.at_ms <= now_ms) else {
                continue;
            };
            watch.wait_ms = watch.wait_ms.saturating_mul(2).min(LEFT_ROOM_WATCH_MAX_MS);
            watch.at_ms = now_ms.saturating_add(watch.wait_ms);
            self.fetch_handshakes(&group)?;
        }
        Ok(())
    }

    /// Watches the groups whose rooms this account is known to be out of.
    pub(super) fn watch_left_rooms(&mut self) {
        let out: Vec<_> = self
            .groups
            .values()
            .filter(|record| record.state == State::Live)
            .filter(|record| record.rooms.iter().any(|room| self.is_out_of(room)))
            .map(|record| record.group.clone())
            .collect();
        for group in out {
            self.watch_after_leaving(&group);
        }
    }
}
