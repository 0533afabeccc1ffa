//! ReInit: ends a group and starts it anew, with another suite or other settings (RFC 9420 11.2).
//!
//! First a key package of every other member is claimed for the group that is to follow, for
//! after the ReInit there is no way back; then the ReInit is committed; then the new group is made
//! with all of them and handed to the hub, which sends the Welcomes.

use mls_rs::error::MlsError;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionList;

use super::Member;
use super::claiming::Claiming;
use super::command::ReInitCommand;
use super::commit::{Changes, ReInit};
use super::group_record::State;
use super::intents::{Stage, StartingAnew, Step};
use super::loaded::Loaded;
use super::requests::Purpose;
use super::successor::LOST;
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;
use crate::engine::EngineError;
use crate::identity::{check_leaf, clients};
use crate::policy::CIPHER_SUITES;
use crate::store::StoreError;
use crate::wire::claim_key_packages::ClaimPurpose;
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

impl Member {
    /// Takes a new start as far as it goes now.
    pub(super) fn step_reinit(
        &mut self,
        number: u64,
        command: &ReInitCommand,
    ) -> Result<Step, StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let Some(Stage::StartingAnew(mut starting)) = stage else {
            return self.begin_reinit(number, command);
        };
        if self.is_followed_by_another(&command.group, &starting) {
            self.forget_requests(|purpose| *purpose == Purpose::Intent(number));
            self.set_stage(number, Stage::Waiting)?;
            return self.begin_reinit(number, command);
        }
        if starting.asking || starting.claiming.under_way {
            return Ok(Step::Wait);
        }
        let purpose = ClaimPurpose::Successor(starting.successor.clone());
        let (group, suite) = (&command.group, starting.suite);
        if self.claim_next(number, group, suite, purpose, &mut starting.claiming)? {
            return self.set_stage(number, Stage::StartingAnew(starting)).map(|()| Step::Wait);
        }
        if self.record(&command.group).is_some_and(|record| record.successor.is_some()) {
            return self.make_successor(number, command, starting);
        }
        self.commit_reinit(number, command, &starting)
    }

    /// Whether somebody else has ended the group, and said that another follows than was prepared here.
    fn is_followed_by_another(&self, group: &GroupId, starting: &StartingAnew) -> bool {
        let next = self.record(group).and_then(|record| record.successor.as_ref());
        next.is_some_and(|next| *next != starting.successor)
    }

    fn begin_reinit(&mut self, number: u64, command: &ReInitCommand) -> Result<Step, StoreError> {
        let Some(record) = self.record(&command.group) else { return Ok(Step::Next) };
        let (ended, suite) = match &record.successor {
            Some(successor) => (Some(successor.clone()), record.successor_suite),
            None => (None, command.suite),
        };
        if let Some(next) = ended.as_ref().and_then(|next| self.record(next))
            && next.state != State::Registering
        {
            // What follows is there, or was.
            let next = next.group.clone();
            return self.done(number, Some(next)).map(|()| Step::Next);
        }
        if !CIPHER_SUITES.contains(&CipherSuite::from(suite)) {
            let why = EngineError::Suite(suite).to_string();
            return self.fail(number, why).map(|()| Step::Next);
        } else if ended.is_none() && !self.may_commit(&command.group) {
            return Ok(Step::Wait);
        }
        if record.state == State::Ended && !self.can_follow(&command.group)? {
            return self.fail(number, LOST).map(|()| Step::Next);
        }
        let successor = match ended {
            Some(successor) => successor,
            None => self.fresh_group_id()?,
        };
        let Some(loaded) = self.take_group(&command.group)? else { return Ok(Step::Wait) };
        let claiming = Claiming::of(self.others(&loaded).iter().map(ClientId::user).collect());
        self.give_back(&command.group, loaded);
        let starting = StartingAnew { successor, suite, claiming, asking: false };
        self.set_stage(number, Stage::StartingAnew(starting))?;
        self.touched.insert(command.group.clone());
        Ok(Step::Wait)
    }

    /// All clients of a group but this one.
    fn others(&self, loaded: &Loaded) -> Vec<ClientId> {
        let mut others = clients(&loaded.group.roster());
        others.retain(|client| *client != self.client);
        others
    }

    /// The hub answered what a new start asked.
    pub(super) fn reinit_answered(
        &mut self,
        number: u64,
        command: &ReInitCommand,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let Some(Stage::StartingAnew(mut starting)) = stage else { return Ok(()) };
        starting.asking = false;
        match (asked, result) {
            (_, Ok(Answer::KeyPackages(claimed))) => {
                let (suite, list) = (starting.suite, &self.revocations.list);
                starting.claiming.take(&claimed, suite, self.now_ms, list);
                self.set_stage(number, Stage::StartingAnew(starting))
            }
            (Some(Request::RegisterSuccessor(asked)), Ok(Answer::Receipt(receipt))) => {
                let (former, next) = (&command.group, &starting.successor);
                self.successor_registered(number, former, next, &asked.founded.group_info, &receipt)
            }
            (_, result) => {
                let why = match result {
                    Err(Refusal::Exists) => "somebody else starts the group anew".to_owned(),
                    Err(refusal) => format!("the hub refuses: {refusal}"),
                    Ok(_) => "the hub answered something else than was asked".to_owned(),
                };
                self.forget_unregistered(&starting.successor)?;
                self.fail(number, why)?;
                self.try_welcomes()
            }
        }
    }

    /// One sentence on the first of all leaves that the group which is to follow would not take.
    fn unfit(
        &self,
        others: &[ClientId],
        starting: &StartingAnew,
        extensions: &ExtensionList,
    ) -> Option<String> {
        let next = BridgeGroup::from_extensions(extensions).ok()?;
        let own = self.keys.of(CipherSuite::from(starting.suite)).identity();
        if let Err(why) = check_leaf(&own, &next, None) {
            return Some(format!("this device's own key does not do: {why}"));
        }
        // A claim brings all devices of a user.
        let held = starting.claiming.held().into_iter();
        held.filter(|(client, _)| others.contains(client)).find_map(|(client, package)| {
            let leaf = package.as_key_package()?.signing_identity();
            let why = check_leaf(leaf, &next, None).err()?;
            Some(format!("the key package of {client} does not do: {why}"))
        })
    }

    /// Commits the ReInit, if everybody can follow.
    fn commit_reinit(
        &mut self,
        number: u64,
        command: &ReInitCommand,
        starting: &StartingAnew,
    ) -> Result<Step, StoreError> {
        if !self.may_commit(&command.group) {
            return Ok(Step::Wait);
        }
        let Some(hub) = self.need_hub()? else { return Ok(Step::Wait) };
        let Some(loaded) = self.take_group(&command.group)? else { return Ok(Step::Wait) };
        if loaded.group.commit_required() {
            // A ReInit stands alone in its commit: what is pending goes first.
            return self.commit_pending(&command.group, loaded).map(|_| Step::Wait);
        }
        let others = self.others(&loaded);
        let mut all = starting.clone();
        if all.claiming.ask_also(others.iter().map(ClientId::user)) {
            // They came into the group after the others were asked for.
            self.give_back(&command.group, loaded);
            self.touched.insert(command.group.clone());
            return self.set_stage(number, Stage::StartingAnew(all)).map(|()| Step::Wait);
        }
        let extensions = extensions(&loaded, command, &hub);
        let next = extensions.as_ref().ok();
        let unfit = next.and_then(|extensions| self.unfit(&others, starting, extensions));
        let (reinit, why) = match (missing(&others, starting).or(unfit), extensions) {
            (None, Ok(extensions)) => {
                let suite = CipherSuite::from(starting.suite);
                let successor = starting.successor.clone();
                (Some(ReInit { successor, suite, extensions }), String::new())
            }
            (Some(why), _) => (None, why),
            (None, Err(error)) => (None, error.to_string()),
        };
        if reinit.is_none() {
            self.give_back(&command.group, loaded);
            let why = format!("the group cannot be started anew: {why}");
            return self.fail(number, why).map(|()| Step::Next);
        }
        let changes = Changes { reinit, ..Changes::default() };
        match self.commit(&command.group, loaded, Some(number), changes)? {
            Ok(()) => Ok(Step::Wait),
            Err(error) => {
                let why = format!("the group cannot be started anew: {error}");
                self.fail(number, why).map(|()| Step::Next)
            }
        }
    }
}

