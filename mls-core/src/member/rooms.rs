//! The rooms of our own network: which we are in, which we want to enter or leave.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::State;
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Member, Output};
use crate::address::RoomAddress;
use crate::limits::{FIND_GROUP_AFTER_MS, INVITATION_WAIT_MS};
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::find_group::FindGroup;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

const ROOM: Space = "room";

/// How this account stands to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum RoomState {
    /// To be entered.
    Wanted = 1u8,
    /// We are in it.
    Joined = 2u8,
    /// To be left.
    Unwanted = 3u8,
    /// We are not in it.
    Left = 4u8,
}

#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct RoomRecord {
    room: RoomAddress,
    state: RoomState,
}

/// A room that a Welcome led to and that could not be entered.
pub(super) struct Uninvited {
    /// When people are told, in milliseconds since 1970, if it stays so.
    tell_ms: u64,
    /// The group that was in it before.
    group: GroupId,
    why: String,
}

pub(super) type Rooms = std::collections::BTreeMap<RoomAddress, RoomState>;

/// The rooms that a store knows.
pub(super) fn open(overlay: &Overlay) -> Result<Rooms, StoreError> {
    let mut rooms = Rooms::new();
    for (_, value) in overlay.scan(ROOM, &[], &[], usize::from(u16::MAX))? {
        let record: RoomRecord = decode(ROOM, &value)?;
        rooms.insert(record.room, record.state);
    }
    Ok(rooms)
}

impl Member {
    /// Whether this account is in a room.
    pub(super) fn is_in_room(&self, room: &RoomAddress) -> bool {
        self.rooms.get(room) == Some(&RoomState::Joined)
    }

    /// Whether this account is known not to be in a room.
    pub(super) fn is_out_of(&self, room: &RoomAddress) -> bool {
        self.rooms.get(room) == Some(&RoomState::Left)
    }

    /// Whether this account is on its way out of a room.
    pub(super) fn is_leaving_room(&self, room: &RoomAddress) -> bool {
        self.rooms.get(room) == Some(&RoomState::Unwanted)
    }

    /// Enters a room, unless we are in it or on the way.
    pub(super) fn want_room(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        if matches!(self.rooms.get(room), Some(RoomState::Joined | RoomState::Wanted)) {
            return Ok(());
        }
        self.set_room(room, RoomState::Wanted)?;
        self.outputs.push(Output::JoinRoom(room.clone()));
        Ok(())
    }

    /// Leaves a room.
    pub(super) fn unwant_room(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        self.set_room(room, RoomState::Unwanted)?;
        self.outputs.push(Output::LeaveRoom(room.clone()));
        Ok(())
    }

    pub(super) fn set_room(
        &mut self,
        room: &RoomAddress,
        state: RoomState,
    ) -> Result<(), StoreError> {
        let key = room.mls_encode_to_vec().map_err(|e| StoreError(e.to_string()))?;
        self.overlay.write(ROOM, &key, &RoomRecord { room: room.clone(), state })?;
        self.rooms.insert(room.clone(), state);
        let bound = self.groups.values().filter(|record| record.rooms.contains(room));
        let groups: Vec<_> = bound.map(|record| record.group.clone()).collect();
        self.touched.extend(groups);
        Ok(())
    }

    /// Forgets a room that this account has left, and in which no group is known.
    pub(super) fn forget_left_room(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        if self.is_out_of(room) && self.group_of_room(room).is_none() {
            let key = room.mls_encode_to_vec().map_err(|e| StoreError(e.to_string()))?;
            self.overlay.delete(ROOM, &key);
            self.rooms.remove(room);
        }
        Ok(())
    }

    /// This account is in a room now.
    pub(super) fn room_joined(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        let leaving = self.rooms.get(room) == Some(&RoomState::Unwanted);
        if leaving {
            return Ok(());
        }
        self.set_room(room, RoomState::Joined)?;
        self.uninvited.remove(room);
        if !self.has_group_in(room) {
            // A Welcome usually comes; a device that lost its groups has to ask.
            let at_ms = self.now_ms.saturating_add(FIND_GROUP_AFTER_MS);
            self.rooms_to_find.insert(room.clone(), at_ms);
        }
        self.try_welcomes()
    }

    /// This account is no longer in a room.
    pub(super) fn room_left(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        let own_doing = self.rooms.get(room) == Some(&RoomState::Unwanted);
        self.set_room(room, RoomState::Left)?;
        self.rooms_to_find.remove(room);
        if own_doing {
            self.left_room(room)?;
        }
        let here = self.group_of_room(room).filter(|record| record.state != State::Gone);
        let Some(group) = here.map(|record| record.group.clone()) else { return Ok(()) };
        if self.is_ordered_by_room(&group) {
            // It shows no commit of ours any more, and nobody else can.
            self.commit_refused(&group, "we are not in the room")?;
        }
        // Put out, or left by another device, or with another group: the handshake that removes us comes no more.
        self.fetch_handshakes(&group)?;
        self.watch_after_leaving(&group);
        Ok(())
    }

