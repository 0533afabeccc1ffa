//! Whose leaf it is: OpenMLS hands credentials on unread, and leaves it to the application to check them
//! (RFC 9420 5.3.1).
//!
//! What a certificate says and proves is asked of `mls_core::identity`, as any client in Rust would.

use mls_core::address::ClientId;
use mls_core::bridge_group::BridgeGroup;
use mls_core::identity;
use mls_rs_codec::MlsDecode as _;
use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::identity::{
    BasicCredential, CertificateChain, Credential as EngineCredential, SigningIdentity,
};
use openmls::prelude::tls_codec::{Serialize as _, VLBytes};
use openmls::prelude::{
    Credential, CredentialType, GroupContext, LeafNode, Member, MlsGroup, Proposal, StagedCommit,
};

use super::PeerError;
use super::admission::bridge_group;

/// The client that a leaf belongs to.
pub(super) fn client_id(credential: &Credential) -> Result<ClientId, PeerError> {
    let signing = SigningIdentity::new(read(credential)?, SignaturePublicKey::new(Vec::new()));
    identity::client_id(&signing).map_err(PeerError::new)
}

/// Whether all leaves of a group that one enters are what it asks for.
pub(super) fn check_members(
    context: &GroupContext,
    mut members: impl Iterator<Item = Member>,
) -> Result<(), PeerError> {
    let bound = bridge_group(context.extensions())?;
    members.try_for_each(|member| check_member(&member, &bound))
}

/// Whether the leaves that a commit brings are what the group asks for once it is applied.
pub(super) fn check_commit(group: &MlsGroup, commit: &StagedCommit) -> Result<(), PeerError> {
    let before = bridge_group(group.extensions())?;
    let after = bridge_group(commit.group_context().extensions())?;
    let brought = commit.queued_proposals().filter_map(|queued| match queued.proposal() {
        Proposal::Add(add) => Some(add.key_package().leaf_node()),
        Proposal::Update(update) => Some(update.leaf_node()),
        _ => None,
    });
    brought.chain(commit.update_path_leaf_node()).try_for_each(|leaf| check_leaf(leaf, &after))?;
    let asks_the_same =
        (before.basic_allowed, &before.anchors) == (after.basic_allowed, &after.anchors);
    if asks_the_same {
        return Ok(());
    }
    group.members().try_for_each(|member| check_member(&member, &after))
}

fn check_leaf(leaf: &LeafNode, bound: &BridgeGroup) -> Result<(), PeerError> {
    check(leaf.credential(), leaf.signature_key().as_slice(), bound)
}

fn check_member(member: &Member, bound: &BridgeGroup) -> Result<(), PeerError> {
    check(&member.credential, &member.signature_key, bound)
}

fn check(credential: &Credential, key: &[u8], bound: &BridgeGroup) -> Result<(), PeerError> {
    let signing = SigningIdentity::new(read(credential)?, SignaturePublicKey::from(key.to_vec()));
    identity::check_leaf(&signing, bound, None).map(drop).map_err(PeerError::new)
}

/// A credential in the other engine's words.
fn read(credential: &Credential) -> Result<EngineCredential, PeerError> {
    let content = credential.serialized_content();
    match credential.credential_type() {
        CredentialType::Basic => {
            Ok(EngineCredential::Basic(BasicCredential::new(content.to_vec())))
        }
        CredentialType::X509 => {
            // OpenMLS has taken the length of the whole off.
            let whole = VLBytes::new(content.to_vec()).tls_serialize_detached()?;
            let chain = CertificateChain::mls_decode(&mut whole.as_slice())?;
            Ok(EngineCredential::X509(chain))
        }
        other => Err(PeerError::new(format!("a credential of type {other:?}"))),
    }
}
