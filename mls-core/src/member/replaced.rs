//! A group that took the place of one of ours by a restart: what is checked of it, and what becomes of
//! the former.
//!
//! Nothing proves that the new group follows the former: the hub could make one of its own and name
//! any group as replaced. So the former ends here only for somebody who was an admin in the state that
//! this device has of it, by the key that it knows, and people are told whose keys are others
//! than before. A device without a state of the former takes the new group as it takes any.

use mls_rs_core::identity::SigningIdentity;

use super::engine_storage::MemberGroup;
use super::enter::Admitted;
use super::event::Restarted;
use super::group_record::{GroupRecord, State};
use super::intents::{Stage, StartingAnew};
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Command, Event, Member};
use crate::address::{ClientId, RoomAddress};
use crate::bridge_group::BridgeGroup;
use crate::identity::{client_id, clients};
use crate::store::StoreError;
use crate::wire::GroupId;
use crate::wire::hub_info::HubInfo;
use crate::wire::welcome::Welcome;

/// What helps whom somebody added who may not end the group that another replaces.
const ASK: &str = "an admin of it has to remove this device there, and invite it again";

impl Member {
    /// The group that has taken a group's place, where this device is in it.
    pub(super) fn live_successor(&self, former: &GroupId) -> Option<GroupId> {
        let next = self.record(former)?.successor.as_ref()?;
        let here = self.record(next)?.state;
        matches!(here, State::Live | State::Rejoining).then(|| next.clone())
    }

    /// The group of this device that another one is to replace, if there is one.
    pub(super) fn replaced_here(&self, new: &GroupId, bound: &BridgeGroup) -> Option<GroupId> {
        let named = bound.replaced().filter(|former| former != new)?;
        let former = match self.record(&named).map(was_here) {
            Some(true) => named,
            // It was restarted again before this device came into it: what it replaced ends here.
            Some(false) => self.live_in(&bound.rooms(), new).unwrap_or(named),
            None => self.live_in(&bound.rooms(), new)?,
        };
        let ends = match self.record(&former)?.state {
            State::Live | State::Rejoining => true,
            // Whoever was in the new one already, and comes again, comes as into any group.
            State::Ended => self.record(&former)?.successor.as_ref() != Some(new),
            State::Registering | State::Gone => false,
        };
        ends.then_some(former)
    }

    /// Whether a group was the first in its rooms, and this device is in one that came after a restart; or it is in
    /// one whose last receipt is younger: where another follows, the hub signs for nothing more.
    pub(super) fn is_superseded(&self, group: &GroupId, admitted: &Admitted) -> bool {
        let Admitted { bound, receipt, .. } = admitted;
        let live = self.live_in(&bound.rooms(), group);
        let last = live.as_ref().and_then(|live| self.record(live)?.last_receipt.as_ref());
        if last.is_some_and(|last| receipt.tbs.time_ms < last.tbs.time_ms) {
            return true;
        }
        let here = live.and_then(|live| self.engine.load_group(&live.0).ok());
        let here = here.map(|here| BridgeGroup::from_extensions(&here.context().extensions));
        bound.replaced().is_none()
            && here.and_then(Result::ok).is_some_and(|here| here.replaced().is_some())
    }

    /// The group of this device that was the first in these rooms, if it is still in that.
    fn first_in(&self, rooms: &[RoomAddress], new: &GroupId) -> Option<GroupId> {
        let of_rooms = self.groups.values().filter(|record| record.rooms == rooms);
        let mut here = of_rooms.filter(|record| self.is_last_here(record) && record.group != *new);
        let first = here.find(|record| {
            let here = self.engine.load_group(&record.group.0).ok();
            let bound = here.map(|here| BridgeGroup::from_extensions(&here.context().extensions));
            bound.is_some_and(|bound| bound.is_ok_and(|bound| bound.replaced().is_none()))
        });
        first.map(|record| record.group.clone())
    }

    /// Whether this device is in a group, or was to its end and never came into what a ReInit said would follow.
    fn is_last_here(&self, record: &GroupRecord) -> bool {
        let next = record.successor.as_ref().and_then(|next| self.record(next));
        match record.state {
            State::Live => true,
            State::Ended => next.is_none_or(|next| !was_here(next)),
            State::Registering | State::Rejoining | State::Gone => false,
        }
    }

    /// The other group of this device that has these rooms.
    fn live_in(&self, rooms: &[RoomAddress], but: &GroupId) -> Option<GroupId> {
        let live = |record: &&GroupRecord| {
            let live = matches!(record.state, State::Live | State::Rejoining);
            live && was_here(record) && record.group != *but
        };
        let mut live = self.groups.values().filter(live);
        live.find(|record| record.rooms == rooms).map(|record| record.group.clone())
    }

