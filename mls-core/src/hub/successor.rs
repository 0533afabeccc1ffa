//! A group that takes the place of one that ended with a ReInit (RFC 9420 11.2).
//!
//! The engine makes the new group with all its members in one step, so it comes here at epoch 1,
//! with the Welcome. Its members are those of the group before, its settings those that the
//! ReInit names, and it takes over the rooms.

use std::collections::BTreeSet;

use mls_rs::group::proposal::ReInitProposal;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::{GroupRecord, bridge_group};
use super::register_group::check_context;
use super::room_record::{self, RoomRecord};
use super::turn::{Stop, Turn, invalid, invalid_commit, machine, not_allowed};
use crate::address::{ClientId, UserId};
use crate::engine::{PublicGroup, sha256};
use crate::identity::clients;
use crate::store::StoreError;
use crate::wire::register_successor::RegisterSuccessor;
use crate::wire::welcome::Resumed;
use crate::wire::{Answer, Digest, GroupId};

/// What a ReInit says of the group that is to follow, or a restart of the one that follows.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Successor {
    /// Its id.
    pub(super) group: GroupId,
    /// RFC 9420 number of its suite.
    pub(super) suite: u16,
    /// SHA-256 of its encoded GroupContext extensions.
    pub(super) extensions: Digest,
    /// Who left its rooms before it was there.
    pub(super) left: Vec<UserId>,
}

impl Successor {
    /// What a restart has put into the place of a group.
    pub(super) fn of_restart(public: &PublicGroup) -> Result<Self, StoreError> {
        let context = public.group_context();
        let extensions = context.extensions.mls_encode_to_vec().map_err(machine)?;
        Ok(Self {
            group: GroupId(context.group_id.clone()),
            suite: context.cipher_suite.into(),
            extensions: sha256(&extensions),
            left: Vec::new(),
        })
    }

    fn new(reinit: &ReInitProposal) -> Result<Self, StoreError> {
        let extensions = reinit.new_group_context_extensions().mls_encode_to_vec();
        Ok(Self {
            group: GroupId(reinit.group_id().to_vec()),
            suite: reinit.new_cipher_suite().into(),
            extensions: sha256(&extensions.map_err(machine)?),
            left: Vec::new(),
        })
    }
}

impl Turn<'_> {
    /// Whether a commit may end the group: a key package of everybody is there for the next one,
    /// or nobody could go on.
    pub(super) fn check_reinit(
        &self,
        record: &GroupRecord,
        before: &PublicGroup,
        committer: &ClientId,
        reinit: &ReInitProposal,
    ) -> Result<Successor, Stop> {
        let successor = Successor::new(reinit)?;
        if record.receipt_key != *self.keys.current.receipt_public {
            return Err(invalid_commit("the hub's new key must be taken into the group first"));
        }
        let (suite, extensions) =
            (reinit.new_cipher_suite(), reinit.new_group_context_extensions());
        check_context(&self.keys.current, suite, extensions).map_err(invalid_commit)?;
        for client in clients(&before.roster()) {
            if client != *committer && !self.is_claimed(&successor.group, &client)? {
                return Err(invalid_commit(format!(
                    "no key package of {client} was claimed for the group that is to follow"
                )));
            }
        }
        Ok(successor)
    }

    /// Answers with the receipt for seq 0; the same bytes again get the same receipt.
    pub(super) fn register_successor(
        &mut self,
        from: &UserId,
        request: &RegisterSuccessor,
    ) -> Result<Answer, Stop> {
        let offered = self.read_offered(from, &request.founded)?;
        if let Some(answer) = self.offered_before(from, &offered)? {
            return Ok(answer);
        }
        let former = self.group_of_member(&request.former, from)?;
        let named = former.successor.clone().filter(|next| next.group == offered.id);
        let Some(successor) = named else {
            return Err(not_allowed("no ReInit of that group names this one"));
        };
        let public = self.observe_offered(&offered)?;
        self.check_successor(&public, &former, &successor, from)?;
        let rooms = self.rooms_after(&former)?;
        let (id, resumes) = (offered.id.clone(), Resumed::Former(former.group));
        let (answer, _) = self.take_offered(from, offered, &public, &rooms, resumes)?;
        if let Some(mut record) = super::group_record::read(self.store, &id)? {
            self.propose_removal(&mut record, &successor.left)?;
        }
        Ok(answer)
    }

    /// Whether the group is what the ReInit says.
    fn check_successor(
        &mut self,
        public: &PublicGroup,
        former: &GroupRecord,
        successor: &Successor,
        from: &UserId,
    ) -> Result<(), Stop> {
        let context = public.group_context();
        let extensions = context.extensions.mls_encode_to_vec().map_err(machine)?;
        let as_said = u16::from(context.cipher_suite) == successor.suite
            && sha256(&extensions) == successor.extensions;
        if context.epoch != 1 || !as_said {
            return Err(invalid("it must be at epoch 1 and have what the ReInit names"));
        }
        let before = self.groups.copy(self.store, former)?;
        if !bridge_group(&before)?.is_admin(from) {
            return Err(not_allowed("only an admin may start a group anew"));
        }
        let (old, new) = (clients(&before.roster()), clients(&public.roster()));
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
        if old != new {
            return Err(invalid("its members must be those of the group before"));
        }
        Ok(())
    }

    /// The rooms of a group, as the group that follows takes them over.
    pub(super) fn rooms_after(&self, former: &GroupRecord) -> Result<Vec<RoomRecord>, StoreError> {
        let mut rooms = Vec::new();
        for room in &former.rooms {
            if let Some(record) = room_record::read(self.store, room)? {
                rooms.push(RoomRecord { former: Some(former.group.clone()), ..record });
            }
        }
        Ok(rooms)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Successor);
