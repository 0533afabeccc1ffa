//! A group that an admin had handed over to its room comes back under this hub's order.
//!
//! The commit is encrypted and its epoch may be one of which the hub has heard nothing. So the hub
//! goes by the GroupInfo beside it, which holds the tree: signed by an admin, who was one when the
//! hub last saw the group. Whether the commit leads there only members can tell; for them a commit
//! that they cannot process changes nothing, whatever receipt it has.

use std::collections::BTreeMap;

use mls_rs::MlsMessage;

use super::committer::has_leaf;
use super::group_record::{GroupRecord, bridge_group};
use super::public_group::write_snapshot;
use super::rates::Rate;
use super::register_group::check_context;
use super::turn::{Stop, Turn, invalid_commit, not_allowed};
use super::{handshake_keys, handshake_log, leaves, left_by_room};
use crate::address::UserId;
use crate::bridge_group::{BridgeGroup, Order};
use crate::door;
use crate::engine::{PublicGroup, mls_time};
use crate::identity::{client_id, clients};
use crate::limits::MEMBERS_MAX;
use crate::receipt::{Receipt, ReceiptKind};
use crate::store::StoreError;
use crate::submission::Submission;
use crate::wire::refusal::Refusal;
use crate::wire::submit_commit::SubmitCommit;

