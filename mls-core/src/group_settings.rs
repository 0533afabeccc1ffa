//! What of a group's context may change while the group lives (RFC 9420 12.1.7): one check for
//! the hub and for every member.
//!
//! An admin may hand a group in one network over to its room, and back to the same hub. Rooms and
//! hub stay what the group was registered with; so does every other extension. Of the hub's keys the
//! old one itself must say that new ones take its place.
//! What an admin may change is in [`Settings`].

use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::group::Roster;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::extension::{ExtensionList, ExtensionType};
use thiserror::Error;

use crate::address::UserId;
use crate::bridge_group::{BridgeGroup, BridgeGroupError, Order};
use crate::handover::Handover;
use crate::identity::{IdentityError, TrustAnchor, check_leaf};
use crate::policy::BRIDGE_GROUP_EXTENSION;
use crate::wire::Digest;

/// A change of the context that nobody may make; its proposer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The new settings are none.
    #[error(transparent)]
    Group(#[from] BridgeGroupError),
    /// Hub or rooms.
    #[error("a group's hub and rooms cannot be changed")]
    Fixed,
    /// A room can order only what lives in it.
    #[error("only a group that lives in one network can go on without a hub")]
    TwoNetworks,
    /// An extension beside the bridge's.
    #[error("of a group's context only extension 0xFB71 can be changed")]
    OtherExtension,
    /// Another hub key without the old one's word.
    #[error("the hub's old key has not signed for the new one")]
    Handover,
    /// A leaf that could not stay.
    #[error("{0}: it must be removed, or get a certificate, before")]
    Leaf(IdentityError),
    /// A branch that would take other credentials.
    #[error("a branch takes the credentials, and names the authorities, of its parent")]
    Branch,
    /// Nobody could change anything any more.
    #[error("a group must keep an admin")]
    NoAdmin,
}

/// What an admin wants changed; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Settings {
    /// Users who become admins.
    pub admins_add: Vec<UserId>,
    /// Users who are admins no longer.
    pub admins_remove: Vec<UserId>,
    /// Whether every member may add.
    pub members_may_add: Option<bool>,
    /// Whether anybody in a room's list may join by external commit.
    pub open_join: Option<bool>,
    /// The external PSK that every external commit must use; empty for none.
    pub join_psk: Option<JoinPsk>,
    /// Whether leaves need no certificate of an authority that the group names.
    pub basic_allowed: Option<bool>,
    /// Authorities that the group names from now on.
    pub anchors_add: Vec<TrustAnchor>,
    /// Authorities that it names no longer, by the fingerprints of their certificates.
    pub anchors_remove: Vec<Digest>,
    /// Who orders the group from now on.
    pub order: Option<Order>,
}

/// The id of an external PSK; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct JoinPsk(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

impl Settings {
    /// The group's settings with the change.
    pub fn applied_to(&self, group: &BridgeGroup) -> BridgeGroup {
        let mut admins: Vec<&str> = group.admins.lines().collect();
        admins.retain(|admin| self.admins_remove.iter().all(|gone| gone.as_str() != *admin));
        for user in self.admins_add.iter().map(UserId::as_str) {
            if !admins.contains(&user) {
                admins.push(user);
            }
        }
        let mut anchors = group.anchors.clone();
        anchors.0.retain(|anchor| !self.anchors_remove.contains(&anchor.fingerprint()));
        for anchor in &self.anchors_add {
            if !anchors.0.contains(anchor) {
                anchors.0.push(anchor.clone());
            }
        }
        BridgeGroup {
            basic_allowed: self.basic_allowed.unwrap_or(group.basic_allowed),
            anchors,
            admins: admins.join("\n"),
            members_may_add: self.members_may_add.unwrap_or(group.members_may_add),
            open_join: self.open_join.unwrap_or(group.open_join),
            order: self.order.unwrap_or(group.order),
            join_psk: self.join_psk.clone().map_or_else(|| group.join_psk.clone(), |psk| psk.0),
            ..group.clone()
        }
    }
}

/// Whether a GroupContextExtensions proposal may take a group from `before` to `after`.
pub(crate) fn check_change(
    before: &ExtensionList,
    after: &ExtensionList,
) -> Result<(), SettingsError> {
    let (old, new) = (BridgeGroup::from_extensions(before)?, BridgeGroup::from_extensions(after)?);
    if old.replaces != new.replaces {
        return Err(SettingsError::Fixed);
    }
    check_settings(&old, &new, before, after)
}

