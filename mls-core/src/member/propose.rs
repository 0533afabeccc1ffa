//! Proposing by reference (RFC 9420 12.4): a proposal that anybody's next commit applies.
//!
//! The engine takes an own proposal in when it makes it, and keeps the secret of an own Update
//! with it. So the state with the proposal is set aside until the hub has accepted it, and only
//! then becomes the group's; handshakes that come meanwhile wait, and nothing is sent.

use mls_rs::MlsMessage;
use mls_rs::group::proposal::Proposal;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::command::{ProposeCommand, Wish};
use super::engine_storage::{self, Slot};
use super::intents::{Stage, Step};
use super::loaded::Loaded;
use super::pending_proposals::leaves_to_remove;
use super::remove::leaves_of;
use super::requests::Purpose;
use crate::address::ClientId;
use crate::engine::EngineError;
use crate::identity::client_id;
use crate::limits::COMMIT_ATTEMPTS_MAX;
use crate::receipt::Receipt;
use crate::store::StoreError;
use crate::wire::handshake::Handshake;
use crate::wire::refusal::Refusal;
use crate::wire::submit_proposal::SubmitProposal;
use crate::wire::{Answer, GroupId, Request, RequestId};

/// A proposal of ours at the hub.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Proposing {
    /// The request that submits it.
    pub(super) request: RequestId,
    /// The command that it is for.
    pub(super) intent: u64,
}

/// What to propose next for a command.
pub(super) enum Next {
    Update,
    Remove(u32),
    Add(Box<MlsMessage>),
}

impl Member {
    /// Proposes what a command wants, one proposal after the other.
    pub(super) fn step_propose(
        &mut self,
        number: u64,
        command: &ProposeCommand,
    ) -> Result<Step, StoreError> {
        let group = &command.group;
        let begun = self.intents.get(&number).is_some_and(|i| i.stage != Stage::Waiting);
        let next = match &command.wish {
            Wish::Add(_) => return self.step_invite(number),
            Wish::Update if begun => None,
            Wish::Update => Some(Next::Update),
            Wish::Remove(users) => {
                let Some(loaded) = self.take_group(group)? else { return Ok(Step::Wait) };
                let proposed = leaves_to_remove(&loaded);
                let mut leaves = leaves_of(&loaded, users);
                self.give_back(group, loaded);
                leaves.retain(|leaf| !proposed.contains(leaf));
                leaves.first().copied().map(Next::Remove)
            }
        };
        match next {
            Some(next) => self.propose(number, group, next),
            None if begun => self.done(number, Some(group.clone())).map(|()| Step::Next),
            None => self.fail(number, "none of them is in the group").map(|()| Step::Next),
        }
    }

    /// Makes one proposal and hands it to the hub.
    pub(super) fn propose(
        &mut self,
        number: u64,
        group: &GroupId,
        next: Next,
    ) -> Result<Step, StoreError> {
        if !self.may_commit(group) {
            return Ok(Step::Wait);
        }
        let Some(mut loaded) = self.take_group(group)? else { return Ok(Step::Wait) };
        self.snapshot(&mut loaded)?;
        let epoch = loaded.group.current_epoch();
        let made = engine_storage::set_aside(&self.overlay, &group.0, || make(&mut loaded, next));
        // The group in memory has the proposal; it is read again without.
        drop(loaded);
        let proposal = match made? {
            Ok(proposal) => proposal,
            Err(error) => {
                let why = format!("the proposal cannot be made: {error}");
                return self.fail(number, why).map(|()| Step::Next);
            }
        };
        let submit = SubmitProposal { group: group.clone(), epoch, proposal };
        let purpose = Purpose::Proposal(group.clone());
        let request = self.request(purpose, Request::SubmitProposal(submit))?;
        let proposing = Proposing { request, intent: number };
        self.change_record(group, |record| record.proposing = Some(proposing))?;
        Ok(Step::Wait)
    }

    /// The hub answered a SubmitProposal.
    pub(super) fn proposal_answered(
        &mut self,
        group: &GroupId,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Some(proposing) = self.record(group).and_then(|r| r.proposing.clone()) else {
            return Ok(());
        };
        let Some(Request::SubmitProposal(submitted)) = asked else { return Ok(()) };
        match result {
            Ok(Answer::Receipt(receipt)) => self.proposal_accepted(submitted, receipt, &proposing),
            Ok(_) => self.proposal_lost(group, "the hub answered something else than a receipt"),
            Err(Refusal::WrongEpoch(_)) => self.propose_again(group, proposing.intent),
            Err(Refusal::Gone) => {
                self.ended_at_hub(group)?;
                self.apply_early(group)
            }
            Err(refusal) => self.proposal_lost(group, &format!("the hub refuses: {refusal}")),
        }
    }

