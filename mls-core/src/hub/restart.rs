//! A group that an admin puts into the place of one that cannot be healed.
//!
//! No commit of the former ends it, for perhaps nobody can make one that all can process. So the hub
//! goes by the last state that it has: who was an admin in that may restart the group, once.

use super::committer::has_leaf;
use super::group_record::{self, GroupRecord, bridge_group};
use super::left_by_room;
use super::removal::{CLOSED, proposed_by_hub};
use super::successor::Successor;
use super::turn::{Stop, Turn, invalid, not_allowed};
use crate::address::UserId;
use crate::bridge_group::BridgeGroup;
use crate::engine::PublicGroup;
use crate::identity::client_id;
use crate::store::StoreError;
use crate::wire::refusal::Refusal;

impl Turn<'_> {
    /// The group that a new one is to replace, if it names one, and this user may do that.
    pub(super) fn check_restart(
        &mut self,
        new: &BridgeGroup,
        made: &PublicGroup,
        from: &UserId,
    ) -> Result<Option<GroupRecord>, Stop> {
        let Some(former) = new.replaced() else { return Ok(None) };
        let former = self.group_of_member(&former, from)?;
        let public = self.groups.copy(self.store, &former)?;
        let last = bridge_group(&public)?;
        if !last.is_admin(from) {
            return Err(not_allowed("only who was an admin of the group may restart it"));
        } else if !has_makers_leaf(&public, made) {
            return Err(not_allowed(
                "this device is no longer in the group with this key: an admin who is has to restart it",
            ));
        } else if former.closed {
            return Err(not_allowed(CLOSED));
        } else if is_to_go(&public, from)
            || has_left(&former, from)
            || left_by_room::is_out(self.store, &former, from)?
        {
            return Err(not_allowed("this account is to be removed from the group"));
        } else if former.rooms.is_empty() {
            return Err(not_allowed("all rooms of the group are lost: make a new group"));
        } else if new.rooms() != last.rooms() {
            return Err(invalid("a restart keeps the rooms of the group that it replaces"));
        }
        // A ReInit whose group never came leaves everybody without one.
        if let Some(successor) = &former.successor
            && group_record::read(self.store, &successor.group)?.is_some()
        {
            return Err(Refusal::Exists.into());
        }
        Ok(Some(former))
    }

    /// The former group takes nothing any more, whoever ordered it.
    pub(super) fn end_by_restart(
        &mut self,
        mut former: GroupRecord,
        new: &PublicGroup,
    ) -> Result<(), StoreError> {
        former.by_room = false;
        former.successor = Some(Successor::of_restart(new)?);
        former.write(self.store)
    }
}

/// Whether whoever made the new group has a leaf in the former, with the same key, without which nobody takes it
/// for its own.
fn has_makers_leaf(former: &PublicGroup, made: &PublicGroup) -> bool {
    made.roster().member_identities_iter().all(|maker| has_leaf(former, maker))
}

/// Whether an account left after a ReInit, before the group that follows was there.
fn has_left(former: &GroupRecord, user: &UserId) -> bool {
    former.successor.as_ref().is_some_and(|successor| successor.left.contains(user))
}

/// Whether the hub has proposed to remove all leaves of an account: a restart would bring it back.
fn is_to_go(public: &PublicGroup, user: &UserId) -> bool {
    let proposed = proposed_by_hub(public);
    let own = |member: &mls_rs::group::Member| {
        client_id(&member.signing_identity).is_ok_and(|client| client.user() == *user)
    };
    let roster = public.roster();
    let mut leaves = roster.members_iter().filter(own);
    leaves.all(|member| proposed.contains(&member.index))
}
