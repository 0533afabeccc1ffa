//! The group that follows one that a ReInit has ended: made, joined, and put into its place.

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::group::proposal::ReInitProposal;
use mls_rs::group::{ExportedTree, Node, NodeVec};
use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::CipherSuite;

use super::command::ReInitCommand;
use super::engine_storage::{MemberGroup, ReInitClient, Slot, exists};
use super::event::StartedAnew;
use super::founded::founded;
use super::group_record::{GroupRecord, State};
use super::intents::{Stage, StartingAnew, Step};
use super::requests::Purpose;
use super::{Command, Event, Member, engine_fault};
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;
use crate::engine::EngineError;
use crate::limits::ENDED_WAIT_MS;
use crate::policy::PAST_EPOCH_KEEP_MS;
use crate::store::StoreError;
use crate::wire::blob::Part;
use crate::wire::register_successor::RegisterSuccessor;
use crate::wire::{GroupId, Request};

/// Why nothing can follow: that takes the former group's resumption PSK.
pub(super) const LOST: &str = "this device lost the state of the group that has ended; an admin with \
                               another device can start it anew";

impl Member {
    /// A ReInit was applied: the group has ended.
    pub(super) fn group_ended(
        &mut self,
        group: &GroupId,
        reinit: &ReInitProposal,
        committer: Option<ClientId>,
    ) -> Result<(), StoreError> {
        let successor = GroupId(reinit.group_id().to_vec());
        let suite = u16::from(reinit.new_cipher_suite());
        let now_ms = self.now_ms;
        self.change_record(group, |record| {
            record.state = State::Ended;
            record.successor = Some(successor.clone());
            record.successor_suite = suite;
            record.ended_ms = now_ms;
            record.proposals_since_ms = None;
        })?;
        let committer = committer.unwrap_or_else(|| self.client.clone());
        let group = group.clone();
        let event = StartedAnew { group, successor, suite, committer };
        self.emit(Event::StartedAnew(event))?;
        self.try_welcomes()
    }

    /// The engine's way into what follows a group that has ended.
    ///
    /// It wants the two trees to be of one length, so one with a blank leaf could never be followed (mls-rs 0.57,
    /// `check_that_subgroup_is_a_subset`): here the members of the former stand side by side.
    fn reinit_client(
        &self,
        former: &GroupId,
        suite: CipherSuite,
    ) -> Result<ReInitClient, StoreError> {
        let key = self.keys.of(suite);
        let load = || {
            let group = self.engine.load_group(&former.0)?;
            let tree = side_by_side(&group.export_tree())?;
            let group = self.engine.load_group_with_ratchet_tree(&former.0, tree)?;
            group.get_reinit_client(Some(key.secret().clone()), Some(key.identity()))
        };
        load().map_err(|e| engine_fault(&e))
    }

    /// Makes the group that follows, with everybody in it, and hands it to the hub.
    pub(super) fn make_successor(
        &mut self,
        number: u64,
        command: &ReInitCommand,
        mut starting: StartingAnew,
    ) -> Result<Step, StoreError> {
        let former = &command.group;
        if self.record(&starting.successor).is_some_and(|r| r.state != State::Registering) {
            // Somebody else was first.
            let successor = Some(starting.successor);
            return self.done(number, successor).map(|()| Step::Next);
        }
        if !self.can_follow(former)? {
            return self.fail(number, LOST).map(|()| Step::Next);
        }
        let (group, request) = match self.build_successor(former, &starting)? {
            Ok(built) => built,
            Err(error) => {
                let why = format!("the group that follows cannot be made: {error}");
                return self.fail(number, why).map(|()| Step::Next);
            }
        };
        let bound = BridgeGroup::from_extensions(&group.context().extensions)
            .map_err(|e| StoreError(e.to_string()))?;
        self.keep_unregistered(group, bound, None)?;
        self.request(Purpose::Intent(number), Request::RegisterSuccessor(request))?;
        starting.asking = true;
        self.set_stage(number, Stage::StartingAnew(starting)).map(|()| Step::Wait)
    }

    fn build_successor(
        &self,
        former: &GroupId,
        starting: &StartingAnew,
    ) -> Result<Result<(MemberGroup, RegisterSuccessor), EngineError>, StoreError> {
        let suite = CipherSuite::from(starting.suite);
        let client = self.reinit_client(former, suite)?;
        let leaf = match self.leaf_extensions(self.keys.of(suite).public()) {
            Ok(leaf) => leaf,
            Err(error) => return Ok(Err(error)),
        };
        let members = self.clients_of(former)?;
        let packages = self.packages_of(&members, &starting.claiming);
        let made = client.commit(packages, leaf, Some(self.backdated()));
        Ok(made.map_err(EngineError::from).and_then(|(group, welcomes)| {
            let (former, founded) = (former.clone(), founded(&group, &welcomes)?);
            Ok((group, RegisterSuccessor { former, founded }))
        }))
    }

    fn clients_of(&self, group: &GroupId) -> Result<Vec<ClientId>, StoreError> {
        let group = self.engine.load_group(&group.0).map_err(|e| engine_fault(&e))?;
        Ok(crate::identity::clients(&group.roster()))
    }

