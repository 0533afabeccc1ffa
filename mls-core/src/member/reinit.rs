//! ReInit: ends a group and starts it anew, with another suite or other settings (RFC 9420 11.2).
//!
//! First a key package of every other member is claimed for the group that is to follow, for
//! after the ReInit there is no way back; then the ReInit is committed; then the new group is made
//! with all of them and handed to the hub, which sends the Welcomes.

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionList;

use super::command::ReInitCommand;
use super::commit::{Changes, ReInit};
use super::group_record::State;
use super::intents::{Stage, StartingAnew, Step};
use super::loaded::Loaded;
use super::requests::Purpose;
use super::{Member, claimed_package};
use crate::address::{ClientId, UserId};
use crate::bridge_group::BridgeGroup;
use crate::engine::{EngineError, random_bytes};
use crate::identity::clients;
use crate::limits::USERS_PER_CLAIM_MAX;
use crate::policy::{CIPHER_SUITES, GROUP_ID_BYTES};
use crate::store::StoreError;
use crate::wire::claim_key_packages::{ClaimKeyPackages, ClaimedClient};
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
        if starting.asking {
            return Ok(Step::Wait);
        }
        let next: Vec<UserId> =
            starting.to_claim.iter().take(USERS_PER_CLAIM_MAX).cloned().collect();
        if !next.is_empty() {
            starting.to_claim.drain(..next.len());
            starting.asking = true;
            let claim = ClaimKeyPackages {
                group: command.group.clone(),
                users: next,
                suites: vec![starting.suite],
                successor: Some(starting.successor.clone()),
            };
            self.request(Purpose::Intent(number), Request::ClaimKeyPackages(claim))?;
            return self.set_stage(number, Stage::StartingAnew(starting)).map(|()| Step::Wait);
        }
        if self.record(&command.group).is_some_and(|record| record.successor.is_some()) {
            return self.make_successor(number, command, starting);
        }
        self.commit_reinit(number, command, &starting)
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
        let fresh = || random_bytes(GROUP_ID_BYTES).map_err(|e| StoreError(e.to_string()));
        let successor = ended.map_or_else(|| fresh().map(GroupId), Ok)?;
        let Some(loaded) = self.take_group(&command.group)? else { return Ok(Step::Wait) };
        let mut to_claim: Vec<UserId> = self.others(&loaded).iter().map(ClientId::user).collect();
        self.give_back(&command.group, loaded);
        to_claim.sort();
        to_claim.dedup();
        let (packages, failures) = (Vec::new(), Vec::new());
        let starting =
            StartingAnew { successor, suite, to_claim, asking: false, packages, failures };
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
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let Some(Stage::StartingAnew(mut starting)) = stage else { return Ok(()) };
        starting.asking = false;
        match result {
            Ok(Answer::KeyPackages(claimed)) => {
                self.take_claimed(&mut starting, &claimed);
                self.set_stage(number, Stage::StartingAnew(starting))
            }
            Ok(Answer::Receipt(receipt)) => {
                self.successor_registered(number, &command.group, &starting.successor, &receipt)
            }
            Err(Refusal::Exists) => {
                self.forget_unregistered(&starting.successor)?;
                self.fail(number, "somebody else starts the group anew")?;
                self.try_welcomes()
            }
            Err(refusal) => {
                self.forget_unregistered(&starting.successor)?;
                self.fail(number, format!("the hub refuses: {refusal}"))
            }
            Ok(_) => self.fail(number, "the hub answered something else than was asked"),
        }
    }

    fn take_claimed(&self, starting: &mut StartingAnew, claimed: &[ClaimedClient]) {
        for client in claimed {
            let asked = std::slice::from_ref(&client.user);
            match claimed_package::check(client, asked, starting.suite, self.now_ms) {
                Ok((_, package)) => starting.packages.push(package),
                Err(why) => starting.failures.push(why),
            }
        }
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
        let missing = missing(&self.others(&loaded), starting);
        let extensions = extensions(&loaded, command, &hub);
        let (reinit, why) = match (missing, extensions) {
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
    let held: Vec<ClientId> = held(starting).into_iter().map(|(client, _)| client).collect();
    let lacking: Vec<_> =
        others.iter().filter(|client| !held.contains(client)).map(ToString::to_string).collect();
    let why = starting.failures.join("; ");
    (!lacking.is_empty()).then(|| {
        format!(
            "there is no key package of suite {} of {} ({why})",
            starting.suite,
            lacking.join(", ")
        )
    })
}

/// The packages that a new start holds, by client.
pub(super) fn held(starting: &StartingAnew) -> Vec<(ClientId, MlsMessage)> {
    starting.packages.iter().filter_map(claimed_package::client).collect()
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
