//! A handshake from the hub: checked against its receipt, then given to the engine, in order.
//!
//! Nothing changes a group but a handshake with the group's next receipt. Our own commit is
//! recognised by its hash, whether the answer or the notice comes first. What comes too early
//! is buffered while the gap is fetched; what has no good receipt is ignored, with a warning.

use mls_rs::error::MlsError;
use mls_rs::group::{CommitMessageDescription, ProposalSender, ReceivedMessage, Sender};
use mls_rs_core::crypto::SignaturePublicKey;

use super::early::{EARLY, Early};
use super::group_record::{GroupRecord, State};
use super::loaded::Loaded;
use super::pending_proposals::to_go;
use super::requests::Purpose;
use super::seen::group_prefix;
use super::warning::WarningKind;
use super::{Member, engine_fault, is_storage_fault};
use crate::door;
use crate::engine::mls_time;
use crate::limits::HANDSHAKES_BUFFERED_MAX;
use crate::receipt::{Receipt, ReceiptError, ReceiptKind};
use crate::rules::{RuleError, check_by_reference, check_proposal, left_out};
use crate::store::StoreError;
use crate::wire::handshake::Handshake;
use crate::wire::report_invalid::ReportInvalid;
use crate::wire::{GroupId, Request};

/// Whether it was a handshake's turn.
pub(super) enum Turn {
    /// It was dealt with, in whatever way.
    Settled,
    /// Others come first.
    Early,
}

/// What the engine made of a handshake.
pub(super) enum Processed {
    Commit(Box<CommitMessageDescription>),
    Proposal,
}

impl Member {
    /// A handshake came, by whatever way; a gap before it is fetched.
    pub(super) fn handshake(&mut self, handshake: Handshake) -> Result<(), StoreError> {
        let (group, seq) = (handshake.group.clone(), handshake.seq);
        match self.take_handshake(handshake)? {
            Turn::Early => self.fetch_handshakes_to(&group, seq),
            Turn::Settled => Ok(()),
        }
    }

    pub(super) fn take_handshake(&mut self, handshake: Handshake) -> Result<Turn, StoreError> {
        let group = handshake.group.clone();
        let Some(record) = self.record(&group).cloned() else {
            // A Welcome may wait for its room: then this comes after it.
            if self.is_welcomed(&group) {
                self.keep_early(&handshake)?;
            }
            return Ok(Turn::Settled);
        };
        let Some(message) = handshake.message.inline() else { return Ok(Turn::Settled) };
        if record.room_head.is_some() && record.state == State::Ended {
            return Ok(Turn::Settled);
        }
        let comes_back = record.rejoin.is_some()
            && signed(&record, &handshake, message).is_ok_and(|receipt| is_ours(&record, &receipt));
        if record.room_head.is_some() && !comes_back {
            return self.handed_back(&record, &handshake, message).map(|()| Turn::Settled);
        }
        if record.receipt_key.is_empty() {
            // On the way back into a group of which only the id is known.
            return Ok(Turn::Settled);
        }
        if record.proposing.is_some() {
            // Until our proposal is answered.
            return self.keep_early(&handshake).map(|()| Turn::Settled);
        }
        let signed = signed(&record, &handshake, message);
        let two = match &signed {
            Ok(receipt) => self.contradiction(&record, receipt, message)?,
            Err(_) => None,
        };
        let told = two.is_some();
        if let Some(two) = two {
            self.hub_contradicts(two)?;
        }
        match signed.and_then(|receipt| self.in_order(&record, receipt)) {
            Ok(None) => Ok(Turn::Settled),
            Ok(Some(receipt))
                if receipt.tbs.seq > record.next_seq() && !is_ours(&record, &receipt) =>
            {
                self.keep_early(&handshake)?;
                Ok(Turn::Early)
            }
            Ok(Some(receipt)) => {
                if is_ours(&record, &receipt) {
                    // The order may be another than the one that was followed before.
                    self.forget_followed(&group)?;
                }
                self.remember_handshake(&receipt, message)?;
                self.apply(&record, &receipt, message)?;
                self.apply_early(&group)?;
                Ok(Turn::Settled)
            }
            Err(_) if told => Ok(Turn::Settled),
            Err(ReceiptError::Signature) if self.may_explain(&record, &handshake)? => {
                Ok(Turn::Settled)
            }
            Err(error) => {
                self.warn(
                    &group,
                    WarningKind::Refused,
                    format!("a handshake was ignored: {error}"),
                )?;
                Ok(Turn::Settled)
            }
        }
    }

