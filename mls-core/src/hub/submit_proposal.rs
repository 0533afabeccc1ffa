//! `SubmitProposal`: a member's proposal by reference.

use mls_rs::external_client::ExternalReceivedMessage;
use mls_rs::group::Sender;
use mls_rs::group::proposal::Proposal;

use super::committer::committer;
use super::group_record::GroupRecord;
use super::handshake_log;
use super::rates::Rate;
use super::turn::{Stop, Turn, invalid, machine, not_allowed};
use crate::address::UserId;
use crate::door::{self, HandshakeMessage};
use crate::engine::{PublicGroup, mls_time};
use crate::limits::{ADDS_BY_REFERENCE_PER_COMMIT_MAX, PROPOSALS_PENDING_MAX};
use crate::receipt::ReceiptKind;
use crate::rules;
use crate::wire::Answer;
use crate::wire::submit_proposal::SubmitProposal;

impl Turn<'_> {
    /// Answers with the proposal's receipt; the same proposal again gets the same receipt.
    pub(super) fn submit_proposal(
        &mut self,
        from: &UserId,
        request: &SubmitProposal,
    ) -> Result<Answer, Stop> {
        let (group, bytes) = (&request.group, &request.proposal);
        if let Some(receipt) = handshake_log::accepted_before(self.store, group, bytes, from)? {
            return Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?));
        }
        let mut record = self.group_of_member(group, from)?;
        self.check_turn(&record, request.epoch, from, Rate::Proposals)?;
        let handshake = door::handshake(bytes, group, record.cipher_suite()).map_err(invalid)?;
        if handshake.kind != ReceiptKind::Proposal || handshake.epoch != record.epoch {
            return Err(invalid("the message is not a proposal of this epoch"));
        }
        let after = self.check_by_reference(&record, from, handshake)?;
        record.proposals = record.proposals.saturating_add(1);
        let receipt = self.append(&mut record, ReceiptKind::Proposal, bytes, &after)?;
        handshake_log::remember_submitter(self.store, group, bytes, record.seq(), from)?;
        self.groups.change(group, after);
        Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?))
    }

    /// Takes the proposal into a copy of the group, if this member may propose it this way.
    fn check_by_reference(
        &mut self,
        record: &GroupRecord,
        from: &UserId,
        handshake: HandshakeMessage,
    ) -> Result<PublicGroup, Stop> {
        let before = self.groups.copy(self.store, record)?;
        let Sender::Member(_) = handshake.sender else {
            return Err(not_allowed("a proposal comes from a member"));
        };
        let sender = handshake.sender;
        self.refuse_revoked(&committer(&before, &handshake, from)?.client)?;
        let mut after = before.clone();
        let time = mls_time(record.receipt_time(self.now_ms));
        let proposal = match after.process_incoming_message_with_time(handshake.message, time) {
            Ok(ExternalReceivedMessage::Proposal(description)) => description.proposal,
            Ok(_) => return Err(invalid("the message is not a proposal")),
            Err(error) => return Err(invalid(format!("the proposal is not valid: {error}"))),
        };
        let context = before.group_context();
        rules::check_proposal(&proposal, &sender, &before.roster(), context)
            .map_err(not_allowed)?;
        rules::check_by_reference(&proposal).map_err(not_allowed)?;
        check_room(record, &before, &proposal)?;
        if let Proposal::Add(add) = &proposal {
            self.check_add(record, add.key_package())?;
        }
        Ok(after)
    }
}

/// Whether one commit could still take this, too; Adds do not take the place of other proposals.
fn check_room(record: &GroupRecord, before: &PublicGroup, proposal: &Proposal) -> Result<(), Stop> {
    let is_add = |proposal: &Proposal| matches!(proposal, Proposal::Add(_));
    let cached = before.get_cached_proposals();
    let adds = cached.iter().filter(|cached| is_add(cached.proposal())).count();
    let all = usize::try_from(record.proposals).unwrap_or(usize::MAX);
    let full = match is_add(proposal) {
        true => adds >= ADDS_BY_REFERENCE_PER_COMMIT_MAX,
        false => all.saturating_sub(adds) >= PROPOSALS_PENDING_MAX,
    };
    if full {
        Err(not_allowed("too many proposals wait in this epoch: commit them"))
    } else {
        Ok(())
    }
}
