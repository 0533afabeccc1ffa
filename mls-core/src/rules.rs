//! Who may propose and commit what: one set of rules for the hub and for every member.
//!
//! Decided from the GroupContext and the roster alone, against the *proposer* of each proposal.
//! Receiving, an offence refuses the whole commit; sending, an offending proposal that somebody
//! else made is left out instead, or it would block the group.

use mls_rs::MlsRules;
use mls_rs::group::proposal::{Proposal, ReInitProposal};
use mls_rs::group::{GroupContext, Roster, Sender};
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle,
};
use mls_rs_core::error::IntoAnyError;
use mls_rs_core::identity::SigningIdentity;
use thiserror::Error;

use crate::address::UserId;
use crate::bridge_group::{BridgeGroup, BridgeGroupError};
use crate::engine::PADDING;
use crate::group_settings::{self, SettingsError};
use crate::hpke_keys::{self, UnusableKey};
use crate::identity::{IdentityError, client_id};
use crate::limits::{ADDS_PER_COMMIT_MAX, PSKS_PER_COMMIT_MAX};
use crate::policy::{CIPHER_SUITES, GROUP_ID_BYTES};
use crate::psk::{self, PskError, PskName};

/// A proposal or commit that the group's rules forbid; the proposer's or committer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// The GroupContext says nothing we can go by.
    #[error(transparent)]
    Group(#[from] BridgeGroupError),
    /// A leaf is no client.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Only an admin may.
    #[error("only an admin may {0}")]
    AdminOnly(&'static str),
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
    #[error("at most {ADDS_PER_COMMIT_MAX} clients can be added by one commit")]
    TooManyAdds,
    /// A change of the context that is not allowed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A PSK that may not be used.
    #[error(transparent)]
    Psk(#[from] PskError),
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
            check_content(proposal, context)
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
        Proposal::ReInit(_) => admin("start the group anew"),
        Proposal::ExternalInit(_) => Err(RuleError::Never("ExternalInit by a member")),
        _ => Err(RuleError::Never("a proposal of an unknown type")),
    }
}

/// What is proposed, whoever does.
fn check_content(proposal: &Proposal, context: &GroupContext) -> Result<(), RuleError> {
    match proposal {
        Proposal::GroupContextExtensions(after) => {
            Ok(group_settings::check_change(&context.extensions, after)?)
        }
        Proposal::Psk(_) => Ok(psk::check(proposal, context).map(|_| ())?),
        Proposal::ReInit(reinit) => check_reinit(reinit, context),
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
        if proposals.add_proposals().len() > ADDS_PER_COMMIT_MAX {
            return Err(RuleError::TooManyAdds);
        }
        let psks = check_psks(&proposals, context)?;
        if let CommitSource::NewMember(identity) = &source {
            check_external(identity, roster, context, &proposals, &psks)?;
        }
        Ok(proposals)
    }

    fn commit_options(
        &self,
        _roster: &Roster<'_>,
        _context: &GroupContext,
        _proposals: &ProposalBundle,
    ) -> Result<CommitOptions, RuleError> {
        // The tree travels apart, by reference; add-only commits go without a path.
        Ok(CommitOptions::new()
            .with_path_required(false)
            .with_ratchet_tree_extension(false)
            .with_single_welcome_message(true)
            .with_allow_external_commit(true)
            .with_always_out_of_band_ratchet_tree(true))
    }

    fn encryption_options(
        &self,
        _roster: &Roster<'_>,
        _context: &GroupContext,
    ) -> Result<EncryptionOptions, RuleError> {
        Ok(EncryptionOptions::new(false, PADDING))
    }
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
