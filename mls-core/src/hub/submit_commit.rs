//! `SubmitCommit`: one commit wins each epoch; all that follows from it goes out with it.

use std::collections::BTreeSet;

use mls_rs::external_client::ExternalReceivedMessage;
use mls_rs::group::CommitMessageDescription;

use super::added::{check_members, check_welcome};
use super::commit_check::{Change, check_group_info};
use super::committer::{Committer, committer};
use super::group_record::{GroupRecord, bridge_group};
use super::public_group::write_snapshot;
use super::rates::Rate;
use super::removal::{CLOSED, proposed_by_hub};
use super::turn::{Stop, Turn, effect_id, invalid_commit, machine, not_allowed};
use super::welcomes::WelcomeContent;
use super::{Admit, Effect, handshake_keys, handshake_log, leaves, listed, room_record};
use crate::address::{ClientId, UserId};
use crate::bridge_group::Order;
use crate::door;
use crate::engine::{PublicGroup, mls_time};
use crate::identity::client_id;
use crate::receipt::{Receipt, ReceiptKind};
use crate::seal::handshake_key::HandshakeKey;
use crate::store::StoreError;
use crate::submission::Submission;
use crate::wire::Answer;
use crate::wire::refusal::Refusal;
use crate::wire::submit_commit::SubmitCommit;

/// The parts of a submission, wherever they came from.
struct Parts {
    commit: Vec<u8>,
    welcome: Option<Vec<u8>>,
    group_info: Vec<u8>,
}

/// A commit that passed every check.
struct Passed {
    after: PublicGroup,
    change: Change,
    leaves: u32,
    /// Whom the hub has proposed to remove and who is still there.
    still_to_go: BTreeSet<ClientId>,
}

