//! Who made a commit: found from the public tree before the engine works on it.

use mls_rs::MlsMessage;
use mls_rs::group::Sender;
use mls_rs::identity::SigningIdentity;

use super::removal::proposed_by_hub;
use super::turn::{Stop, invalid_commit, not_allowed};
use crate::address::{ClientId, UserId};
use crate::bridge_group::BridgeGroup;
use crate::door::HandshakeMessage;
use crate::engine::PublicGroup;
use crate::identity::client_id;

/// A commit's maker.
pub(super) struct Committer {
    /// The client.
    pub(super) client: ClientId,
    /// Credential and key of its leaf before the commit; of who joins, those that it brings.
    pub(super) identity: SigningIdentity,
    /// How it came to commit.
    pub(super) way: Way,
    /// Credential and key of the leaf that the commit puts in its place, if it does.
    pub(super) renewed: Option<SigningIdentity>,
}

/// How a committer stands to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By its leaf.
    Member,
    /// Back to its leaf, by an external commit.
    Return,
    /// Into an open group, by an external commit.
    Join,
}

impl Committer {
    /// Whether the commit is an external one.
    pub(super) fn is_external(&self) -> bool {
        self.way != Way::Member
    }
}

/// The committer, who must be a client of the asking account and have a leaf in the group.
pub(super) fn committer(
    public: &PublicGroup,
    handshake: &HandshakeMessage,
    from: &UserId,
) -> Result<Committer, Stop> {
    let committer = match handshake.sender {
        Sender::Member(index) => {
            let leaf = handshake.message.commit_path_leaf_node();
            let renewed = leaf.map(|leaf| leaf.signing_identity.clone());
            Committer { renewed, ..member(public, index)? }
        }
        Sender::NewMemberCommit => returning(public, &handshake.message)?,
        _ => return Err(invalid_commit("a commit comes from a member")),
    };
    if committer.client.user() != *from {
        return Err(not_allowed("only the committer's own account may submit a commit"));
    }
    Ok(committer)
}

fn member(public: &PublicGroup, index: u32) -> Result<Committer, Stop> {
    let member = public
        .roster()
        .member_with_index(index)
        .map_err(|_| invalid_commit("the committer has no leaf"))?;
    let client = client_id(&member.signing_identity).map_err(invalid_commit)?;
    Ok(Committer { client, identity: member.signing_identity, way: Way::Member, renewed: None })
}

/// Whether a client has a leaf in a group, with the same key.
pub(super) fn has_leaf(public: &PublicGroup, of: &SigningIdentity) -> bool {
    let here = public.get_member_with_identity(of);
    here.is_ok_and(|member| member.signing_identity.signature_key == of.signature_key)
}

/// An external commit brings a client back to its own leaf, with its own key, or into an open
/// group. Whoever is to be removed does not come back.
fn returning(public: &PublicGroup, message: &MlsMessage) -> Result<Committer, Stop> {
    let leaf = message
        .commit_path_leaf_node()
        .ok_or_else(|| invalid_commit("an external commit has an update path"))?;
    let client = client_id(&leaf.signing_identity).map_err(invalid_commit)?;
    let renewed = Some(leaf.signing_identity.clone());
    let Ok(old) = public.get_member_with_identity(&leaf.signing_identity) else {
        let group = BridgeGroup::from_extensions(&public.group_context().extensions);
        return match group.map_err(invalid_commit)?.open_join {
            true => Ok(Committer {
                client,
                identity: leaf.signing_identity.clone(),
                way: Way::Join,
                renewed,
            }),
            false => {
                Err(not_allowed("an external commit only brings a member back: ask to be added"))
            }
        };
    };
    // Its certificate may be another one meanwhile.
    if old.signing_identity.signature_key != leaf.signing_identity.signature_key {
        return Err(not_allowed("a member comes back with the signature key that it had"));
    } else if proposed_by_hub(public).contains(&old.index) {
        return Err(not_allowed("this member is being removed"));
    }
    Ok(Committer { client, identity: old.signing_identity, way: Way::Return, renewed })
}
