//! `FindGroup`: which group lives in a room.

use super::turn::{Stop, Turn, not_allowed};
use super::{leaves, listed, room_record};
use crate::address::UserId;
use crate::wire::Answer;
use crate::wire::find_group::{FindGroup, GroupFound};
use crate::wire::refusal::Refusal;

impl Turn<'_> {
    /// Answered to who is in the room's list, has a leaf, or had the room made.
    pub(super) fn find_group(&self, from: &UserId, find: &FindGroup) -> Result<Answer, Stop> {
        let room = room_record::read(self.store, &find.room)?.ok_or(Refusal::UnknownGroup)?;
        let record = room_record::group(self.store, &find.room)?.ok_or(Refusal::UnknownGroup)?;
        let known = room.creator == *from
            || leaves::count(self.store, &record.group, from)? > 0
            || listed::is_listed(self.store, &find.room, from)?;
        if !known {
            return Err(not_allowed("only who is in the room's list may ask about it"));
        }
        Ok(Answer::GroupFound(GroupFound { group: record.group, epoch: record.epoch }))
    }
}