    /// The proposal has its receipt, and goes the way of every handshake.
    fn proposal_accepted(
        &mut self,
        submitted: SubmitProposal,
        receipt: Vec<u8>,
        proposing: &Proposing,
    ) -> Result<(), StoreError> {
        let group = submitted.group.clone();
        let seq = Receipt::from_bytes(&receipt).map(|r| r.tbs.seq).unwrap_or_default();
        let (epoch, message) = (submitted.epoch, submitted.proposal.clone().into());
        let handshake = Handshake { group: group.clone(), seq, epoch, message, receipt };
        let Some(record) = self.record(&group).cloned() else { return Ok(()) };
        if let Err(error) = self.check(&record, &handshake, &submitted.proposal) {
            return self.proposal_lost(&group, &format!("its receipt is not good: {error}"));
        }
        self.loaded.remove(&group);
        engine_storage::adopt(&self.overlay, Slot::Proposed, &group.0)?;
        self.change_record(&group, |record| {
            record.proposing = None;
            record.attempts = 0;
        })?;
        self.set_stage(proposing.intent, self.stage_after_proposal(proposing.intent))?;
        self.handshake(handshake)?;
        self.apply_early(&group)
    }

    /// An invitation goes on with its next package.
    fn stage_after_proposal(&self, number: u64) -> Stage {
        match self.intents.get(&number).map(|intent| &intent.stage) {
            Some(Stage::Inviting(inviting)) => Stage::Inviting(inviting.clone()),
            _ => Stage::Asked,
        }
    }

    /// Somebody's commit came first: the proposal is made anew in the next epoch.
    fn propose_again(&mut self, group: &GroupId, number: u64) -> Result<(), StoreError> {
        let attempts = self.record(group).map_or(0, |r| r.attempts).saturating_add(1);
        if attempts >= COMMIT_ATTEMPTS_MAX {
            return self.proposal_lost(group, &format!("{attempts} proposals came too late"));
        }
        self.take_proposing(group)?;
        let after_ms = self.now_ms.saturating_add(self.random_wait(attempts)?);
        self.change_record(group, |record| {
            record.attempts = attempts;
            record.commit_after_ms = after_ms;
        })?;
        self.apply_early(group)?;
        self.fetch_handshakes(group)?;
        self.save_intent(number)
    }

    /// The proposal will not be.
    fn proposal_lost(&mut self, group: &GroupId, why: &str) -> Result<(), StoreError> {
        let Some(proposing) = self.take_proposing(group)? else { return Ok(()) };
        self.change_record(group, |record| record.attempts = 0)?;
        self.fail(proposing.intent, format!("the proposal was not accepted: {why}"))?;
        self.apply_early(group)?;
        self.fetch_handshakes(group)
    }

    /// Takes back a proposal that has no receipt.
    pub(super) fn take_proposing(
        &mut self,
        group: &GroupId,
    ) -> Result<Option<Proposing>, StoreError> {
        let Some(proposing) = self.record(group).and_then(|r| r.proposing.clone()) else {
            return Ok(None);
        };
        self.forget_request(&proposing.request);
        engine_storage::delete(&self.overlay, Slot::Proposed, &group.0)?;
        self.change_record(group, |record| record.proposing = None)?;
        Ok(Some(proposing))
    }
}

/// Clients for whom an Add waits for a commit.
pub(super) fn proposed_to_add(loaded: &Loaded) -> Vec<ClientId> {
    let client = |proposal: &Proposal| match proposal {
        Proposal::Add(add) => client_id(add.signing_identity()).ok(),
        _ => None,
    };
    loaded.group.get_cached_proposals().iter().filter_map(|p| client(p.proposal())).collect()
}

fn make(loaded: &mut Loaded, next: Next) -> Result<Vec<u8>, EngineError> {
    let group = &mut loaded.group;
    let message = match next {
        Next::Update => group.propose_update(Vec::new()),
        Next::Remove(leaf) => group.propose_remove(leaf, Vec::new()),
        Next::Add(package) => group.propose_add(*package, Vec::new()),
    }?;
    group.write_to_storage()?;
    Ok(message.to_bytes()?)
}

#[cfg(test)]
crate::codec_properties::hold!(Proposing);
