//! GroupContext extension 0xFB71: which hub orders the group, which rooms it lives in, who may
//! change it. Hub and members decide from it and from nothing a server says.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::extension::{ExtensionList, ExtensionType, MlsCodecExtension};
use thiserror::Error;

use crate::address::{RoomAddress, UserId};
use crate::identity::TrustAnchors;
use crate::limits::{ADMINS_MAX, NAME_BYTES_MAX};
use crate::policy::{BRIDGE_GROUP_EXTENSION, GROUP_ID_BYTES};
use crate::wire::GroupId;

/// Who orders handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Order {
    /// The hub, by its receipts.
    Hub = 0u8,
    /// The room of a group in one network: a rule over the commits' bytes picks the winner of each
    /// epoch, and no hub is asked.
    Room = 1u8,
}

/// The extension's content. Empty text stands for "none".
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct BridgeGroup {
    /// Always 0.
    pub version: u8,
    /// Ed25519 key of the hub's receipts; not the external sender's key.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt_key: Vec<u8>,
    /// The hub's Matrix user id.
    pub hub_matrix: String,
    /// The hub's JID.
    pub hub_xmpp: String,
    /// The Matrix room id.
    pub matrix_room: String,
    /// A server through which the Matrix room can be joined.
    pub matrix_via: String,
    /// The bare JID of the MUC.
    pub muc: String,
    /// Users who may change the group, one a line.
    pub admins: String,
    /// Who orders handshakes.
    pub order: Order,
    /// Whether every member may add.
    pub members_may_add: bool,
    /// Whether basic credentials are accepted.
    pub basic_allowed: bool,
    /// Whether who is in a room's list may join by external commit.
    pub open_join: bool,
    /// The external PSK that every external commit must use; empty for none.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub join_psk: Vec<u8>,
    /// The receipt key that `receipt_key` took the place of; empty where none was.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub previous_key: Vec<u8>,
    /// Its signature for `receipt_key` and the external sender; see [`crate::handover`].
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub handover: Vec<u8>,
    /// Authorities whose certificates the group takes, each for its domain.
    pub anchors: TrustAnchors,
    /// The group that this one took the place of without proof of continuity, as
    /// [`Command::Restart`](crate::member::Command::Restart) makes it; empty where none was.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub replaces: Vec<u8>,
}

/// A GroupContext that is not one of ours, or is broken; its creator's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BridgeGroupError {
    /// No such extension: not a group of this bridge.
    #[error("the group has no extension 0xFB71: it is not a group of mls-bridge")]
    Missing,
    /// The extension cannot be read, or goes beyond a bound.
    #[error("the group's extension 0xFB71 is broken: {0}")]
    Broken(&'static str),
}

impl BridgeGroup {
    /// Reads and checks the extension.
    pub fn from_extensions(extensions: &ExtensionList) -> Result<Self, BridgeGroupError> {
        let group: Self = extensions
            .get_as()
            .map_err(|_| BridgeGroupError::Broken("it does not decode"))?
            .ok_or(BridgeGroupError::Missing)?;
        let names =
            [&group.hub_matrix, &group.hub_xmpp, &group.matrix_room, &group.matrix_via, &group.muc];
        if group.version != 0 {
            Err(BridgeGroupError::Broken("its version is not 0"))
        } else if group.receipt_key.len() != 32 {
            Err(BridgeGroupError::Broken("its receipt key is not 32 bytes long"))
        } else if names.iter().any(|name| name.len() > NAME_BYTES_MAX)
            || group.join_psk.len() > NAME_BYTES_MAX
            || group.previous_key.len() > 32
            || group.handover.len() > 64
        {
            Err(BridgeGroupError::Broken("a name in it is too long"))
        } else if !group.replaces.is_empty() && group.replaces.len() != GROUP_ID_BYTES {
            Err(BridgeGroupError::Broken("what it replaces is no group id"))
        } else if !group.anchors.are_bounded() {
            Err(BridgeGroupError::Broken("its trust anchors are too many, too long or doubled"))
        } else if group.admins.lines().count() > ADMINS_MAX {
            Err(BridgeGroupError::Broken("it names too many admins"))
        } else if group.admins.lines().any(|line| UserId::parse(line).is_err()) {
            Err(BridgeGroupError::Broken("one of its admins is no user"))
        } else if group.rooms().is_empty() {
            Err(BridgeGroupError::Broken("it names no room"))
        } else {
            Ok(group)
        }
    }

    /// The rooms that the group lives in: at most one on each network.
    pub fn rooms(&self) -> Vec<RoomAddress> {
        let matrix = (!self.matrix_room.is_empty()).then(|| RoomAddress::matrix(&self.matrix_room));
        let muc = (!self.muc.is_empty()).then(|| RoomAddress::xmpp(&self.muc));
        matrix.into_iter().chain(muc).collect()
    }

    /// The group that this one took the place of by a restart.
    pub fn replaced(&self) -> Option<GroupId> {
        (!self.replaces.is_empty()).then(|| GroupId(self.replaces.clone()))
    }

    /// Whether the user may change the group.
    pub fn is_admin(&self, user: &UserId) -> bool {
        self.admins.lines().any(|admin| admin == user.as_str())
    }

    /// Whether the user may add.
    pub fn may_add(&self, user: &UserId) -> bool {
        self.members_may_add || self.is_admin(user)
    }
}

#[cfg(test)]
impl BridgeGroup {
    /// Of a group with one Matrix room and one admin.
    pub(crate) fn of_one_room(room: &str, admin: &UserId) -> Self {
        Self {
            version: 0,
            receipt_key: vec![7; 32],
            hub_matrix: "@mls:example.org".to_owned(),
            hub_xmpp: String::new(),
            matrix_room: room.to_owned(),
            matrix_via: String::new(),
            muc: String::new(),
            admins: admin.to_string(),
            order: Order::Hub,
            members_may_add: false,
            basic_allowed: true,
            open_join: false,
            join_psk: Vec::new(),
            previous_key: Vec::new(),
            handover: Vec::new(),
            replaces: Vec::new(),
            anchors: TrustAnchors::default(),
        }
    }
}

impl MlsCodecExtension for BridgeGroup {
    fn extension_type() -> ExtensionType {
        BRIDGE_GROUP_EXTENSION
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Order, BridgeGroup);

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a group may have so many admins.
    fn may_have(admins: usize) -> bool {
        let user = |number| UserId::matrix(&format!("@admin{number}:example.org")).unwrap();
        let mut group = BridgeGroup::of_one_room("!room:example.org", &user(0));
        group.admins = (0..admins).map(|n| user(n).to_string()).collect::<Vec<_>>().join("\n");
        let mut extensions = ExtensionList::new();
        extensions.set_from(group).unwrap();
        BridgeGroup::from_extensions(&extensions).is_ok()
    }

    #[test]
    fn a_group_has_so_many_admins_and_no_more() {
        assert!(may_have(ADMINS_MAX));
        assert!(!may_have(ADMINS_MAX + 1));
    }
}