impl Turn<'_> {
    /// Answers with the commit's receipt; the same commit again gets the same receipt.
    pub(super) fn submit_commit(
        &mut self,
        from: &UserId,
        request: &SubmitCommit,
    ) -> Result<Answer, Stop> {
        let (group, commit) = (&request.group, self.part(from, &request.commit)?);
        // Before the other parts: what was not used for it must not count as used.
        if let Some(receipt) = handshake_log::accepted_before(self.store, group, &commit, from)? {
            return Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?));
        }
        let welcome = request.welcome.as_ref().map(|part| self.part(from, part)).transpose()?;
        let parts = Parts { commit, welcome, group_info: self.part(from, &request.group_info)? };
        let mut record = self.group_to_enter(group, from)?;
        if record.by_room {
            if request.epoch < record.epoch || request.after_seq < record.seq() {
                // It was made before its committer heard that the room orders the group now.
                return Err(Refusal::WrongEpoch(record.epoch).into());
            }
            let Parts { commit, group_info, .. } = parts;
            let receipt = self.take_group_back(&mut record, from, request, &commit, group_info)?;
            return Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?));
        }
        self.check_turn(&record, request.epoch, from, Rate::Commits)?;
        let passed = self.check_commit(&record, from, request, &parts)?;
        let receipt = self.accept(&mut record, from, parts, passed, &request.handshake_key)?;
        Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?))
    }

    /// Whether a handshake for this epoch may come now.
    pub(super) fn check_turn(
        &mut self,
        record: &GroupRecord,
        epoch: u64,
        from: &UserId,
        rate: Rate,
    ) -> Result<(), Stop> {
        // It was made in a state that the room led to, until a restart.
        let of_former_room = record.successor.is_some() && epoch > record.epoch;
        if record.by_room {
            return Err(Refusal::RoomOrders.into());
        } else if of_former_room {
            return Err(Refusal::Gone.into());
        } else if epoch != record.epoch {
            return Err(Refusal::WrongEpoch(record.epoch).into());
        } else if record.closed {
            return Err(not_allowed(CLOSED));
        } else if record.successor.is_some() {
            // Another follows: what is wanted may go on in that.
            return Err(Refusal::Gone.into());
        }
        self.rates
            .take(rate, &[&record.group.to_hex(), from.as_str()], self.now_ms)
            .map_err(|wait_ms| Refusal::RateLimited(wait_ms).into())
    }

    fn check_commit(
        &mut self,
        record: &GroupRecord,
        from: &UserId,
        request: &SubmitCommit,
        parts: &Parts,
    ) -> Result<Passed, Stop> {
        let handshake = door::handshake(&parts.commit, &record.group, record.cipher_suite())
            .map_err(invalid_commit)?;
        if handshake.kind != ReceiptKind::Commit || handshake.epoch != record.epoch {
            return Err(invalid_commit("the message is not a commit of this epoch"));
        }
        let before = self.groups.copy(self.store, record)?;
        let committer = committer(&before, &handshake, from)?;
        self.refuse_revoked(&committer.client)?;
        self.check_submission(record, request, parts, &committer)?;
        let time_ms = record.receipt_time(self.now_ms);
        let mut after = before.clone();
        let commit =
            match after.process_incoming_message_with_time(handshake.message, mls_time(time_ms)) {
                Ok(ExternalReceivedMessage::Commit(commit)) => commit,
                Ok(_) => return Err(invalid_commit("the message is not a commit")),
                Err(error) => return Err(invalid_commit(error)),
            };
        let change = self.change(record, &before, &commit, &committer)?;
        self.check_pending(record, &before, &commit)?;
        check_group_info(&mut after, &parts.group_info, commit.committer, time_ms)?;
        check_welcome(parts.welcome.as_deref(), &change.added)?;
        let leaves = check_members(&after)?;
        let still_to_go = still_to_go(&before, &change, &commit)?;
        Ok(Passed { after, change, leaves, still_to_go })
    }

    /// The committer's own signature: the hub cannot check a commit's tags, and without this a
    /// bit flipped on the way would stall the group.
    fn check_submission(
        &self,
        record: &GroupRecord,
        request: &SubmitCommit,
        parts: &Parts,
        committer: &Committer,
    ) -> Result<(), Stop> {
        let submission = Submission {
            group: &record.group,
            epoch: request.epoch,
            commit: &parts.commit,
            welcome: parts.welcome.as_deref(),
            group_info: &parts.group_info,
        };
        submission
            .verify(record.cipher_suite(), &committer.identity.signature_key, &request.signature)
            .map_err(|_| not_allowed("the submission is not signed by the committer's leaf key"))
    }

    fn accept(
        &mut self,
        record: &mut GroupRecord,
        from: &UserId,
        parts: Parts,
        passed: Passed,
        next_key: &HandshakeKey,
    ) -> Result<Receipt, StoreError> {
        let Passed { after, change, leaves, still_to_go } = passed;
        record.leaves = leaves;
        record.successor = change.successor.clone();
        self.release_of_leaving(record, &change)?;
        let receipt = self.append(record, ReceiptKind::Commit, &parts.commit, &after)?;
        handshake_keys::keep(self.store, &record.group, next_key)?;
        let seq = record.seq();
        handshake_log::remember_submitter(self.store, &record.group, &parts.commit, seq, from)?;
        self.keep_group_info(&record.group, parts.group_info);
        if let Some(welcome) = parts.welcome {
            let content = WelcomeContent {
                resumes: None,
                group: record.group.clone(),
                epoch: record.epoch,
                receipt: receipt.to_bytes().map_err(machine)?,
                tree: after.export_tree().map_err(machine)?,
                welcome,
            };
            let clients: Vec<ClientId> = change.added.iter().map(|f| f.client.clone()).collect();
            self.welcome(&content, &clients)?;
        }
        for fit in &change.added {
            self.use_claim(&record.group, fit)?;
        }
        self.note_leaves(&record.group, &change, &after)?;
        self.take_new_key(record, after)?;
        self.admit_and_expel(record, &change)?;
        self.propose_removal_again(record, &still_to_go)?;
        Ok(receipt)
    }

    /// What is held back of those whose last leaf goes is copied before the commit is posted.
    fn release_of_leaving(
        &mut self,
        record: &GroupRecord,
        change: &Change,
    ) -> Result<(), StoreError> {
        for (user, more) in &change.balance {
            let before = leaves::count(self.store, &record.group, user)?;
            if i64::from(before) + more <= 0 {
                self.release_before_leaving(record, user)?;
            }
        }
        Ok(())
    }

    /// Takes the group's new state; if it names another key, the rooms are told and the next handshake
    /// is signed with that.
    fn take_new_key(
        &mut self,
        record: &mut GroupRecord,
        after: PublicGroup,
    ) -> Result<(), StoreError> {
        let bound = bridge_group(&after)?;
        let named = bound.receipt_key;
        if bound.order == Order::Room {
            record.by_room = true;
            record.write(self.store)?;
        }
        if named == record.receipt_key {
            self.groups.change(&record.group, after);
            return Ok(());
        }
        record.receipt_key = named;
        record.write(self.store)?;
        self.bind_rooms(record);
        let after = self.groups.with_keys_of(record, &after)?;
        // From here on the log is replayed with the new keys.
        write_snapshot(self.store, &record.group, record.seq(), &after)?;
        record.snapshot_seq = record.seq();
        record.write(self.store)?;
        self.groups.change(&record.group, after);
        Ok(())
    }

    /// Lets in whose first leaf came, and puts out whose last leaf went.
    fn admit_and_expel(&mut self, record: &GroupRecord, change: &Change) -> Result<(), StoreError> {
        let seq = record.seq();
        for (user, more) in &change.balance {
            let before = leaves::count(self.store, &record.group, user)?;
            let after = u32::try_from(i64::from(before) + more).unwrap_or(0);
            if before > 0 || after > 0 {
                leaves::set(self.store, &record.group, user, after, seq)?;
            }
            if after > 0 && before == 0 {
                self.knock_answered(&record.group, user);
            }
            let added = change.added.iter().any(|fit| fit.client.user() == *user)
                || change.joined.as_ref().is_some_and(|client| client.user() == *user);
            for room in &record.rooms {
                if after == 0 && before > 0 {
                    self.expel(room, user, seq, "removed from the group")?;
                } else if added && (before == 0 || self.is_missing(room, user)?) {
                    self.admit(room, user, seq);
                }
            }
        }
        Ok(())
    }

    /// Whether the account belongs into this room's own list and is not known to be in it, or its ghost was put
    /// out: one commit may remove an account for that and add another device of it.
    fn is_missing(
        &self,
        room: &crate::address::RoomAddress,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        match room.network == user.network() {
            true => Ok(!listed::is_listed(self.store, room, user)?),
            false => listed::is_put_out(self.store, room, user),
        }
    }

    /// Has the account let into a room, since the handshake `seq` of its group.
    pub(super) fn admit(&mut self, room: &crate::address::RoomAddress, user: &UserId, seq: u64) {
        let cause = [&room_record::key(room), user.as_str().as_bytes(), &seq.to_be_bytes()];
        let id = effect_id("admit", &cause);
        self.effects.push(Effect::Admit(Admit { id, room: room.clone(), user: user.clone() }));
    }
}

/// Clients whom the hub has proposed to remove and whom the commit leaves in: an external
/// commit clears proposals without applying them.
fn still_to_go(
    before: &PublicGroup,
    change: &Change,
    commit: &CommitMessageDescription,
) -> Result<BTreeSet<ClientId>, Stop> {
    if !commit.is_external {
        return Ok(BTreeSet::new());
    }
    let mut clients = BTreeSet::new();
    for index in proposed_by_hub(before) {
        if !change.removed.contains_key(&index) {
            let leaf = before.roster().member_with_index(index).map_err(invalid_commit)?;
            clients.insert(client_id(&leaf.signing_identity).map_err(invalid_commit)?);
        }
    }
    Ok(clients)
}