    /// What was to be done with a room is done, or cannot be.
    pub(super) fn room_confirmed(
        &mut self,
        room: &RoomAddress,
        result: Result<(), String>,
    ) -> Result<(), StoreError> {
        match (self.rooms.get(room), result) {
            (Some(RoomState::Wanted), Ok(())) => self.room_joined(room),
            (Some(RoomState::Unwanted), Ok(())) => self.room_left(room),
            (Some(RoomState::Wanted), Err(why)) => {
                self.set_room(room, RoomState::Left)?;
                let why = format!("the room {room} cannot be entered: {why}");
                let group = self.group_of_room(room).filter(|record| record.state != State::Gone);
                let Some(group) = group.map(|record| record.group.clone()) else {
                    return self.not_invited(room, GroupId::none(), why);
                };
                self.fail_waiting_messages(&group, &why)?;
                self.not_invited(room, group, why)
            }
            (Some(RoomState::Unwanted), Err(why)) => {
                self.set_room(room, RoomState::Joined)?;
                self.leaving_failed(room, &why)
            }
            _ => Ok(()),
        }
    }

    /// A room cannot be entered: perhaps its invitation comes after the Welcome.
    fn not_invited(
        &mut self,
        room: &RoomAddress,
        group: GroupId,
        why: String,
    ) -> Result<(), StoreError> {
        if self.welcomes.is_empty() {
            return self.warn(&group, WarningKind::RoomNotEntered, why);
        }
        let tell_ms = self.now_ms.saturating_add(INVITATION_WAIT_MS);
        self.uninvited.entry(room.clone()).or_insert(Uninvited { tell_ms, group, why });
        Ok(())
    }

    /// Enters the room of a Welcome, unless it was just tried: it is tried again when the invitation comes.
    pub(super) fn want_room_of_welcome(&mut self, room: &RoomAddress) -> Result<(), StoreError> {
        match self.uninvited.contains_key(room) {
            true => Ok(()),
            false => self.want_room(room),
        }
    }

    /// Tells people of rooms whose invitation did not come.
    pub(super) fn warn_of_uninvited(&mut self) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        let due: Vec<_> =
            self.uninvited.extract_if(.., |_, uninvited| uninvited.tell_ms <= now_ms).collect();
        for (_, uninvited) in due {
            self.warn(&uninvited.group, WarningKind::RoomNotEntered, uninvited.why)?;
        }
        Ok(())
    }

    /// Rooms that are to be entered or left.
    pub(super) fn pending_rooms(&self) -> Vec<Output> {
        let output = |(room, state): (&RoomAddress, &RoomState)| match state {
            RoomState::Wanted => Some(Output::JoinRoom(room.clone())),
            RoomState::Unwanted => Some(Output::LeaveRoom(room.clone())),
            RoomState::Joined | RoomState::Left => None,
        };
        self.rooms.iter().filter_map(output).collect()
    }

    /// Whether this device is, or was to its end, in the group that a room has now.
    fn has_group_in(&self, room: &RoomAddress) -> bool {
        let is_gone =
            |group: &GroupId| self.record(group).is_some_and(|record| record.state == State::Gone);
        self.group_of_room(room).is_some_and(|record| match record.state {
            State::Gone => false,
            State::Ended => !record.successor.as_ref().is_some_and(is_gone),
            State::Registering | State::Live | State::Rejoining => true,
        })
    }

    /// There is a group that this device could come into, perhaps in one of its rooms. Whether any has none yet.
    pub(super) fn find_groups_now(&mut self) -> bool {
        let without = |room: &&RoomAddress| self.is_in_room(room) && !self.has_group_in(room);
        let rooms: Vec<_> = self.rooms.keys().filter(without).cloned().collect();
        let any = !rooms.is_empty();
        self.rooms_to_find.extend(rooms.into_iter().map(|room| (room, self.now_ms)));
        any
    }

    /// Asks for the groups of rooms whose Welcome did not come.
    pub(super) fn find_groups(&mut self) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        let due: Vec<_> = self
            .rooms_to_find
            .iter()
            .filter(|(_, at_ms)| **at_ms <= now_ms)
            .map(|(room, _)| room.clone())
            .collect();
        for room in due {
            self.rooms_to_find.remove(&room);
            if !self.has_group_in(&room) && self.is_in_room(&room) {
                let find = FindGroup { room: room.clone() };
                self.request(Purpose::FindGroup(room), Request::FindGroup(find))?;
            }
        }
        Ok(())
    }

    /// The hub named the group of a room.
    pub(super) fn group_found(
        &mut self,
        room: &RoomAddress,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(Answer::GroupFound(found)) => self.rejoin_found(&found.group, room),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(RoomState, RoomRecord);
