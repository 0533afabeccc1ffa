//! Who may do what in a group: OpenMLS checks what RFC 9420 says, the rest is for the application.
//!
//! The same rules as those of `mls_core::rules`, said once more in the words of OpenMLS.

use mls_core::address::UserId;
use mls_core::bridge_group::{BridgeGroup, BridgeGroupError, Order};
use mls_core::limits::{ADDS_BY_REFERENCE_PER_COMMIT_MAX, ADDS_BY_VALUE_PER_COMMIT_MAX};
use mls_core::wire::hub_info::HubInfo;
use mls_rs_codec::MlsDecode as _;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    Extension, ExtensionType, Extensions, ExternalSender, GroupContext, LeafNodeIndex, Member,
    MlsGroup, Proposal, ProposalOrRefType, QueuedProposal, QueuedPskProposal, Sender, StagedCommit,
};
use openmls::schedule::{PreSharedKeyId, Psk};

use super::identity::{self, client_id};
use super::{PeerError, engine};

/// Extension 0xFB71 of a group.
pub(super) fn bridge_group(
    extensions: &Extensions<GroupContext>,
) -> Result<BridgeGroup, PeerError> {
    let bytes = extensions.unknown(engine::BRIDGE_GROUP).ok_or(BridgeGroupError::Missing)?;
    Ok(BridgeGroup::mls_decode(&mut bytes.0.as_slice())?)
}

/// Whether a group that one enters is ordered by this hub, which alone proposes from outside.
pub(super) fn check_context(context: &GroupContext, hub: &HubInfo) -> Result<(), PeerError> {
    let extensions = context.extensions();
    let bound = bridge_group(extensions)?;
    let suite = u16::from(context.ciphersuite());
    let sender = hub.senders.iter().find(|sender| sender.suite == suite);
    let sender = sender.ok_or_else(|| PeerError::new("the hub does not do this suite"))?;
    let sender = ExternalSender::tls_deserialize_exact(&*sender.identity)?;
    let requires_enough = extensions.required_capabilities().is_some_and(|required| {
        let needed = ExtensionType::Unknown(engine::BRIDGE_GROUP);
        let credentials = required.credential_types();
        required.extension_types().contains(&needed)
            && engine::CREDENTIALS.iter().all(|one| credentials.contains(one))
    });
    if bound.receipt_key != hub.receipt_key || bound.order != Order::Hub || !bound.basic_allowed {
        Err(PeerError::new("the group is bound to another hub, or has settings of another time"))
    } else if !requires_enough {
        Err(PeerError::new("the group does not require 0xFB71 and both credentials of its members"))
    } else if extensions.external_senders() != Some(&vec![sender]) {
        Err(PeerError::new("somebody else than the hub may propose from outside"))
    } else {
        Ok(())
    }
}

/// Whether a commit may be merged: all that it applies is allowed to its proposer.
pub(super) fn check_commit(
    group: &MlsGroup,
    sender: &Sender,
    commit: &StagedCommit,
) -> Result<(), PeerError> {
    let adds = |way: ProposalOrRefType| {
        let is_add = |queued: &&QueuedProposal| matches!(queued.proposal(), Proposal::Add(_));
        let adds = commit.queued_proposals().filter(is_add);
        adds.filter(|queued| queued.proposal_or_ref_type() == way).count()
    };
    if adds(ProposalOrRefType::Proposal) > ADDS_BY_VALUE_PER_COMMIT_MAX
        || adds(ProposalOrRefType::Reference) > ADDS_BY_REFERENCE_PER_COMMIT_MAX
    {
        return Err(PeerError::new("the commit adds too many clients"));
    }
    identity::check_commit(group, commit)?;
    if *sender == Sender::NewMemberCommit {
        return check_external(group, commit);
    }
    commit.queued_proposals().try_for_each(|proposal| check_proposal(group, proposal))
}

/// Whether this may be proposed for anybody to commit.
pub(super) fn check_by_reference(queued: &QueuedProposal) -> Result<(), PeerError> {
    match queued.proposal() {
        Proposal::Add(_) | Proposal::Remove(_) | Proposal::Update(_) => Ok(()),
        _ => Err(PeerError::new("this may only be proposed inside the proposer's own commit")),
    }
}

/// Whether the proposer may propose this. The engine has checked signatures.
pub(super) fn check_proposal(group: &MlsGroup, queued: &QueuedProposal) -> Result<(), PeerError> {
    let proposal = queued.proposal();
    match queued.sender() {
        Sender::Member(index) => check_member(group, proposal, &user(group, *index)?),
        Sender::External(_) if matches!(proposal, Proposal::Remove(_)) => Ok(()),
        _ => Err(PeerError::new("from outside only the hub proposes, and only Removes")),
    }
}