    /// The hub accepted the group that we made.
    pub(super) fn successor_registered(
        &mut self,
        number: u64,
        former: &GroupId,
        successor: &GroupId,
        group_info: &Part,
        receipt: &[u8],
    ) -> Result<(), StoreError> {
        match self.registered(successor, group_info, receipt)? {
            Ok(()) => {
                self.done(number, Some(successor.clone()))?;
                self.take_place(former, successor)
            }
            Err(why) => self.fail(number, why),
        }
    }

    /// Forgets a group that we made and that will not be registered.
    pub(super) fn forget_unregistered(&mut self, group: &GroupId) -> Result<(), StoreError> {
        if self.record(group).is_some_and(|record| record.state == State::Registering) {
            self.delete_secrets(group)?;
            self.delete_record(group);
        }
        Ok(())
    }

    /// Joins what follows a group by its Welcome; the inner error is why it cannot be used.
    pub(super) fn join_successor(
        &self,
        former: &GroupId,
        tree: ExportedTree<'_>,
        welcome: &MlsMessage,
    ) -> Result<Result<MemberGroup, MlsError>, StoreError> {
        let suite = self.record(former).map_or(0, |record| record.successor_suite);
        let client = self.reinit_client(former, CipherSuite::from(suite))?;
        Ok(client.join(welcome, Some(tree), None).map(|(group, _)| group))
    }

    /// The group that follows is there: what waits for the former goes on in it.
    pub(super) fn take_place(
        &mut self,
        former: &GroupId,
        successor: &GroupId,
    ) -> Result<(), StoreError> {
        self.end_ways_back(former, successor)?;
        let waits: Vec<u64> = self
            .intents
            .values()
            .filter(|intent| intent.group() == Some(former))
            .map(|intent| intent.number)
            .collect();
        for number in waits {
            self.begin_branch_again(number);
            self.begin_invitation_again(number);
            if let Some(intent) = self.intents.get_mut(&number) {
                intent.command = intent.command.clone().for_successor(successor);
            }
            self.save_intent(number)?;
        }
        self.touched.insert(successor.clone());
        Ok(())
    }

    /// Who was coming back into the former group is in the new one.
    fn end_ways_back(&mut self, former: &GroupId, successor: &GroupId) -> Result<(), StoreError> {
        let joining = self.record(former).and_then(|record| record.rejoin.as_ref()?.intent);
        let rejoins = |command: &Command| matches!(command, Command::Rejoin(g) if g == former);
        let coming = self.intents.values().filter(|intent| rejoins(&intent.command));
        let coming: Vec<_> = coming.map(|intent| intent.number).chain(joining).collect();
        coming.into_iter().try_for_each(|number| self.done(number, Some(successor.clone())))
    }

    /// A command for a group whose successor is there is one for that.
    pub(super) fn follow_successor(&self, mut command: Command) -> Command {
        let here =
            |next: &GroupId| self.record(next).is_some_and(|r| r.state != State::Registering);
        // That may have been replaced or lost since, and says itself what becomes of the command.
        for _ in 0..self.groups.len() {
            let ended = command.group().and_then(|group| self.record(group));
            let ended = ended.filter(|r| matches!(r.state, State::Ended | State::Gone));
            match ended.and_then(|record| record.successor.clone()).filter(here) {
                Some(next) => command = command.for_successor(&next),
                None => break,
            }
        }
        command
    }

    /// Whether a group has ended, and this device has waited long enough for the one that follows.
    pub(super) fn is_left_behind(&self, former: &GroupId) -> bool {
        let ended = self.record(former).filter(|record| record.state == State::Ended);
        ended.is_some_and(|record| record.ended_ms.saturating_add(ENDED_WAIT_MS) <= self.now_ms)
    }

    /// Deletes groups whose end is as old as past epochs may be.
    pub(super) fn forget_ended_groups(&mut self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(PAST_EPOCH_KEEP_MS);
        let over = |record: &&GroupRecord| {
            let next = record.successor.as_ref().and_then(|next| self.record(next));
            // One that is only being registered may be refused: then the former is what leads on.
            let there = next.is_some_and(|next| next.state != State::Registering);
            record.state == State::Ended && record.ended_ms <= before_ms && there
        };
        let over: Vec<_> = self.groups.values().filter(over).map(|r| r.group.clone()).collect();
        for group in over {
            self.delete_secrets(&group)?;
            self.change_record(&group, |record| record.state = State::Gone)?;
        }
        Ok(())
    }

    /// Whether the state of a group that has ended is still here.
    pub(super) fn can_follow(&self, former: &GroupId) -> Result<bool, StoreError> {
        let ended = self.record(former).is_some_and(|record| record.state == State::Ended);
        Ok(ended && exists(&self.overlay, Slot::Current, &former.0)?)
    }
}

/// The leaves of a tree without the blank ones between them, and without parents.
fn side_by_side(tree: &ExportedTree<'_>) -> Result<ExportedTree<'static>, MlsError> {
    let leaves = tree.nodes().iter().filter(|node| matches!(node, Some(Node::Leaf(_))));
    let mut nodes: Vec<_> = leaves.flat_map(|leaf| [leaf.clone(), None]).collect();
    nodes.pop();
    ExportedTree::from_bytes(&NodeVec::from(nodes).mls_encode_to_vec()?)
}
