//! A branch of a group: another group of some of its clients (RFC 9420 11.3).
//!
//! The engine makes it with all its members in one step, so it comes here at epoch 1, with the Welcome,
//! as a group that follows a ReInit does. Other than that it has rooms of its own, and its parent goes
//! on. Its members need a PSK of the parent's current epoch, so that is the one which it must branch from.

use std::collections::BTreeSet;

use mls_rs_codec::MlsEncode;

use super::group_record::GroupRecord;
use super::removal::{CLOSED, proposed_by_hub};
use super::turn::{Stop, Turn, invalid, machine, not_allowed};
use crate::address::{ClientId, UserId};
use crate::engine::PublicGroup;
use crate::group_settings;
use crate::identity::{client_id, clients};
use crate::limits::BRANCH_EXTENSIONS_BYTES_MAX;
use crate::wire::refusal::Refusal;
use crate::wire::register_branch::RegisterBranch;
use crate::wire::welcome::{Parent, Resumed};
use crate::wire::{Answer, GroupId};

impl Turn<'_> {
    /// Answers with the receipt for seq 0; the same bytes again get the same receipt.
    pub(super) fn register_branch(
        &mut self,
        from: &UserId,
        request: &RegisterBranch,
    ) -> Result<Answer, Stop> {
        let offered = self.read_offered(from, &request.founded)?;
        if let Some(answer) = self.offered_before(from, &offered)? {
            return Ok(answer);
        }
        let parent = self.group_to_branch(from, request)?;
        self.count_group(from)?;
        let public = self.observe_offered(&offered)?;
        self.check_branch(&public, &parent)?;
        let bound = self.check_binding(&public, from)?;
        if bound.replaced().is_some() {
            return Err(invalid("a branch replaces no group"));
        }
        let rooms = self.free_rooms(&bound, from)?;
        let extensions = extensions_beside_welcomes(&public)?;
        let parent = Parent { group: parent.group, epoch: request.parent_epoch, extensions };
        let (id, resumes) = (offered.id.clone(), Resumed::Parent(parent));
        let (answer, added) = self.take_offered(from, offered, &public, &rooms, resumes)?;
        self.admit_all(&id, from, &added)?;
        Ok(answer)
    }

    /// The parent, if a member may branch from it as it is now.
    fn group_to_branch(
        &mut self,
        from: &UserId,
        request: &RegisterBranch,
    ) -> Result<GroupRecord, Stop> {
        let parent = self.group_of_member(&request.parent, from)?;
        if parent.by_room {
            Err(not_allowed("its room orders the parent, so its epochs may be taken back"))
        } else if parent.closed {
            Err(not_allowed(CLOSED))
        } else if parent.successor.is_some() {
            Err(Refusal::Gone.into())
        } else if parent.epoch != request.parent_epoch {
            Err(Refusal::WrongEpoch(parent.epoch).into())
        } else {
            Ok(parent)
        }
    }

    /// Whether the new group can be a branch: of its suite, its credentials and its clients, without those who are to go.
    fn check_branch(&mut self, public: &PublicGroup, parent: &GroupRecord) -> Result<(), Stop> {
        let context = public.group_context();
        if context.epoch != 1 || context.cipher_suite != parent.cipher_suite() {
            return Err(invalid("a branch is registered at epoch 1, with its parent's suite"));
        }
        let before = self.groups.copy(self.store, parent)?;
        let parents = &before.group_context().extensions;
        group_settings::check_branch(parents, &context.extensions).map_err(invalid)?;
        let leaving = proposed_by_hub(&before);
        let roster = before.roster();
        let stays = roster.members_iter().filter(|member| !leaving.contains(&member.index));
        let stays: BTreeSet<_> =
            stays.filter_map(|member| client_id(&member.signing_identity).ok()).collect();
        match clients(&public.roster()).into_iter().find(|client| !stays.contains(client)) {
            Some(client) => {
                Err(not_allowed(format!("{client} is not in the parent, or is to leave it")))
            }
            None => Ok(()),
        }
    }

    /// Lets everybody into the rooms but the maker, who is there.
    fn admit_all(
        &mut self,
        branch: &GroupId,
        maker: &UserId,
        added: &[ClientId],
    ) -> Result<(), Stop> {
        let record = self.group(branch)?;
        let users: BTreeSet<UserId> = added.iter().map(ClientId::user).collect();
        for user in users.iter().filter(|user| *user != maker) {
            if !record.reaches(user.network()) {
                return Err(not_allowed(format!("the branch has no room on {}", user.network())));
            }
            for room in &record.rooms {
                self.admit(room, user, 0);
            }
        }
        Ok(())
    }
}

/// What travels beside each Welcome, within its bound.
fn extensions_beside_welcomes(public: &PublicGroup) -> Result<Vec<u8>, Stop> {
    let extensions = public.group_context().extensions.mls_encode_to_vec().map_err(machine)?;
    if extensions.len() > BRANCH_EXTENSIONS_BYTES_MAX {
        let most = u32::try_from(BRANCH_EXTENSIONS_BYTES_MAX).unwrap_or(u32::MAX);
        return Err(Refusal::TooLarge(most).into());
    }
    Ok(extensions)
}
