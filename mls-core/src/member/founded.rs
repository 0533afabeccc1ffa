//! A group that is made with all its members at once: one that follows a ReInit ([`super::successor`]) or a
//! branch ([`super::branch`]). What both have in common.

use mls_rs::MlsMessage;
use mls_rs::time::MlsTime;

use super::Member;
use super::claiming::Claiming;
use super::engine_storage::MemberGroup;
use super::sealed_handshakes::handshake_key;
use crate::address::ClientId;
use crate::engine::{EngineError, mls_time};
use crate::policy::KEY_PACKAGE_BACKDATING_S;
use crate::wire::founded_group::FoundedGroup;

/// What the hub is given of it.
pub(super) fn founded(
    group: &MemberGroup,
    welcomes: &[MlsMessage],
) -> Result<FoundedGroup, EngineError> {
    let welcome = welcomes.first().map(MlsMessage::to_bytes).transpose()?;
    Ok(FoundedGroup {
        group_info: group.group_info_message_allowing_ext_commit(false)?.to_bytes()?.into(),
        tree: group.export_tree().to_bytes()?.into(),
        welcome: welcome.map(Into::into),
        handshake_key: handshake_key(group)?,
    })
}

impl Member {
    /// The packages of those who are in the group before, this device left out: a claim brings all
    /// devices of a user.
    pub(super) fn packages_of(&self, members: &[ClientId], claiming: &Claiming) -> Vec<MlsMessage> {
        let held = claiming.held().into_iter();
        held.filter(|(client, _)| members.contains(client) && *client != self.client)
            .map(|(_, package)| package)
            .collect()
    }

    /// When what is made now begins to hold: before, for others whose clocks are behind ours.
    pub(super) fn backdated(&self) -> MlsTime {
        let backdating_ms = KEY_PACKAGE_BACKDATING_S.saturating_mul(1000);
        mls_time(self.now_ms.saturating_sub(backdating_ms))
    }
}
