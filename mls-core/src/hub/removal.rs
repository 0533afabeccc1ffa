//! The hub's own Remove proposals, signed as the group's external sender (RFC 9420 12.1.8).

use std::collections::BTreeSet;

use mls_rs::group::Sender;
use mls_rs::group::proposal::Proposal;

use super::group_record::{self, GroupRecord};
use super::leaves;
use super::turn::{Turn, machine};
use crate::address::{ClientId, UserId};
use crate::engine::PublicGroup;
use crate::identity::client_id;
use crate::receipt::ReceiptKind;
use crate::store::StoreError;

/// Leaves whose removal the hub has proposed in this epoch.
///
/// A member's Remove does not count as pending: its membership tag, which the hub cannot check,
/// may be wrong, and then members never see it and could never commit it.
pub(super) fn proposed_by_hub(public: &PublicGroup) -> BTreeSet<u32> {
    let leaf = |proposal: &Proposal, sender: &Sender| match (proposal, sender) {
        (Proposal::Remove(remove), Sender::External(_)) => Some(remove.to_remove()),
        _ => None,
    };
    let proposals = public.get_cached_proposals();
    proposals.iter().filter_map(|cached| leaf(cached.proposal(), cached.sender())).collect()
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
        let follows = match &record.successor {
            Some(successor) => group_record::read(self.store, &successor.group)?,
            None => None,
        };
        if let Some(mut follows) = follows {
            return self.propose_removal(&mut follows, users);
        }
        if let Some(successor) = &mut record.successor {
            // An ended group takes no handshake: who leaves it now leaves the one that follows.
            successor.left.extend(gone);
            return record.write(self.store);
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
        if nobody {
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
        self.groups.change(&record.group, public);
        Ok(())
    }
}
