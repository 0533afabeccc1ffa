//! What a user is told of the groups that this device is in.

use std::collections::BTreeMap;

use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::identity::SigningIdentity;

use super::engine_storage::{self, MemberGroup, Slot};
use super::group_record::{GroupRecord, State};
use super::{DomainAnchors, Member};
use crate::address::{ClientId, RoomAddress, UserId};
use crate::bridge_group::{BridgeGroup, Order};
use crate::identity::{
    CertificateError, IdentityError, Standing, TrustAnchor, TrustAnchors, check_leaf_against,
    client_id, is_admin,
};
use crate::policy::CIPHER_SUITES;
use crate::store::StoreError;
use crate::user_identity::{BrokenStatement, Ed25519Key, LeafIdentity, epoch_digits, of_leaf};
use crate::wire::GroupId;

/// A group that this device is in.
#[derive(Clone, Debug)]
pub struct GroupSummary {
    /// The group.
    pub group: GroupId,
    /// Its epoch.
    pub epoch: u64,
    /// The epoch's authenticator as digits, the same for all members ([`epoch_digits`]).
    pub epoch_digits: String,
    /// Who orders it.
    pub order: Order,
    /// Its rooms.
    pub rooms: Vec<RoomAddress>,
    /// RFC 9420 number of its suite.
    pub suite: u16,
    /// Suites of our policy that every member's leaf lists: those with which the group could start
    /// anew. None of them is stronger than another.
    pub shared_suites: Vec<u16>,
    /// Whose certificates it goes by; people compare the fingerprints.
    pub anchors: Vec<NamedAnchor>,
    /// The group that it branches from, as [`Joined`](super::Joined) says.
    pub branched_from: Option<GroupId>,
    /// All its members.
    pub members: Vec<MemberSummary>,
}

/// An authority that a group names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAnchor {
    /// The authority.
    pub anchor: TrustAnchor,
    /// Whether this device goes by it ([`Member::authorities`]).
    pub known: bool,
}

/// One leaf.
#[derive(Clone, Debug)]
pub struct MemberSummary {
    /// The client in its credential.
    pub client: ClientId,
    /// Its place in the tree.
    pub leaf_index: u32,
    /// Whether its user may change the membership.
    pub admin: bool,
    /// Its signature public key.
    pub signature_key: Vec<u8>,
    /// What stands behind its name, as far as this device goes by the authority.
    pub standing: Standing,
    /// What its user's identity says of it.
    pub identity: IdentityStanding,
    /// Since when it is a member and was not heard from, in milliseconds since 1970; of those who were
    /// added while this device was in the group.
    pub unheard_since_ms: Option<u64>,
}

/// What a user's identity says of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityStanding {
    /// The key that a person verified, or this user's own, signed the device.
    Verified(Ed25519Key),
    /// This key signed the device, and nobody has verified it here.
    Unverified(Ed25519Key),
    /// Nothing.
    Unsigned,
    /// What it says is not true.
    Broken(BrokenStatement),
}

impl Member {
    /// The groups that this device is in.
    pub fn groups(&self) -> Result<Vec<GroupSummary>, StoreError> {
        let live = self.groups.values().filter(|record| record.state == State::Live);
        let (known, verified) = (self.authorities()?, self.verified_keys()?);
        let mut groups = Vec::new();
        for record in live {
            let summary = |group: &MemberGroup| self.summary(record, group, &known, &verified);
            groups.extend(self.look_into(&record.group, summary)?);
        }
        Ok(groups)
    }

    /// Looks at the state of a group, where there is one.
    pub(super) fn look_into<T>(
        &self,
        group: &GroupId,
        look: impl FnOnce(&MemberGroup) -> T,
    ) -> Result<Option<T>, StoreError> {
        match self.loaded.get(group) {
            Some(loaded) => Ok(Some(look(&loaded.group))),
            None if engine_storage::exists(&self.overlay, Slot::Current, &group.0)? => {
                Ok(Some(look(&self.read_group(group)?.group)))
            }
            None => Ok(None),
        }
    }