/// One sentence that names the members of whom no key package is there.
fn missing(others: &[ClientId], starting: &StartingAnew) -> Option<String> {
    let held = starting.claiming.held();
    let held: Vec<_> = held.into_iter().map(|(client, _)| client).collect();
    let lacking: Vec<_> =
        others.iter().filter(|client| !held.contains(client)).map(ToString::to_string).collect();
    let why = starting.claiming.failures.join("; ");
    (!lacking.is_empty()).then(|| {
        format!(
            "there is no key package of suite {} of {} ({why})",
            starting.suite,
            lacking.join(", ")
        )
    })
}

/// The context of the group that is to follow.
fn extensions(
    loaded: &Loaded,
    command: &ReInitCommand,
    hub: &HubInfo,
) -> Result<ExtensionList, EngineError> {
    let codec = |e: mls_rs_core::extension::ExtensionError| EngineError::Mls(MlsError::from(e));
    let mut extensions = loaded.group.context().extensions.clone();
    let bound = BridgeGroup::from_extensions(&extensions)
        .map_err(|e| EngineError::Crypto(e.to_string()))?;
    let sender = hub.sender(command.suite).ok_or(EngineError::Suite(command.suite))?;
    let bound = BridgeGroup { replaces: Vec::new(), ..command.settings.applied_to(&bound) };
    extensions.set_from(bound).map_err(codec)?;
    extensions.set_from(ExternalSendersExt::new(vec![sender])).map_err(codec)?;
    Ok(extensions)
}
