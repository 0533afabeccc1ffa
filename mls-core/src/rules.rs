//! Who may propose and commit what: one set of rules for the hub and for every member.
//!
//! Decided from the GroupContext and the roster alone, against the *proposer* of each proposal.
//! Receiving, an offence refuses the whole commit; sending, an offending proposal that somebody
//! else made is left out instead, or it would block the group.

mod adds;
mod size;
mod updates;

use std::collections::BTreeSet;

use mls_rs::MlsRules;
use mls_rs::group::proposal::{Proposal, ReInitProposal};
use mls_rs::group::{
    CachedProposal, CommitEffect, CommitMessageDescription, GroupContext, Roster, Sender,
};
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle, ProposalInfo,
};
use mls_rs_core::error::IntoAnyError;
use mls_rs_core::identity::SigningIdentity;
use thiserror::Error;

use crate::address::UserId;
use crate::bridge_group::{BridgeGroup, BridgeGroupError, Order};
use crate::engine::PADDING;
use crate::group_settings::{self, SettingsError};
use crate::hpke_keys::{self, UnusableKey};
use crate::identity::{IdentityError, client_id};
use crate::key_package;
use crate::limits::{
    ADDS_BY_REFERENCE_PER_COMMIT_MAX, ADDS_BY_VALUE_PER_COMMIT_MAX, MEMBERS_MAX,
    PSKS_PER_COMMIT_MAX,
};
use crate::policy::{CIPHER_SUITES, GROUP_ID_BYTES};
use crate::psk::{self, PskError, PskName};
use crate::required_capabilities::{self, RequiresTooLittle};

