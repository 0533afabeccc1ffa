//! The hub's own Remove proposals, signed as the group's external sender (RFC 9420 12.1.8).

use std::collections::BTreeSet;

use super::group_record::{self, GroupRecord};
use super::turn::{Turn, machine};
use super::{leaves, left_by_room};
use crate::address::{ClientId, UserId};
use crate::engine::PublicGroup;
use crate::identity::client_id;
use crate::receipt::ReceiptKind;
use crate::rules::removed_by_hub;
use crate::store::StoreError;

/// Why a group takes nothing any more whose members are all to be removed.
pub(super) const CLOSED: &str = "everybody left the group or was put out: it has ended";

/// Leaves whose removal the hub has proposed in this epoch.
pub(super) fn proposed_by_hub(public: &PublicGroup) -> BTreeSet<u32> {
    removed_by_hub(&public.get_cached_proposals())
}

impl Turn<'_> {
    /// Proposes to remove every leaf of these users, once.
    pub(super) fn propose_removal(
        &mut self,
        record: &mut GroupRecord,
        users: &[UserId],
    ) -> Result<(), StoreError> {
        let mut gone = BTreeSet::new();
        for user in users {
            if leaves::count(self.store, &record.group, user)? > 0 {
                gone.insert(user.clone());
            }
        }
        if record.by_room {
            return gone.iter().try_for_each(|u| left_by_room::note(self.store, &record.group, u));
        }
        let follows = match &record.successor {
            Some(successor) => group_record::read(self.store, &successor.group)?,
            None => None,
        };
        if let Some(mut follows) = follows {
            return self.propose_removal(&mut follows, users);
        }
        if let Some(successor) = &mut record.successor {
            // An ended group takes no handshake: who leaves it now leaves the one that follows.
            let before = successor.left.len();
            gone.retain(|user| !successor.left.contains(user));
            successor.left.extend(gone);
            return if successor.left.len() == before { Ok(()) } else { record.write(self.store) };
        }
        self.propose_removal_where(record, |client| gone.contains(&client.user()), gone.is_empty())
    }

    /// Proposes to remove the leaf of one client.
    pub(super) fn propose_removal_of(
        &mut self,
        record: &mut GroupRecord,
        client: &ClientId,
    ) -> Result<(), StoreError> {
        self.propose_removal_where(record, |other| other == client, false)
    }

    /// Proposes again what an external commit has cleared: these clients are still to go.
    pub(super) fn propose_removal_again(
        &mut self,
        record: &mut GroupRecord,
        clients: &BTreeSet<ClientId>,
    ) -> Result<(), StoreError> {
        self.propose_removal_where(record, |client| clients.contains(client), clients.is_empty())
    }

    fn propose_removal_where(
        &mut self,
        record: &mut GroupRecord,
        goes: impl Fn(&ClientId) -> bool,
        nobody: bool,
    ) -> Result<(), StoreError> {
        if nobody || record.closed || record.by_room {
            return Ok(());
        }
        let mut public = self.groups.copy(self.store, record)?;
        let proposed = proposed_by_hub(&public);
        let indexes: Vec<u32> = public
            .roster()
            .members_iter()
            .filter(|member| !proposed.contains(&member.index))
            .filter(|member| client_id(&member.signing_identity).is_ok_and(|client| goes(&client)))
            .map(|member| member.index)
            .collect();
        for index in indexes {
            let proposal = public.propose_remove(index, Vec::new()).map_err(machine)?;
            let bytes = proposal.to_bytes().map_err(machine)?;
            self.append(record, ReceiptKind::Proposal, &bytes, &public)?;
        }
        let nobody_stays = is_to_be_empty(&public);
        self.groups.change(&record.group, public);
        if nobody_stays { self.close(record) } else { Ok(()) }
    }

    /// Who is to be removed may not commit: where everybody is, the group has ended. Its members
    /// decide the same from the same proposals.
    fn close(&mut self, record: &mut GroupRecord) -> Result<(), StoreError> {
        record.closed = true;
        record.write(self.store)?;
        let users = leaves::users(self.store, &record.group)?;
        for room in record.rooms.clone() {
            // Each was put out of one room, and may still be in the other.
            for user in &users {
                self.expel(&room, user, record.seq(), "the group has ended")?;
            }
        }
        Ok(())
    }
}

/// Whether the hub has proposed to remove every leaf.
fn is_to_be_empty(public: &PublicGroup) -> bool {
    let proposed = proposed_by_hub(public);
    public.roster().members_iter().all(|member| proposed.contains(&member.index))
}
