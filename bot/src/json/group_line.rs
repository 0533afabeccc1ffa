//! What is printed of a group: who orders it, its rooms, its members.

use mls_core::address::RoomAddress;
use mls_core::bridge_group::Order;
use mls_core::identity::Standing;
use mls_core::member::{GroupSummary, IdentityStanding, MemberSummary, NamedAnchor};
use serde::Serialize;

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupLine {
    /// The group, in hex.
    pub group: String,
    /// The group that it branches from, where a secret of that has proved it to this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branched_from: Option<String>,
    /// Its epoch.
    pub epoch: u64,
    /// The epoch's authenticator (RFC 9420 8.7) as digits: the same for all members.
    pub epoch_digits: String,
    /// RFC 9420 number of its cipher suite.
    pub suite: u16,
    /// Suites that all members can use: `reinit` can choose among them.
    pub shared_suites: Vec<u16>,
    /// Who orders it: `hub` or `room`.
    pub order: &'static str,
    /// Its rooms.
    pub rooms: Vec<RoomLine>,
    /// Whose certificates it goes by.
    pub anchors: Vec<AnchorLine>,
    /// Its members.
    pub members: Vec<MemberLine>,
}

/// A trust anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnchorLine {
    /// The domain for whose accounts it stands.
    pub domain: String,
    /// SHA-256 of the certificate, in hex, to be compared over another channel.
    pub fingerprint: String,
    /// Whether this device goes by it.
    pub known: bool,
}

/// One room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomLine {
    /// `matrix` or `xmpp`.
    pub network: &'static str,
    /// The room id or the JID.
    pub address: String,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberLine {
    /// The client.
    pub client: String,
    /// Whether its user may change the membership.
    pub admin: bool,
    /// Its place in the tree.
    pub leaf_index: u32,
    /// Its signature public key, in hex, to be compared over another channel.
    pub signature_key: String,
    /// Until when a certificate of its domain's authority, which this device goes by, vouches for it, in
    /// seconds since 1970; null where nothing but the networks' word does.
    pub certified_until: Option<u64>,
    /// Its authority has taken its certificate back: it is to be removed.
    pub revoked: bool,
    /// `verified`: signed by the identity key that a person verified, or one's own; `signed`: by one that nobody
    /// has verified; `unsigned`; `broken`: what the leaf says of it is not true.
    pub identity: &'static str,
    /// The identity key that signs it, in hex.
    pub identity_key: Option<String>,
    /// Since when it is a member and was not heard from, in milliseconds since 1970; of those who were
    /// added while this device was in the group.
    pub unheard_since: Option<u64>,
}

impl From<&GroupSummary> for GroupLine {
    fn from(group: &GroupSummary) -> Self {
        Self {
            group: group.group.to_string(),
            branched_from: group.branched_from.as_ref().map(ToString::to_string),
            epoch: group.epoch,
            epoch_digits: group.epoch_digits.clone(),
            suite: group.suite,
            shared_suites: group.shared_suites.clone(),
            order: match group.order {
                Order::Hub => "hub",
                Order::Room => "room",
            },
            rooms: group.rooms.iter().map(RoomLine::from).collect(),
            anchors: group.anchors.iter().map(AnchorLine::from).collect(),
            members: group.members.iter().map(MemberLine::from).collect(),
        }
    }
}

impl From<&NamedAnchor> for AnchorLine {
    fn from(named: &NamedAnchor) -> Self {
        Self {
            domain: named.anchor.domain.clone(),
            fingerprint: named.anchor.fingerprint().to_string(),
            known: named.known,
        }
    }
}

impl From<&RoomAddress> for RoomLine {
    fn from(room: &RoomAddress) -> Self {
        Self { network: room.network.name(), address: room.address.clone() }
    }
}

impl From<&MemberSummary> for MemberLine {
    fn from(member: &MemberSummary) -> Self {
        let (identity, identity_key) = match &member.identity {
            IdentityStanding::Verified(key) => ("verified", Some(key.to_string())),
            IdentityStanding::Unverified(key) => ("signed", Some(key.to_string())),
            IdentityStanding::Unsigned => ("unsigned", None),
            IdentityStanding::Broken(_) => ("broken", None),
        };
        Self {
            client: member.client.to_string(),
            admin: member.admin,
            leaf_index: member.leaf_index,
            signature_key: hex::encode(&member.signature_key),
            unheard_since: member.unheard_since_ms,
            certified_until: match member.standing {
                Standing::Vouched { until_s } => Some(until_s),
                Standing::Unvouched | Standing::Revoked => None,
            },
            revoked: member.standing == Standing::Revoked,
            identity,
            identity_key,
        }
    }
}