    /// Whether a group may take the place of one of ours, as far as its context tells.
    pub(super) fn check_place(
        &self,
        new: &GroupId,
        bound: &BridgeGroup,
        hub: &HubInfo,
    ) -> Result<(), String> {
        let Some(former) = self.replaced_here(new, bound) else { return Ok(()) };
        let Some(record) = self.record(&former) else { return Ok(()) };
        // One that this device is only on its way into may have been replaced in turn.
        let next =
            self.live_successor(&former).filter(|next| self.record(next).is_some_and(was_here));
        if next.is_some() {
            Err(format!("it replaces {former}, which another group has replaced"))
        } else if was_here(record) && record.rooms != bound.rooms() {
            Err(format!("it replaces {former}, but has other rooms"))
        } else if self.has_unknown_hub(&former, hub) {
            Err(format!("it replaces {former}, which has another hub"))
        } else {
            Ok(())
        }
    }

    /// Whether a group of ours names a key that is not the hub's, as far as this device has heard.
    pub(super) fn has_unknown_hub(&self, group: &GroupId, hub: &HubInfo) -> bool {
        let key = self.record(group).map(|record| record.receipt_key.clone()).unwrap_or_default();
        !key.is_empty() && hub.senders_of(&key).is_none()
    }

    /// Enters a group that replaces one of ours, if who added this device may do that. The inner error
    /// is why the Welcome cannot be used.
    pub(super) fn enter_in_place(
        &mut self,
        former: GroupId,
        welcome: &Welcome,
        group: MemberGroup,
        admitted: Admitted,
        adder: u32,
    ) -> Result<Result<(), String>, StoreError> {
        let Ok(adder) = group.roster().member_with_index(adder) else {
            return Ok(Err("nobody in the group made it".to_owned()));
        };
        let by = match self.may_replace(&former, &adder.signing_identity) {
            Ok(by) => by,
            Err(why) => {
                // Perhaps the commit that made them an admin is on its way.
                self.await_proof(&welcome.id, &former)?;
                return Ok(Err(format!("it replaces {former}, but {why}")));
            }
        };
        let changed = self.doubtful_keys(&former, &group.roster());
        let unknown = self.unknown_clients(&former, &clients(&group.roster()));
        let successor = welcome.group.clone();
        let between = admitted.bound.replaced().filter(|named| *named != former);
        let entered = self.enter(welcome, group, admitted)?;
        if entered.is_ok() {
            // On the way into one that was there between the two, which leads nowhere now.
            let on_the_way = |group: &GroupId| {
                self.record(group).is_some_and(|record| record.state == State::Rejoining)
            };
            if let Some(between) = between.filter(on_the_way) {
                self.end_for(&between, &successor)?;
            }
            self.put_into_place(Restarted { group: former, successor, by, changed, unknown })?;
        }
        Ok(entered)
    }

    /// This device came by itself, as somebody commanded, into a group that replaces one of ours: that ends.
    pub(super) fn came_into_place(
        &mut self,
        group: &GroupId,
        new: &MemberGroup,
    ) -> Result<(), StoreError> {
        let bound = BridgeGroup::from_extensions(&new.context().extensions);
        let here = |former: &GroupId| self.record(former).is_some_and(|it| self.is_last_here(it));
        // The one that it names, or that which was the first in its rooms: another there may be the newer one.
        let former = bound.ok().and_then(|bound| {
            let named = bound.replaced()?;
            if here(&named) { Some(named) } else { self.first_in(&bound.rooms(), group) }
        });
        let former = former.or_else(|| self.followed_unseen(group));
        let Some(former) = former.filter(|former| former != group) else { return Ok(()) };
        let suite = |group: &GroupId| self.record(group).map(|record| record.suite);
        // In another suite a device has another key.
        let changed = match suite(&former) == suite(group) {
            true => self.doubtful_keys(&former, &new.roster()),
            false => Vec::new(),
        };
        self.put_into_place(Restarted {
            successor: group.clone(),
            by: self.client.clone(),
            changed,
            unknown: self.unknown_clients(&former, &clients(&new.roster())),
            group: former,
        })
    }

    /// The group that this one follows by a ReInit, as the hub says: this device could not come to that.
    fn followed_unseen(&self, group: &GroupId) -> Option<GroupId> {
        let ended = |record: &&GroupRecord| {
            let left = record.state == State::Live && record.ended_ms != 0;
            (record.is_behind() || left) && record.successor.as_ref() == Some(group)
        };
        self.groups.values().find(ended).map(|record| record.group.clone())
    }