    /// The receipt of what came for a group, if it is good and its turn has come or will.
    pub(super) fn check(
        &self,
        record: &GroupRecord,
        handshake: &Handshake,
        message: &[u8],
    ) -> Result<Option<Receipt>, ReceiptError> {
        signed(record, handshake, message).and_then(|receipt| self.in_order(record, receipt))
    }

    /// The receipt, if its turn has come or will; nothing for a handshake that we have had, or
    /// cannot follow.
    fn in_order(
        &self,
        record: &GroupRecord,
        receipt: Receipt,
    ) -> Result<Option<Receipt>, ReceiptError> {
        let follows = record.state == State::Live && record.broken_seq.is_none();
        let Some(last) = record.last_receipt.as_ref().filter(|_| follows) else {
            // Only our own way back in counts.
            return Ok(Some(receipt).filter(|r| is_ours(record, r)));
        };
        if receipt.tbs.seq <= last.tbs.seq {
            let twice = receipt.tbs.seq == last.tbs.seq && receipt != *last;
            let error = ReceiptError::NotNext { last: last.tbs.seq, got: receipt.tbs.seq };
            return if twice { Err(error) } else { Ok(None) };
        }
        if record.next_seq() == receipt.tbs.seq {
            receipt.follows(last, self.now_ms)?;
        }
        Ok(Some(receipt))
    }