fn check_member(group: &MlsGroup, proposal: &Proposal, proposer: &UserId) -> Result<(), PeerError> {
    let bound = bridge_group(group.extensions())?;
    let allowed = match proposal {
        Proposal::Update(_) => true,
        Proposal::Add(add) => {
            let added = client_id(add.key_package().leaf_node().credential())?.user();
            bound.may_add(proposer) || added == *proposer
        }
        Proposal::Remove(remove) => {
            bound.is_admin(proposer) || user(group, remove.removed())? == *proposer
        }
        Proposal::GroupContextExtensions(change) => {
            bound.is_admin(proposer) && is_change_of_settings(group, change.extensions())?
        }
        Proposal::PreSharedKey(_) | Proposal::ReInit(_) => bound.is_admin(proposer),
        _ => false,
    };
    let what = proposal.proposal_type();
    if allowed { Ok(()) } else { Err(PeerError::new(format!("{proposer} may not do {what:?}"))) }
}

/// Whether only what an admin may change is changed: hub, rooms and all other extensions stay.
fn is_change_of_settings(
    group: &MlsGroup,
    extensions: &Extensions<GroupContext>,
) -> Result<bool, PeerError> {
    let others = |extensions: &Extensions<GroupContext>| -> Vec<Extension> {
        let ours = ExtensionType::Unknown(engine::BRIDGE_GROUP);
        let others = extensions.iter().filter(|extension| extension.extension_type() != ours);
        others.cloned().collect()
    };
    let (old, new) = (bridge_group(group.extensions())?, bridge_group(extensions)?);
    let allowed = BridgeGroup {
        admins: new.admins.clone(),
        members_may_add: new.members_may_add,
        open_join: new.open_join,
        join_psk: new.join_psk.clone(),
        basic_allowed: new.basic_allowed,
        anchors: new.anchors.clone(),
        ..old
    };
    Ok(new == allowed && !new.admins.is_empty() && others(group.extensions()) == others(extensions))
}

/// An external commit brings a client back to its own leaf, with its own key, or somebody new into
/// an open group; with the PSK that the group asks for.
fn check_external(group: &MlsGroup, commit: &StagedCommit) -> Result<(), PeerError> {
    let bound = bridge_group(group.extensions())?;
    let proof = |psk: &PreSharedKeyId| matches!(psk.psk(), Psk::External(psk) if psk.psk_id() == bound.join_psk);
    if !bound.join_psk.is_empty() && !psks(commit)?.iter().any(proof) {
        return Err(PeerError::new("an external commit must use the group's pre-shared key"));
    }
    let removed: Vec<LeafNodeIndex> =
        commit.remove_proposals().map(|proposal| proposal.remove_proposal().removed()).collect();
    let leaf = commit.update_path_leaf_node();
    let old = match removed.as_slice() {
        [] if bound.open_join => return Ok(()),
        [one] => member(group, *one),
        _ => None,
    };
    let same = old.zip(leaf).is_some_and(|(old, new)| {
        let clients = (client_id(&old.credential).ok(), client_id(new.credential()).ok());
        clients.0 == clients.1 && old.signature_key == new.signature_key().as_slice()
    });
    let why = "an external commit must replace its committer's own leaf, with the same key";
    if same { Ok(()) } else { Err(PeerError::new(why)) }
}

/// The PSKs that a commit uses; the engine keeps what a proposal holds to itself.
fn psks(commit: &StagedCommit) -> Result<Vec<PreSharedKeyId>, PeerError> {
    let bytes = |psk: QueuedPskProposal<'_>| psk.psk_proposal().tls_serialize_detached();
    let psk = |bytes: Vec<u8>| PreSharedKeyId::tls_deserialize_exact(bytes);
    Ok(commit
        .psk_proposals()
        .map(|proposal| bytes(proposal).and_then(psk))
        .collect::<Result<_, _>>()?)
}

fn user(group: &MlsGroup, index: LeafNodeIndex) -> Result<UserId, PeerError> {
    let member = member(group, index).ok_or_else(|| PeerError::new("a leaf is empty"))?;
    Ok(client_id(&member.credential)?.user())
}

fn member(group: &MlsGroup, index: LeafNodeIndex) -> Option<Member> {
    group.member_at(index)
}
