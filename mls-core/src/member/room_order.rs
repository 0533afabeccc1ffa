//! Groups that their room orders: no hub is asked, and everybody who has seen the same commits
//! ends in the same state (RFC 9750 5.2.2, the eventually consistent mode).
//!
//! Commits go into the room as PrivateMessages, and are applied when the room shows them. Of the
//! commits that were made in one state the least [`rank::Rank`] wins, whenever it comes; so what is
//! followed here is a small **tree of states** ([`branch`]): a state for each commit that could be
//! processed, hung below the state in which it was made ([`attach`]). The group is where the walk
//! from the oldest state over the winners ends ([`settle`]). Where that is another place than
//! before, epochs are taken back: our own commits among them are made again ([`own`]), and what was
//! said in them stays readable ([`reading`]).
//!
//! **The bound.** States are kept for [`ROOM_REWIND_EPOCHS`](crate::policy::ROOM_REWIND_EPOCHS)
//! epochs and [`ROOM_REWIND_MS`](crate::policy::ROOM_REWIND_MS) ([`forget`]), and deleted then:
//! whoever steals the database until then can read what was said in them. A commit for an epoch of
//! before cannot win any more: where somebody else followed it, the group has fallen apart, and
//! people are told to start it anew. After a group went back to its hub ([`hand_back`]) branches
//! are still read for that time.

mod attach;
mod branch;
mod forget;
mod hand_back;
mod own;
mod rank;
mod reading;
mod settle;
mod waiting;

use self::branch::Node;
use super::alarm::Alarm;
use super::event::RemovedEvent;
use super::group_record::{GroupRecord, State};
use super::loaded::Loaded;
use super::{Command, Event, Member, ReceivedMessage};
use crate::bridge_group::{BridgeGroup, Order};
use crate::door::{self, DoorError};
use crate::limits::FELL_APART_NOTICE_MS;
use crate::policy::ROOM_REWIND_EPOCHS;
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

impl Member {
    /// Whether the room of a group orders it.
    pub(super) fn is_ordered_by_room(&self, group: &GroupId) -> bool {
        self.record(group).is_some_and(|record| record.room_head.is_some())
    }