    fn apply(
        &mut self,
        record: &GroupRecord,
        receipt: &Receipt,
        message: &[u8],
    ) -> Result<(), StoreError> {
        let group = &record.group;
        let own = record.pending.clone().filter(|p| p.hash == receipt.tbs.message_hash);
        if own.as_ref().is_some_and(|pending| pending.external) {
            return self.came_back(group, receipt);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        let mut loaded = self.without_doubt(group, loaded)?;
        let ready = own.is_some() && loaded.group.has_pending_commit();
        let processed = if ready {
            loaded.group.apply_pending_commit().map(|c| Processed::Commit(Box::new(c)))
        } else {
            match process(&mut loaded, group, receipt, message) {
                Ok(result) => result,
                Err(why) => return self.recover(record, receipt, message, &why),
            }
        };
        match processed {
            Ok(Processed::Commit(commit)) => self.new_epoch(loaded, receipt, &commit, own),
            Ok(Processed::Proposal) => self.proposal_came(group, loaded, receipt),
            Err(error) if is_storage_fault(&error) => Err(engine_fault(&error)),
            Err(error) => self.recover(record, receipt, message, &error.to_string()),
        }
    }

    /// A handshake that the hub accepted and that cannot be. The group was dropped from memory
    /// and is read again. A proposal is passed over; after a commit we cannot follow the group.
    pub(super) fn invalid(
        &mut self,
        group: &GroupId,
        receipt: &Receipt,
        why: &str,
    ) -> Result<(), StoreError> {
        let seq = receipt.tbs.seq;
        if self.record(group).is_some_and(|record| record.broken_seq == Some(seq)) {
            return Ok(());
        }
        let bytes = receipt.to_bytes().map_err(|e| StoreError(e.to_string()))?;
        let report =
            ReportInvalid { group: group.clone(), seq, receipt: bytes, why: why.to_owned() };
        self.request(Purpose::Report, Request::ReportInvalid(report))?;
        if receipt.tbs.kind == ReceiptKind::Proposal {
            self.change_record(group, |record| record.last_receipt = Some(receipt.clone()))?;
            return self.warn(
                group,
                WarningKind::Refused,
                format!("a proposal (seq {seq}) is not valid: {why}"),
            );
        }
        self.change_record(group, |record| record.broken_seq = Some(seq))?;
        let text =
            format!("a commit (seq {seq}) is not valid: {why}; this device tries to come back");
        self.warn(group, WarningKind::CannotFollow, text)
    }

    /// Keeps a handshake that came before its turn.
    pub(super) fn keep_early(&mut self, handshake: &Handshake) -> Result<(), StoreError> {
        let seq = Receipt::from_bytes(&handshake.receipt).map(|r| r.tbs.seq).unwrap_or_default();
        let early = Early::Open(handshake.clone());
        match self.keep_early_at(&handshake.group, seq, &early)? {
            Some(Early::Open(before)) => self.early_twice(&before, handshake),
            _ => Ok(()),
        }
    }

    /// Takes up what came early, as far as it follows now.
    pub(super) fn apply_early(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let prefix = group_prefix(group);
        let kept = self.overlay.scan(EARLY, &prefix, &prefix, HANDSHAKES_BUFFERED_MAX)?;
        let next = self.record(group).map_or(u64::MAX, GroupRecord::next_seq);
        let mut due = Vec::new();
        for (key, value) in kept {
            let seq = key.get(prefix.len()..).and_then(|rest| rest.first_chunk());
            let seq = seq.map(|bytes| u64::from_be_bytes(*bytes));
            if seq.is_none_or(|seq| seq <= next) {
                self.overlay.delete(EARLY, &key);
            }
            if seq == Some(next) {
                due.push(crate::overlay::decode(EARLY, &value)?);
            }
        }
        for early in due {
            // The first takes up what comes after it in turn; a second is held against it.
            match early {
                Early::Open(handshake) => self.take_handshake(handshake).map(|_| ())?,
                Early::Sealed(sealed) => self.sealed_handshake(sealed)?,
            }
        }
        Ok(())
    }

    /// Forgets what came early.
    pub(super) fn forget_early(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let prefix = group_prefix(group);
        for (key, _) in self.overlay.scan(EARLY, &prefix, &prefix, HANDSHAKES_BUFFERED_MAX)? {
            self.overlay.delete(EARLY, &key);
        }
        Ok(())
    }
}

/// The receipt, if the group's hub signed it for this message.
pub(super) fn signed(
    record: &GroupRecord,
    handshake: &Handshake,
    message: &[u8],
) -> Result<Receipt, ReceiptError> {
    let receipt = Receipt::from_bytes(&handshake.receipt)?;
    receipt.verify(&SignaturePublicKey::from(record.receipt_key.clone()))?;
    receipt.covers(&record.group, message)?;
    Ok(receipt)
}

/// Gives a handshake to the engine. The outer error is what is wrong before the engine.
pub(super) fn process(
    loaded: &mut Loaded,
    group: &GroupId,
    receipt: &Receipt,
    message: &[u8],
) -> Result<Result<Processed, MlsError>, String> {
    let handshake =
        door::handshake(message, group, loaded.group.cipher_suite()).map_err(|e| e.to_string())?;
    if handshake.kind != receipt.tbs.kind || handshake.epoch != receipt.tbs.epoch {
        return Err("the receipt names another kind or epoch than the message".to_owned());
    }
    let (time, to_go) = (mls_time(receipt.tbs.time_ms), to_go(loaded));
    match loaded.group.process_incoming_message_with_time(handshake.message, time) {
        Ok(ReceivedMessage::Commit(commit)) if !left_out(&to_go, &commit).is_empty() => {
            Err(RuleError::LeftOut.to_string())
        }
        Ok(ReceivedMessage::Commit(commit)) => Ok(Ok(Processed::Commit(Box::new(commit)))),
        Ok(ReceivedMessage::Proposal(proposal)) => {
            let sender = match proposal.sender {
                ProposalSender::Member(index) => Sender::Member(index),
                ProposalSender::External(index) => Sender::External(index),
                ProposalSender::NewMember => Sender::NewMemberProposal,
            };
            let (roster, context) = (loaded.group.roster(), loaded.group.context());
            check_by_reference(&proposal.proposal)
                .and_then(|()| check_proposal(&proposal.proposal, &sender, &roster, context))
                .map_err(|e| e.to_string())?;
            Ok(Ok(Processed::Proposal))
        }
        Ok(_) => Err("it is neither a proposal nor a commit".to_owned()),
        Err(error) => Ok(Err(error)),
    }
}

fn is_ours(record: &GroupRecord, receipt: &Receipt) -> bool {
    record.pending.as_ref().is_some_and(|p| p.external && p.hash == receipt.tbs.message_hash)
}