    /// Who it is that was an admin of the former group, as it is here, by the key that is known.
    fn may_replace(&self, former: &GroupId, by: &SigningIdentity) -> Result<ClientId, String> {
        let client = client_id(by).map_err(|error| error.to_string())?;
        let Ok(here) = self.engine.load_group(&former.0) else { return Ok(client) };
        let bound = BridgeGroup::from_extensions(&here.context().extensions);
        let roster = here.roster();
        let mut known = roster.member_identities_iter();
        let known = known.find(|leaf| client_id(leaf).as_ref() == Ok(&client));
        if !bound.is_ok_and(|bound| bound.is_admin(&client.user())) {
            Err(format!("{client}, who added this device, was no admin of that: {ASK}"))
        } else if known.is_none() {
            Err(format!("{client}, who added this device, is not in that any more: {ASK}"))
        } else if known.is_none_or(|leaf| leaf.signature_key != by.signature_key) {
            Err(format!("{client}, who added this device, had another key in that: ask them"))
        } else {
            Ok(client)
        }
    }

    fn unknown_clients(&self, former: &GroupId, members: &[ClientId]) -> Vec<ClientId> {
        let Ok(here) = self.engine.load_group(&former.0) else { return Vec::new() };
        let known = clients(&here.roster());
        members.iter().filter(|client| !known.contains(client)).cloned().collect()
    }

    /// A new group has the place of another: that ends, and what waits for it goes on in the new one.
    pub(super) fn put_into_place(&mut self, event: Restarted) -> Result<(), StoreError> {
        let (former, successor) = (event.group.clone(), event.successor.clone());
        self.emit(Event::Restarted(event))?;
        self.end_for(&former, &successor)
    }

    /// A group ends for another, and what waits for it goes on in that.
    fn end_for(&mut self, former: &GroupId, successor: &GroupId) -> Result<(), StoreError> {
        self.take_pending(former)?;
        self.give_up_room_commits(former)?;
        self.forget_group_requests(former);
        self.returned(former);
        self.begin_commands_again(former)?;
        self.take_place(former, successor)?;
        let (suite, now_ms) = (self.record(successor).map_or(0, |r| r.suite), self.now_ms);
        self.change_record(former, |record| {
            record.state = State::Ended;
            record.successor = Some(successor.clone());
            record.successor_suite = suite;
            record.ended_ms = now_ms;
            record.proposals_since_ms = None;
            record.rejoin = None;
            record.broken_seq = None;
        })
    }

    /// What was claimed or asked for the former group is of no use in the new one: also who asked to leave was put
    /// out of that, and has been added to this.
    fn begin_commands_again(&mut self, former: &GroupId) -> Result<(), StoreError> {
        let of_former = self.intents.values().filter(|intent| intent.group() == Some(former));
        let again = of_former
            .filter(|intent| !matches!(intent.command, Command::Restart(_)))
            .filter(|intent| intent.stage != Stage::Committed)
            .filter(|intent| !self.is_registering_branch(intent.number));
        for number in again.map(|intent| intent.number).collect::<Vec<_>>() {
            self.forget_requests(|purpose| *purpose == Purpose::Intent(number));
            let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
            if let Some(Stage::StartingAnew(StartingAnew { successor, .. })) = stage {
                // The hub takes that no more.
                self.forget_unregistered(&successor)?;
            }
            self.set_stage(number, Stage::Waiting)?;
        }
        Ok(())
    }

    /// Clients were added to a group: where it took another's place, people are told who of them had
    /// another key in that.
    pub(super) fn compare_with_replaced(
        &mut self,
        loaded: &MemberGroup,
        added: &[ClientId],
    ) -> Result<(), StoreError> {
        let group = &GroupId(loaded.group_id().to_vec());
        let bound = BridgeGroup::from_extensions(&loaded.context().extensions);
        let former = bound.ok().and_then(|bound| bound.replaced());
        let former = former.filter(|former| self.live_successor(former).as_ref() == Some(group));
        let Some(former) = former.filter(|_| !added.is_empty()) else { return Ok(()) };
        let mut changed = self.doubtful_keys(&former, &loaded.roster());
        changed.retain(|client| added.contains(client));
        for client in changed {
            let text = format!("{client} has another key than it had in {former}: ask them");
            self.warn(group, WarningKind::OtherKey, text)?;
        }
        Ok(())
    }
}

/// Whether this device has ever been in a group, and is not only on its way into it.
fn was_here(record: &GroupRecord) -> bool {
    record.joined_epoch != u64::MAX
}