    fn summary(
        &self,
        record: &GroupRecord,
        group: &MemberGroup,
        known: &[DomainAnchors],
        verified: &BTreeMap<UserId, Ed25519Key>,
    ) -> GroupSummary {
        let id = GroupId(group.group_id().to_vec());
        let context = group.context();
        let bound = BridgeGroup::from_extensions(&context.extensions);
        let anchors = bound.as_ref().map(|bound| named(bound, known)).unwrap_or_default();
        let believed = bound.as_ref().ok().map(|bound| believed(bound, &anchors));
        let roster = group.roster();
        let shared = |suite: &CipherSuite| {
            roster.members_iter().all(|member| member.capabilities.cipher_suites.contains(suite))
        };
        let member = |member: mls_rs::group::Member| {
            let identity = &member.signing_identity;
            client_id(identity).ok().map(|client| MemberSummary {
                unheard_since_ms: self.unheard_since_ms(&id, &client),
                identity: identity_standing(&member, verified.get(&client.user())),
                client,
                leaf_index: member.index,
                admin: is_admin(identity, context),
                signature_key: identity.signature_key.to_vec(),
                standing: self.standing(identity, believed.as_ref()),
            })
        };
        GroupSummary {
            group: id.clone(),
            epoch: group.current_epoch(),
            epoch_digits: group.epoch_authenticator().map(|s| epoch_digits(&s)).unwrap_or_default(),
            order: bound.as_ref().map_or(Order::Hub, |bound| bound.order),
            anchors,
            rooms: record.rooms.clone(),
            branched_from: record.branched_from.clone(),
            suite: u16::from(group.cipher_suite()),
            shared_suites: CIPHER_SUITES.into_iter().filter(shared).map(u16::from).collect(),
            members: roster.members_iter().filter_map(member).collect(),
        }
    }

    /// What stands behind a leaf that the engine has let in: nothing, once its certificate has ended.
    fn standing(&self, identity: &SigningIdentity, bound: Option<&BridgeGroup>) -> Standing {
        let list = &self.revocations.list;
        match bound.map(|bound| check_leaf_against(identity, bound, None, list)) {
            Some(Ok(Standing::Vouched { until_s })) if until_s > self.now_ms / 1000 => {
                Standing::Vouched { until_s }
            }
            Some(Err(IdentityError::Certificate(CertificateError::Revoked))) => Standing::Revoked,
            _ => Standing::Unvouched,
        }
    }
}

/// What a leaf's identity is worth where this key of its user counts as verified.
fn identity_standing(
    member: &mls_rs::group::Member,
    verified: Option<&Ed25519Key>,
) -> IdentityStanding {
    match of_leaf(&member.signing_identity, &member.extensions) {
        LeafIdentity::Signed(statement) if verified == Some(&statement.identity_key) => {
            IdentityStanding::Verified(statement.identity_key)
        }
        LeafIdentity::Signed(statement) => IdentityStanding::Unverified(statement.identity_key),
        LeafIdentity::Unsigned => IdentityStanding::Unsigned,
        LeafIdentity::Broken(why) => IdentityStanding::Broken(why),
    }
}

/// The authorities of a group, each with whether it is known.
fn named(bound: &BridgeGroup, known: &[DomainAnchors]) -> Vec<NamedAnchor> {
    let is_known = |anchor: &TrustAnchor| known.iter().any(|of| of.known.0.contains(anchor));
    let named =
        |anchor: &TrustAnchor| NamedAnchor { known: is_known(anchor), anchor: anchor.clone() };
    bound.anchors.0.iter().map(named).collect()
}

/// The group as it would be without the authorities that this device does not go by.
fn believed(bound: &BridgeGroup, anchors: &[NamedAnchor]) -> BridgeGroup {
    let known = anchors.iter().filter(|named| named.known).map(|named| named.anchor.clone());
    BridgeGroup { anchors: TrustAnchors(known.collect()), basic_allowed: true, ..bound.clone() }
}