fn check_settings(
    old: &BridgeGroup,
    new: &BridgeGroup,
    before: &ExtensionList,
    after: &ExtensionList,
) -> Result<(), SettingsError> {
    let replaced = (&old.previous_key, &old.handover) != (&new.previous_key, &new.handover);
    if old.fixed() != new.fixed() {
        Err(SettingsError::Fixed)
    } else if old.order != new.order && new.rooms().len() != 1 {
        Err(SettingsError::TwoNetworks)
    } else if old.receipt_key != new.receipt_key {
        check_new_hub_key(old, new, before, after)
    } else if replaced {
        Err(SettingsError::Fixed)
    } else if others(before, &[]) != others(after, &[]) {
        Err(SettingsError::OtherExtension)
    } else if new.admins.lines().next().is_none() {
        Err(SettingsError::NoAdmin)
    } else {
        Ok(())
    }
}

/// Whether every leaf may stay after a change of what credentials the group takes: who joins later
/// holds all of them against the same.
pub(crate) fn check_leaves(
    roster: &Roster<'_>,
    before: &ExtensionList,
    after: &ExtensionList,
) -> Result<(), SettingsError> {
    let (old, new) = (BridgeGroup::from_extensions(before)?, BridgeGroup::from_extensions(after)?);
    if (old.basic_allowed, &old.anchors) == (new.basic_allowed, &new.anchors) {
        return Ok(());
    }
    let check = |leaf| check_leaf(leaf, &new, None).map(drop).map_err(SettingsError::Leaf);
    roster.member_identities_iter().try_for_each(check)
}

/// Whether the hub's old key has signed for the new one and its external sender.
fn check_new_hub_key(
    old: &BridgeGroup,
    new: &BridgeGroup,
    before: &ExtensionList,
    after: &ExtensionList,
) -> Result<(), SettingsError> {
    let senders: Option<ExternalSendersExt> = after.get_as().ok().flatten();
    let Some([sender]) = senders.as_ref().map(ExternalSendersExt::allowed_senders) else {
        return Err(SettingsError::Handover);
    };
    let sender = sender.mls_encode_to_vec().map_err(|_| SettingsError::Handover)?;
    let handover = Handover { old: &old.receipt_key, new: &new.receipt_key, sender: &sender };
    let senders = [ExtensionType::EXTERNAL_SENDERS];
    if new.previous_key != old.receipt_key || handover.verify(&new.handover).is_err() {
        Err(SettingsError::Handover)
    } else if others(before, &senders) != others(after, &senders) {
        Err(SettingsError::OtherExtension)
    } else {
        Ok(())
    }
}

/// Whether a group that follows a ReInit may have `after`, where the group before had `before`. The
/// external sender depends on the suite; hub and members check it by name.
pub(crate) fn check_successor(
    before: &ExtensionList,
    after: &ExtensionList,
) -> Result<(), SettingsError> {
    let without_senders = |extensions: &ExtensionList| {
        let mut extensions = extensions.clone();
        extensions.remove(ExtensionType::EXTERNAL_SENDERS);
        extensions
    };
    let (before, after) = (without_senders(before), without_senders(after));
    let old = BridgeGroup::from_extensions(&before)?;
    let new = BridgeGroup::from_extensions(&after)?;
    // It follows by proof: it replaces nothing, whatever the group before did.
    let kept = old.receipt_key == new.receipt_key && old.order == new.order;
    if !kept || !new.replaces.is_empty() {
        return Err(SettingsError::Fixed);
    }
    check_settings(&old, &new, &before, &after)
}

/// Whether a group may branch from another (RFC 9420 11.3): what stands behind its leaves is judged as in its
/// parent.
pub(crate) fn check_branch(
    parent: &ExtensionList,
    branch: &ExtensionList,
) -> Result<(), SettingsError> {
    let (parent, branch) =
        (BridgeGroup::from_extensions(parent)?, BridgeGroup::from_extensions(branch)?);
    let same = (parent.basic_allowed, &parent.anchors) == (branch.basic_allowed, &branch.anchors);
    if same { Ok(()) } else { Err(SettingsError::Branch) }
}

/// The context without the bridge's own extension and these.
fn others(extensions: &ExtensionList, without: &[ExtensionType]) -> ExtensionList {
    let mut others = extensions.clone();
    others.remove(BRIDGE_GROUP_EXTENSION);
    without.iter().for_each(|one| others.remove(*one));
    others
}

impl BridgeGroup {
    /// What can never change.
    fn fixed(&self) -> [&str; 5] {
        let names =
            [&self.hub_matrix, &self.hub_xmpp, &self.matrix_room, &self.matrix_via, &self.muc];
        names.map(String::as_str)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Settings, JoinPsk);