impl Turn<'_> {
    /// Takes the group back with this commit; its receipt goes on where the order had stopped.
    pub(super) fn take_group_back(
        &mut self,
        record: &mut GroupRecord,
        from: &UserId,
        request: &SubmitCommit,
        commit: &[u8],
        group_info: Vec<u8>,
    ) -> Result<Receipt, Stop> {
        self.rates
            .take(Rate::Commits, &[&record.group.to_hex(), from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        let before = self.groups.copy(self.store, record)?;
        let was_admin = bridge_group(&before)?.is_admin(from);
        if !was_admin || leaves::count(self.store, &record.group, from)? == 0 {
            let why = "a room orders this group: an admin, who was one before, can hand it back";
            return Err(not_allowed(why));
        }
        let encrypted = door::commit_from_room(commit, &record.group, record.cipher_suite());
        if encrypted.ok().flatten().is_none_or(|commit| commit.epoch != request.epoch) {
            return Err(invalid_commit("a group is handed back by a commit of its room"));
        }
        let after = self.observe_again(record, &before, from, request, commit, &group_info)?;
        // Members fetch the commit: only they know the key of the epoch that it ends.
        handshake_keys::forget(self.store, &record.group);
        let receipt = self.go_on_with(record, from, &before, &after, request.epoch, commit)?;
        handshake_keys::keep(self.store, &record.group, &request.handshake_key)?;
        self.keep_group_info(&record.group, group_info);
        let left = left_by_room::take(self.store, record)?;
        self.propose_removal(record, &left)?;
        self.remove_revoked(record, &clients(&after.roster()))?;
        Ok(receipt)
    }

    /// The group as the GroupInfo has it, if it is this group and its signer the asker, with the key that it had:
    /// nobody takes another while a room orders the group.
    fn observe_again(
        &self,
        record: &GroupRecord,
        before: &PublicGroup,
        from: &UserId,
        request: &SubmitCommit,
        commit: &[u8],
        group_info: &[u8],
    ) -> Result<PublicGroup, Stop> {
        let message = MlsMessage::from_bytes(group_info)
            .map_err(|_| invalid_commit("the GroupInfo is broken"))?;
        let info = message
            .as_group_info()
            .ok_or_else(|| invalid_commit("the GroupInfo is another kind of message"))?;
        let signer = info.sender();
        let client = self.groups.client(record.cipher_suite());
        let client = client.ok_or_else(|| invalid_commit("the cipher suite is not supported"))?;
        let time = mls_time(record.receipt_time(self.now_ms));
        let after = client
            .observe_group(message, None, Some(time))
            .map_err(|e| invalid_commit(format!("the GroupInfo is not valid: {e}")))?;
        let leaf = after.roster().member_with_index(signer).map_err(invalid_commit)?;
        let maker = client_id(&leaf.signing_identity).map_err(invalid_commit)?;
        self.refuse_revoked(&maker)?;
        let submission = Submission {
            group: &record.group,
            epoch: request.epoch,
            commit,
            welcome: None,
            group_info,
        };
        let key = &leaf.signing_identity.signature_key;
        let signed = submission.verify(record.cipher_suite(), key, &request.signature);
        if maker.user() != *from || signed.is_err() {
            return Err(not_allowed("the submission is not signed by the committer's leaf key"));
        } else if !has_leaf(before, &leaf.signing_identity) {
            return Err(not_allowed("this device was not in the group with this key before"));
        }
        self.check_return(record, from, request.epoch, &after)?;
        Ok(after)
    }

    fn check_return(
        &self,
        record: &GroupRecord,
        from: &UserId,
        epoch: u64,
        after: &PublicGroup,
    ) -> Result<(), Stop> {
        let context = after.group_context();
        let bound = BridgeGroup::from_extensions(&context.extensions).map_err(invalid_commit)?;
        let next = epoch.checked_add(1) == Some(context.epoch) && epoch >= record.epoch;
        let same = context.group_id == record.group.0
            && context.cipher_suite == record.cipher_suite()
            && bound.receipt_key == record.receipt_key
            && bound.rooms() == record.rooms;
        if !next || !same {
            return Err(invalid_commit("the GroupInfo is not that of this group's next epoch"));
        } else if bound.order != Order::Hub || !bound.is_admin(from) {
            return Err(invalid_commit("the commit must say that the hub orders the group"));
        } else if clients(&after.roster()).len() > MEMBERS_MAX {
            return Err(invalid_commit("the group has too many members"));
        }
        let keys = self.keys.of(&record.receipt_key)?;
        check_context(keys, context.cipher_suite, &context.extensions).map_err(invalid_commit)
    }

    /// From here on the hub orders the group again.
    fn go_on_with(
        &mut self,
        record: &mut GroupRecord,
        from: &UserId,
        before: &PublicGroup,
        after: &PublicGroup,
        epoch: u64,
        commit: &[u8],
    ) -> Result<Receipt, StoreError> {
        let members = clients(&after.roster());
        record.by_room = false;
        record.epoch = epoch;
        record.proposals = 0;
        record.leaves = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let after = self.groups.with_keys_of(record, after)?;
        let receipt = self.append(record, ReceiptKind::Commit, commit, &after)?;
        let seq = record.seq();
        handshake_log::remember_submitter(self.store, &record.group, commit, seq, from)?;
        // The commit cannot be replayed.
        write_snapshot(self.store, &record.group, seq, &after)?;
        record.snapshot_seq = seq;
        record.write(self.store)?;
        self.count_leaves_again(record, before, &after, seq)?;
        self.groups.change(&record.group, after);
        Ok(receipt)
    }

    fn count_leaves_again(
        &mut self,
        record: &GroupRecord,
        before: &PublicGroup,
        after: &PublicGroup,
        seq: u64,
    ) -> Result<(), StoreError> {
        let (old, new) = (clients(&before.roster()), clients(&after.roster()));
        let mut counts: BTreeMap<UserId, u32> = old.iter().map(|c| (c.user(), 0)).collect();
        new.iter().for_each(|client| *counts.entry(client.user()).or_default() += 1);
        for client in old.iter().filter(|client| !new.contains(client)) {
            self.leaf_went(&record.group, client);
        }
        self.leaves_came(&record.group, after)?;
        for (user, count) in counts {
            leaves::set(self.store, &record.group, &user, count, seq)?;
            for room in record.rooms.iter().filter(|_| count == 0) {
                self.expel(room, &user, seq, "removed from the group")?;
            }
        }
        Ok(())
    }
}
