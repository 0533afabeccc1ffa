//! What a commit does to the group, and what must come with it.

use std::collections::{BTreeMap, BTreeSet};

use mls_rs::MlsMessage;
use mls_rs::group::proposal::Proposal;
use mls_rs::group::{CommitEffect, CommitMessageDescription};
use mls_rs_codec::MlsEncode;
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::identity::SigningIdentity;

use super::committer::{Committer, Way};
use super::group_record::GroupRecord;
use super::handshake_log;
use super::removal::proposed_by_hub;
use super::successor::Successor;
use super::turn::{Stop, Turn, invalid_commit, machine};
use crate::address::{ClientId, UserId};
use crate::engine::{PublicGroup, cipher_suite, mls_time, sha256};
use crate::identity::client_id;
use crate::key_package::FitPackage;
use crate::limits::PROPOSALS_PENDING_MAX;
use crate::receipt::ReceiptKind;
use crate::rules;
use crate::store::StoreError;
use crate::wire::Digest;
use crate::wire::refusal::Refusal;

/// Who came and who went by one commit.
pub(super) struct Change {
    /// Those whom it added.
    pub(super) added: Vec<FitPackage>,
    /// Whose leaves it renewed, and what stands in them now.
    pub(super) renewed: Vec<(ClientId, SigningIdentity)>,
    /// Whether it changed the group's settings.
    pub(super) resettled: bool,
    /// What follows, if it ended the group.
    pub(super) successor: Option<Successor>,
    /// Who joined by itself.
    pub(super) joined: Option<ClientId>,
    /// The leaves that it removed, and whose they were.
    pub(super) removed: BTreeMap<u32, ClientId>,
    /// By how many leaves each user has more or fewer.
    pub(super) balance: BTreeMap<UserId, i64>,
}

impl Turn<'_> {
    /// Reads the change from what the engine says of the commit.
    pub(super) fn change(
        &self,
        record: &GroupRecord,
        before: &PublicGroup,
        commit: &CommitMessageDescription,
        committer: &Committer,
    ) -> Result<Change, Stop> {
        let mut change = Change {
            added: Vec::new(),
            renewed: Vec::new(),
            joined: None,
            resettled: false,
            successor: None,
            removed: BTreeMap::new(),
            balance: BTreeMap::new(),
        };
        let applied = match &commit.effect {
            CommitEffect::NewEpoch(epoch) => epoch.applied_proposals(),
            // A ReInit stands alone in its commit (RFC 9420 12.2).
            CommitEffect::ReInit(info) => {
                let client = &committer.client;
                change.successor =
                    Some(self.check_reinit(record, before, client, &info.proposal)?);
                &[]
            }
            CommitEffect::Removed { .. } => return Err(invalid_commit("the hub has no leaf")),
        };
        for info in applied {
            match &info.proposal {
                Proposal::Add(add) => {
                    let fit = self.check_add(record, add.key_package())?;
                    *change.balance.entry(fit.client.user()).or_default() += 1;
                    change.added.push(fit);
                }
                Proposal::Remove(remove) => {
                    let index = remove.to_remove();
                    let leaf = before.roster().member_with_index(index).map_err(invalid_commit)?;
                    let client = client_id(&leaf.signing_identity).map_err(invalid_commit)?;
                    *change.balance.entry(client.user()).or_default() -= 1;
                    change.removed.insert(index, client);
                }
                Proposal::Update(update) => {
                    let identity = update.signing_identity();
                    let client = client_id(identity).map_err(invalid_commit)?;
                    change.renewed.push((client, identity.clone()));
                }
                Proposal::GroupContextExtensions(_) => change.resettled = true,
                _ => {}
            }
        }
        let renewed = committer.renewed.clone();
        change.renewed.extend(renewed.map(|identity| (committer.client.clone(), identity)));
        if committer.is_external() {
            *change.balance.entry(committer.client.user()).or_default() += 1;
        }
        change.joined = (committer.way == Way::Join).then(|| committer.client.clone());
        Ok(change)
    }

    /// Whether the commit does what the hub has proposed; an external commit cannot.
    pub(super) fn check_pending(
        &self,
        record: &GroupRecord,
        before: &PublicGroup,
        commit: &CommitMessageDescription,
    ) -> Result<(), Stop> {
        let left = rules::left_out(&proposed_by_hub(before), commit);
        if left.is_empty() {
            return Ok(());
        }
        let messages = self.messages_of(record, before, &left)?;
        Err(Refusal::MissingProposals(messages).into())
    }

    /// Hashes of the hub's proposals, in this epoch, to remove these leaves.
    fn messages_of(
        &self,
        record: &GroupRecord,
        before: &PublicGroup,
        left: &BTreeSet<u32>,
    ) -> Result<Vec<Digest>, StoreError> {
        let is_left = |proposal: &Proposal| match proposal {
            Proposal::Remove(remove) => left.contains(&remove.to_remove()),
            _ => false,
        };
        let cached = before.get_cached_proposals();
        let references: BTreeSet<&[u8]> = cached
            .iter()
            .filter(|cached| is_left(cached.proposal()))
            .map(|cached| cached.proposal_ref().as_slice())
            .collect();
        let suite = cipher_suite(record.cipher_suite()).map_err(machine)?;
        let mut messages = Vec::new();
        for seq in (0..=record.seq()).rev() {
            let Some(entry) = handshake_log::read(self.store, &record.group, seq)? else { break };
            if entry.receipt.tbs.kind != ReceiptKind::Proposal
                || messages.len() >= PROPOSALS_PENDING_MAX
            {
                break;
            }
            let message = MlsMessage::from_bytes(&entry.message).map_err(machine)?;
            let reference = message.into_proposal_reference(&suite).map_err(machine)?;
            if reference.is_some_and(|reference| references.contains(reference.as_slice())) {
                messages.push(sha256(&entry.message));
            }
        }
        messages.reverse();
        Ok(messages)
    }
}

/// Whether the GroupInfo is that of the epoch after the commit, by the committer, with the key
/// that an external commit needs. The engine compares the whole context and the confirmation tag.
pub(super) fn check_group_info(
    after: &mut PublicGroup,
    group_info: &[u8],
    committer: u32,
    time_ms: u64,
) -> Result<(), Stop> {
    let message = MlsMessage::from_bytes(group_info)
        .map_err(|_| invalid_commit("the GroupInfo is broken"))?;
    let info = message
        .as_group_info()
        .ok_or_else(|| invalid_commit("the GroupInfo is another kind of message"))?;
    let same = info.group_context().mls_encode_to_vec().ok()
        == after.group_context().mls_encode_to_vec().ok();
    if !same || info.sender() != committer {
        return Err(invalid_commit("the GroupInfo is not the committer's, of the new epoch"));
    } else if !info.extensions().has_extension(ExtensionType::EXTERNAL_PUB) {
        return Err(invalid_commit("the GroupInfo lacks the key for external commits"));
    }
    after
        .process_incoming_message_with_time(message, mls_time(time_ms))
        .map(|_| ())
        .map_err(|e| invalid_commit(format!("the GroupInfo is not valid: {e}")))
}
