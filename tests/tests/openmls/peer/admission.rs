//! Who may do what in a group: OpenMLS checks what RFC 9420 says, the rest is for the application.
//!
//! The same rules as those of `mls_core::rules`, said once more in the words of OpenMLS.

use mls_core::address::{ClientId, UserId};
use mls_core::bridge_group::{BridgeGroup, BridgeGroupError, Order};
use mls_core::limits::ADDS_PER_COMMIT_MAX;
use mls_core::wire::hub_info::HubInfo;
use mls_rs_codec::MlsDecode as _;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    BasicCredential, Credential, ExtensionType, Extensions, ExternalSender, GroupContext,
    LeafNodeIndex, Member, MlsGroup, Proposal, QueuedProposal, Sender, StagedCommit,
};

use super::{PeerError, engine};

/// Extension 0xFB71 of a group.
pub(super) fn bridge_group(
    extensions: &Extensions<GroupContext>,
) -> Result<BridgeGroup, PeerError> {
    let bytes = extensions.unknown(engine::BRIDGE_GROUP).ok_or(BridgeGroupError::Missing)?;
    Ok(BridgeGroup::mls_decode(&mut bytes.0.as_slice())?)
}

/// The client that a leaf belongs to.
pub(super) fn client_id(credential: &Credential) -> Result<ClientId, PeerError> {
    let basic = BasicCredential::try_from(credential.clone()).map_err(PeerError::new)?;
    let text = std::str::from_utf8(basic.identity()).map_err(PeerError::new)?;
    Ok(ClientId::parse(text)?)
}

/// Whether a group that one enters is ordered by this hub, which alone proposes from outside.
pub(super) fn check_context(context: &GroupContext, hub: &HubInfo) -> Result<(), PeerError> {
    let extensions = context.extensions();
    let bound = bridge_group(extensions)?;
    let suite = u16::from(context.ciphersuite());
    let sender = hub.senders.iter().find(|sender| sender.suite == suite);
    let sender = sender.ok_or_else(|| PeerError::new("the hub does not do this suite"))?;
    let sender = ExternalSender::tls_deserialize_exact(&*sender.identity)?;
    let required = extensions.required_capabilities();
    let needed = ExtensionType::Unknown(engine::BRIDGE_GROUP);
    if bound.receipt_key != hub.receipt_key || bound.order != Order::Hub || !bound.basic_allowed {
        Err(PeerError::new("the group is bound to another hub, or has settings of another time"))
    } else if !required.is_some_and(|required| required.extension_types().contains(&needed)) {
        Err(PeerError::new("the group does not require extension 0xFB71 of its members"))
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
    if commit.add_proposals().count() > ADDS_PER_COMMIT_MAX {
        return Err(PeerError::new("the commit adds too many clients"));
    }
    if *sender == Sender::NewMemberCommit {
        return check_return(group, commit);
    }
    commit.queued_proposals().try_for_each(|proposal| check_proposal(group, proposal))
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
        Proposal::GroupContextExtensions(_) => bound.is_admin(proposer),
        _ => false,
    };
    let what = proposal.proposal_type();
    if allowed { Ok(()) } else { Err(PeerError::new(format!("{proposer} may not do {what:?}"))) }
}

/// An external commit only brings a client back to its own leaf, with its own key.
fn check_return(group: &MlsGroup, commit: &StagedCommit) -> Result<(), PeerError> {
    let removed: Vec<LeafNodeIndex> =
        commit.remove_proposals().map(|proposal| proposal.remove_proposal().removed()).collect();
    let leaf = commit.update_path_leaf_node();
    let old = match removed.as_slice() {
        [one] => member(group, *one),
        _ => None,
    };
    let same = old.zip(leaf).is_some_and(|(old, new)| {
        old.credential == *new.credential() && old.signature_key == new.signature_key().as_slice()
    });
    let why = "an external commit must replace its committer's own leaf, with the same key";
    if same { Ok(()) } else { Err(PeerError::new(why)) }
}

fn user(group: &MlsGroup, index: LeafNodeIndex) -> Result<UserId, PeerError> {
    let member = member(group, index).ok_or_else(|| PeerError::new("a leaf is empty"))?;
    Ok(client_id(&member.credential)?.user())
}

fn member(group: &MlsGroup, index: LeafNodeIndex) -> Option<Member> {
    group.member_at(index)
}