/// A proposal or commit that the group's rules forbid; the proposer's or committer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// The GroupContext says nothing we can go by.
    #[error(transparent)]
    Group(#[from] BridgeGroupError),
    /// A group that is to follow requires too little.
    #[error(transparent)]
    Requires(#[from] RequiresTooLittle),
    /// A leaf is no client.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Only an admin may.
    #[error("only an admin may {0}")]
    AdminOnly(&'static str),
    /// Who would end the group could not make the next one.
    #[error("who starts the group anew stays its admin: change that in the new one")]
    NoAdminOfNext,
    /// Nobody may.
    #[error("{0} is not allowed in this group")]
    Never(&'static str),
    /// An external commit that is not a return to the own leaf.
    #[error("an external commit must replace exactly the committer's own leaf, with the same key")]
    NotAReturn,
    /// A key that nobody could encrypt to: a commit of it would stop every later one.
    #[error(transparent)]
    UnusableKey(#[from] UnusableKey),
    /// Too much at once.
    #[error(
        "at most {ADDS_BY_VALUE_PER_COMMIT_MAX} clients can be added by one commit itself, and \
         {ADDS_BY_REFERENCE_PER_COMMIT_MAX} by proposals that it refers to"
    )]
    TooManyAdds,
    /// A change of the context that is not allowed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A PSK that may not be used.
    #[error(transparent)]
    Psk(#[from] PskError),
    /// A key package that breaks the policies.
    #[error("an added key package: {0}")]
    KeyPackage(String),
    /// Too large a group.
    #[error("at most {MEMBERS_MAX} leaves in a group")]
    TooManyMembers,
    /// Who is to go must go with the next commit.
    #[error("the commit leaves out a removal that the hub has proposed")]
    LeftOut,
    /// Too much at once.
    #[error("at most {PSKS_PER_COMMIT_MAX} pre-shared keys can be used by one commit")]
    TooManyPsks,
    /// The group asks for a proof that was not given.
    #[error("an external commit to this group must use its pre-shared key")]
    NoProof,
    /// By reference it would be somebody else's commit that it changes.
    #[error("this may only be proposed inside the proposer's own commit")]
    OnlyInCommit,
}

impl IntoAnyError for RuleError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

/// Whether this proposer may propose this. Resync's own Remove is judged with its commit.
pub fn check_proposal(
    proposal: &Proposal,
    sender: &Sender,
    roster: &Roster<'_>,
    context: &GroupContext,
) -> Result<(), RuleError> {
    let group = BridgeGroup::from_extensions(&context.extensions)?;
    hpke_keys::check_proposal(context.cipher_suite, proposal)?;
    match sender {
        Sender::Member(index) => {
            check_member(proposal, &user(roster, *index)?, roster, &group)?;
            check_content(proposal, roster, context)
        }
        Sender::External(_) if group.order == Order::Room => {
            Err(RuleError::Never("a proposal from outside, without a hub,"))
        }
        Sender::External(_) => match proposal {
            Proposal::Remove(_) => Ok(()),
            _ => Err(RuleError::Never("a proposal of the hub other than Remove")),
        },
        Sender::NewMemberCommit => match proposal {
            Proposal::Remove(_) | Proposal::ExternalInit(_) => Ok(()),
            Proposal::Psk(_) if psk::check(proposal, context)? != PskName::Resumption => Ok(()),
            _ => Err(RuleError::NotAReturn),
        },
        _ => Err(RuleError::Never("a proposal of somebody who is not a member")),
    }
}

fn check_member(
    proposal: &Proposal,
    proposer: &UserId,
    roster: &Roster<'_>,
    group: &BridgeGroup,
) -> Result<(), RuleError> {
    let admin =
        |what| if group.is_admin(proposer) { Ok(()) } else { Err(RuleError::AdminOnly(what)) };
    match proposal {
        Proposal::Add(_) if group.members_may_add => Ok(()),
        Proposal::Add(add) if client_id(add.signing_identity())?.user() == *proposer => Ok(()),
        Proposal::Add(_) => admin("add other users"),
        Proposal::Remove(remove) if user(roster, remove.to_remove())? == *proposer => Ok(()),
        Proposal::Remove(_) => admin("remove others"),
        Proposal::GroupContextExtensions(_) => admin("change the group's settings"),
        Proposal::Update(_) => Ok(()),
        // Who lacks the key is shut out: no member may do that to another.
        Proposal::Psk(_) => admin("use a pre-shared key"),
        Proposal::ReInit(_) if group.order == Order::Room => {
            Err(RuleError::Never("a new start by ReInit, without a hub,"))
        }
        Proposal::ReInit(reinit) => {
            admin("start the group anew")?;
            let next = BridgeGroup::from_extensions(reinit.new_group_context_extensions())?;
            // Or the one who ends the group could not add the others to the next.
            if next.is_admin(proposer) { Ok(()) } else { Err(RuleError::NoAdminOfNext) }
        }
        Proposal::ExternalInit(_) => Err(RuleError::Never("ExternalInit by a member")),
        _ => Err(RuleError::Never("a proposal of an unknown type")),
    }
}

/// What is proposed, whoever does.
fn check_content(
    proposal: &Proposal,
    roster: &Roster<'_>,
    context: &GroupContext,
) -> Result<(), RuleError> {
    match proposal {
        Proposal::GroupContextExtensions(after) => {
            group_settings::check_change(&context.extensions, after)?;
            Ok(group_settings::check_leaves(roster, &context.extensions, after)?)
        }
        Proposal::Psk(_) => match psk::check(proposal, context)? {
            PskName::Resumption if is_ordered_by_room(context) => {
                Err(RuleError::Never("the secret of an epoch that may be taken back"))
            }
            _ => Ok(()),
        },
        Proposal::ReInit(reinit) => {
            check_reinit(reinit, context)?;
            let after = reinit.new_group_context_extensions();
            Ok(group_settings::check_leaves(roster, &context.extensions, after)?)
        }
        Proposal::Add(add) => match key_package::check_policy(add.key_package()) {
            Ok(_) => Ok(()),
            Err(unfit) => Err(RuleError::KeyPackage(unfit.to_string())),
        },
        _ => Ok(()),
    }
}

/// A new start keeps hub, rooms and order, and may change suite and settings.
fn check_reinit(reinit: &ReInitProposal, context: &GroupContext) -> Result<(), RuleError> {
    let id = reinit.group_id();
    if id.len() != GROUP_ID_BYTES || id == context.group_id {
        return Err(RuleError::Never("a new start under this id"));
    } else if !CIPHER_SUITES.contains(&reinit.new_cipher_suite())
        || reinit.new_version() != context.protocol_version
    {
        return Err(RuleError::Never("a new start with this suite or version"));
    }
    let (before, after) = (&context.extensions, reinit.new_group_context_extensions());
    required_capabilities::check(after)?;
    Ok(group_settings::check_successor(before, after)?)
}

/// Whether this may be proposed by reference, for anybody to commit.
pub fn check_by_reference(proposal: &Proposal) -> Result<(), RuleError> {
    match proposal {
        Proposal::Add(_) | Proposal::Remove(_) | Proposal::Update(_) => Ok(()),
        _ => Err(RuleError::OnlyInCommit),
    }
}

/// The rules, as the engine asks for them.
#[derive(Clone, Copy, Debug)]
pub struct GroupRules;

impl MlsRules for GroupRules {
    type Error = RuleError;

    fn filter_proposals(
        &self,
        direction: CommitDirection,
        source: CommitSource,
        roster: &Roster<'_>,
        context: &GroupContext,
        mut proposals: ProposalBundle,
    ) -> Result<ProposalBundle, RuleError> {
        proposals.retain(|info| {
            let proposal = Proposal::from(info.proposal.clone());
            let way = if info.is_by_reference() { check_by_reference(&proposal) } else { Ok(()) };
            match way.and_then(|()| check_proposal(&proposal, &info.sender, roster, context)) {
                Err(_) if direction == CommitDirection::Send && info.is_by_reference() => Ok(false),
                result => result.map(|()| true),
            }
        })?;
        adds::bound(direction, context, &mut proposals)?;
        updates::leave_out(direction, &mut proposals)?;
        size::check(&source, roster, &proposals)?;
        let psks = check_psks(&proposals, context)?;
        if let CommitSource::NewMember(identity) = &source {
            check_external(identity, roster, context, &proposals, &psks)?;
        }
        Ok(proposals)
    }

    fn commit_options(
        &self,
        _roster: &Roster<'_>,
        context: &GroupContext,
        proposals: &ProposalBundle,
    ) -> Result<CommitOptions, RuleError> {
        // The tree travels apart, by reference; add-only commits go without a path. A hub that takes
        // a group back from its room has no tree to go by. The context is that after the commit.
        let with_tree = may_hand_back(context, proposals);
        Ok(CommitOptions::new()
            .with_path_required(false)
            .with_ratchet_tree_extension(with_tree)
            .with_single_welcome_message(true)
            .with_allow_external_commit(true)
            .with_always_out_of_band_ratchet_tree(!with_tree))
    }

    fn encryption_options(
        &self,
        _roster: &Roster<'_>,
        context: &GroupContext,
    ) -> Result<EncryptionOptions, RuleError> {
        // A hub has to read handshakes; in the room nobody else has.
        Ok(EncryptionOptions::new(is_ordered_by_room(context), PADDING))
    }
}

/// The leaves whose removal the hub has proposed and which a commit leaves in; an external commit
/// cannot take them out.
pub(crate) fn left_out(by_hub: &BTreeSet<u32>, commit: &CommitMessageDescription) -> BTreeSet<u32> {
    if commit.is_external {
        return BTreeSet::new();
    }
    let applied = match &commit.effect {
        CommitEffect::NewEpoch(epoch) => epoch.applied_proposals(),
        CommitEffect::Removed { new_epoch, .. } => new_epoch.applied_proposals(),
        CommitEffect::ReInit(_) => &[],
    };
    let removed = |info: &ProposalInfo<Proposal>| match &info.proposal {
        Proposal::Remove(remove) => Some(remove.to_remove()),
        _ => None,
    };
    let removed: BTreeSet<u32> = applied.iter().filter_map(removed).collect();
    by_hub.difference(&removed).copied().collect()
}

/// The leaves whose removal the hub has proposed, among the proposals that wait.
///
/// A member's Remove does not count as pending: its membership tag, which the hub cannot check,
/// may be wrong, and then members never see it and could never commit it.
pub(crate) fn removed_by_hub(pending: &[CachedProposal]) -> BTreeSet<u32> {
    let leaf = |cached: &CachedProposal| match (cached.proposal(), cached.sender()) {
        (Proposal::Remove(remove), Sender::External(_)) => Some(remove.to_remove()),
        _ => None,
    };
    pending.iter().filter_map(leaf).collect()
}

fn is_ordered_by_room(context: &GroupContext) -> bool {
    let group = BridgeGroup::from_extensions(&context.extensions);
    group.is_ok_and(|group| group.order == Order::Room)
}

/// Whether a commit that leads to this context may be the one that hands a group back to the hub.
fn may_hand_back(context: &GroupContext, proposals: &ProposalBundle) -> bool {
    let group = BridgeGroup::from_extensions(&context.extensions);
    let one_network = group.is_ok_and(|group| group.rooms().len() == 1);
    one_network && !proposals.group_context_ext_proposals().is_empty()
}

/// The PSKs of a commit: not too many, and none that those whom it adds cannot have.
fn check_psks(
    proposals: &ProposalBundle,
    context: &GroupContext,
) -> Result<Vec<PskName>, RuleError> {
    let named = proposals.psk_proposals().iter();
    let psks = named
        .map(|info| psk::check(&Proposal::Psk(info.proposal.clone()), context))
        .collect::<Result<Vec<_>, _>>()?;
    if psks.len() > PSKS_PER_COMMIT_MAX {
        Err(RuleError::TooManyPsks)
    } else if psks.contains(&PskName::Resumption) && !proposals.add_proposals().is_empty() {
        Err(RuleError::Never("adding somebody and using a resumption PSK in one commit"))
    } else {
        Ok(psks)
    }
}

/// An external commit brings a client back to its own leaf, with its own key, or brings somebody
/// new into an open group; with the proof that the group asks for.
fn check_external(
    newcomer: &SigningIdentity,
    roster: &Roster<'_>,
    context: &GroupContext,
    proposals: &ProposalBundle,
    psks: &[PskName],
) -> Result<(), RuleError> {
    let group = BridgeGroup::from_extensions(&context.extensions)?;
    let proof = PskName::External(group.join_psk.clone());
    if !group.join_psk.is_empty() && !psks.contains(&proof) {
        return Err(RuleError::NoProof);
    }
    let removes = proposals.remove_proposals();
    if removes.is_empty() && group.open_join {
        return Ok(());
    }
    let [remove] = removes else {
        return Err(RuleError::NotAReturn);
    };
    let leaf = roster
        .member_with_index(remove.proposal.to_remove())
        .map_err(|_| RuleError::NotAReturn)?
        .signing_identity;
    let same =
        leaf.signature_key == newcomer.signature_key && client_id(&leaf)? == client_id(newcomer)?;
    if same { Ok(()) } else { Err(RuleError::NotAReturn) }
}

fn user(roster: &Roster<'_>, index: u32) -> Result<UserId, RuleError> {
    let member = roster
        .member_with_index(index)
        .map_err(|_| RuleError::Never("a proposal from or about an empty leaf"))?;
    Ok(client_id(&member.signing_identity)?.user())
}
