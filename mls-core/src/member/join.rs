//! Join: into the group of a room that we are in, by external commit, where the group is open
//! (RFC 9420 12.4.3.2). The way is that of [`super::rejoin`], without a leaf to replace.

use super::group_record::{GroupRecord, Rejoin, State};
use super::intents::{Stage, Step};
use super::requests::Purpose;
use super::{Command, Member};
use crate::address::RoomAddress;
use crate::store::StoreError;
use crate::wire::find_group::FindGroup;
use crate::wire::{GroupId, Request};

impl Member {
    /// Starts the Join commands that wait for the hub.
    pub(super) fn start_joins(&mut self) -> Result<(), StoreError> {
        let waiting: Vec<_> = self
            .intents
            .values()
            .filter(|intent| intent.stage == Stage::Waiting)
            .filter_map(|intent| match &intent.command {
                Command::Join(room) => Some((intent.number, room.clone())),
                _ => None,
            })
            .collect();
        for (number, room) in waiting {
            self.step_join(number, &room)?;
        }
        Ok(())
    }

    fn step_join(&mut self, number: u64, room: &RoomAddress) -> Result<Step, StoreError> {
        if room.network != self.client.network() {
            let network = self.client.network();
            let why = format!("this device can only join through a room on {network}");
            return self.fail(number, why).map(|()| Step::Next);
        }
        if self.need_hub()?.is_none() {
            return Ok(Step::Wait);
        }
        let find = FindGroup { room: room.clone() };
        self.request(Purpose::Intent(number), Request::FindGroup(find))?;
        self.set_stage(number, Stage::Asked).map(|()| Step::Wait)
    }

    /// A Join that is under way ends, since the group is left meanwhile.
    pub(super) fn fail_join(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let rejoin = self.record(group).and_then(|record| record.rejoin.as_ref());
        match rejoin.filter(|rejoin| rejoin.joins).and_then(|rejoin| rejoin.intent) {
            Some(number) => self.fail(number, "this device was removed from the group, or left it"),
            None => Ok(()),
        }
    }

    /// This device is on its way into the group already: by itself, or by another command.
    fn join_on_way_back(&mut self, number: u64, group: &GroupId) -> Result<(), StoreError> {
        let other = self.record(group).and_then(|record| record.rejoin.as_ref()?.intent);
        if other.is_some_and(|other| self.intents.contains_key(&other)) {
            return self
                .fail(number, "this device is on its way into the group by another command");
        }
        self.take_up_way_back(group, number)?;
        self.change_record(group, |record| {
            if let Some(rejoin) = &mut record.rejoin {
                rejoin.joins = true;
            }
        })
    }

    /// The hub named the group of the room.
    pub(super) fn join_found(
        &mut self,
        number: u64,
        room: RoomAddress,
        group: GroupId,
    ) -> Result<(), StoreError> {
        match self.record(&group).map(|record| record.state) {
            None | Some(State::Gone) => {}
            Some(State::Rejoining) => return self.join_on_way_back(number, &group),
            Some(_) => return self.done(number, Some(group)),
        }
        let was_gone = self.record(&group).is_some();
        let mut record = GroupRecord::new(group, State::Rejoining, self.now_ms);
        record.joined_epoch = u64::MAX;
        record.rooms = vec![room];
        let intent = Some(number);
        record.rejoin = Some(Rejoin { intent, was_gone, joins: true, ..Rejoin::by_itself() });
        self.save_record(record)
    }
}