    /// Why a command cannot be carried out in a group that its room orders.
    pub(super) fn needs_hub(&self, group: &GroupId, command: &Command) -> Option<&'static str> {
        if !self.is_ordered_by_room(group) {
            return None;
        }
        match command {
            Command::Invite(_) => Some(
                "nobody can be added without a hub: hand the group back to it (order hub), invite, \
                 and hand it over again",
            ),
            Command::Propose(_) => {
                Some("without a hub there are no proposals by themselves: commit instead")
            }
            Command::ReInit(_) => Some(
                "without a hub there is no ReInit: hand the group back to it (order hub) first",
            ),
            Command::UsePastEpoch(_) | Command::Branch(_) => {
                Some("without a hub an epoch may be taken back: its secret cannot be used")
            }
            _ => None,
        }
    }

    /// The group is in a new epoch, by a commit with a receipt or a Welcome: where its context says
    /// that the room orders it from here on, that begins. The head of its record.
    pub(super) fn begin_room_order_where_it_is(
        &mut self,
        group: &GroupId,
        loaded: &Loaded,
    ) -> Result<Option<Digest>, StoreError> {
        let context = loaded.group.context();
        let bound = BridgeGroup::from_extensions(&context.extensions);
        if bound.is_ok_and(|bound| bound.order != Order::Room) {
            if self.is_ordered_by_room(group) {
                self.forget_room_order(group)?;
            }
            return Ok(None);
        }
        self.forget_previous(group);
        let root = Node::root(context.epoch, self.now_ms);
        self.save_node(group, &root)?;
        Ok(Some(root.id))
    }

    /// Takes a commit that came in a room, if what came is one for a group that the room orders, or
    /// may soon order. Nothing for all else.
    pub(super) fn commit_in_room(
        &mut self,
        group: &GroupId,
        hash: &Digest,
        received: &ReceivedMessage,
    ) -> Result<Option<()>, StoreError> {
        let Some(record) = self.record(group) else { return Ok(None) };
        let coming_back = record.state == State::Rejoining;
        let (epoch_now, suite) = (record.epoch, record.suite.into());
        // Only the room of a group in one network can have ordered it before.
        let branches = if record.rooms.len() == 1 { ROOM_REWIND_EPOCHS + 1 } else { 0 };
        let joined = record.joined_epoch;
        let ordered = record.room_head.is_some();
        if ordered {
            self.listen_for_handed_back(group)?;
        }
        match door::commit_from_room(&received.message, group, suite) {
            Ok(Some(commit)) if coming_back => {
                self.keep_for_future(group, commit.epoch, hash, received.clone()).map(Some)
            }
            Ok(Some(commit)) if ordered => {
                self.take_room_commit(group, hash, commit.epoch, received).map(Some)
            }
            // Its branch may have messages.
            Ok(Some(commit)) if commit.epoch <= epoch_now && self.has_branches(group)? => {
                self.take_room_commit(group, hash, commit.epoch, received).map(Some)
            }
            // That branch may have gone further than the group, which perhaps goes no further itself.
            Ok(Some(commit)) if self.goes_on_a_branch(group, hash, commit.epoch, received)? => {
                Ok(Some(()))
            }
            // The commit that hands the group over to the room may be on its way from the hub.
            Ok(Some(commit)) if commit.epoch > epoch_now => {
                self.keep_for_future(group, commit.epoch, hash, received.clone()).map(Some)
            }
            // Of before this device came in, also of a branch from then, or dealt with while the room ordered
            // the group.
            Ok(Some(commit)) if commit.epoch < joined.saturating_add(branches) => Ok(Some(())),
            Ok(Some(commit)) if self.was_seen(group, commit.epoch, hash)? => Ok(Some(())),
            Ok(Some(_)) if self.was_ordered_by_room(group)? => Ok(Some(())),
            // Of the group that lived in the room before, or of the one that is to follow.
            Err(DoorError::OtherGroup) => self.message_of_other(received.clone(), hash).map(Some),
            Err(error @ DoorError::WrongKind(_)) if ordered => {
                self.not_let_in(group, hash, error, received).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// People are told, now and then, that this device and others do not follow the same group.
    fn fell_apart(&mut self, group: &GroupId, why: &str) -> Result<(), StoreError> {
        let told_ms = self.fell_apart_ms.get(group).copied();
        let recent = |at: u64| self.now_ms.saturating_sub(at) < FELL_APART_NOTICE_MS;
        if told_ms.is_some_and(recent) {
            return Ok(());
        }
        self.fell_apart_ms.insert(group.clone(), self.now_ms);
        self.alarm(group, Alarm::FellApart(why.to_owned()))
    }

    /// The state is gone, and the hub says that the room orders the group now: an admin may hand it back, so
    /// this device asks again later. Commands do not wait for that.
    pub(super) fn no_way_while_by_room(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let why = "its room orders the group now: an admin has to hand it back to the hub, or to remove \
                   this device's user and invite them again";
        let lost = |r: &&GroupRecord| r.state == State::Rejoining && r.joined_epoch != u64::MAX;
        let waits = self.record(group).filter(lost).is_some();
        // A group that was only found in a room is found there again.
        let out = !waits && !self.is_left_by_wish(group)?;
        self.no_way_back(group, why, out)?;
        if !waits {
            return Ok(());
        }
        let of_group = self.intents.values().filter(|intent| intent.group() == Some(group));
        // What is at the hub already needs the state no more.
        let waiting = of_group.filter(|intent| !self.is_registering_branch(intent.number));
        let commands: Vec<_> = waiting.map(|intent| intent.number).collect();
        commands.into_iter().try_for_each(|number| self.fail(number, why))?;
        self.fail_outgoing(group, why)
    }

    /// The state is gone, and no hub has a way back.
    pub(super) fn lost_without_hub(&mut self, group: &GroupId) -> Result<(), StoreError> {
        self.take_pending(group)?;
        self.delete_secrets(group)?;
        self.change_record(group, |record| record.state = State::Gone)?;
        let why = "this device lost the group's state, and the group has no hub to come back by";
        self.alarm(group, Alarm::ReAddNeeded(why.to_owned()))?;
        let by = self.client.clone();
        self.emit(Event::Removed(RemovedEvent { group: group.clone(), by }))?;
        self.fail_outgoing(group, why)
    }
}
