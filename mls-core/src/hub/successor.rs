//! A group that takes the place of one that ended with a ReInit (RFC 9420 11.2).
//!
//! The engine makes the new group with all its members in one step, so it comes here at epoch 1,
//! with the Welcome. Its members are those of the group before, its settings those that the
//! ReInit names, and it takes over the rooms.

use std::collections::BTreeSet;

use mls_rs::MlsMessage;
use mls_rs::group::proposal::ReInitProposal;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::{GroupRecord, bridge_group};
use super::register_group::{Founding, check_external_senders};
use super::room_record::{self, RoomRecord};
use super::turn::{Stop, Turn, invalid, invalid_commit, machine, not_allowed};
use super::welcomes::WelcomeContent;
use crate::address::{ClientId, UserId};
use crate::engine::{PublicGroup, sha256};
use crate::identity::{client_id, clients};
use crate::receipt::Receipt;
use crate::seal::handshake_key::HandshakeKey;
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
        check_external_senders(&self.keys.current, suite, extensions).map_err(|_| {
            invalid_commit("external_senders must hold this hub's sender and nobody else")
        })?;
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
        let group_info = self.part(from, &request.group_info)?;
        let tree = self.part(from, &request.tree)?;
        let welcome = self.part(from, &request.welcome)?;
        let message = MlsMessage::from_bytes(&group_info)
            .map_err(|_| invalid("group_info is not an MLSMessage"))?;
        let id = GroupId(message.group_id().unwrap_or_default().to_vec());
        if let Some(known) = super::group_record::read(self.store, &id)? {
            return self.registered_before(&known, from, &group_info);
        }
        let former = self.group_of_member(&request.former, from)?;
        let Some(successor) = former.successor.clone().filter(|next| next.group == id) else {
            return Err(not_allowed("no ReInit of that group names this one"));
        };
        let signer = message.as_group_info().map(|info| info.sender());
        let public = self.observe(message, &tree)?;
        self.check_successor(&public, &former, &successor, from)?;
        let maker = maker(&public, signer, from)?;
        let added = self.check_welcomed(&id, &public, &maker, &welcome)?;
        let receipt = self.succeed(from, &former, &public, &group_info, &request.handshake_key)?;
        self.keep_group_info(&id, group_info);
        let content = WelcomeContent {
            resumes: Some(Resumed::Former(former.group.clone())),
            group: id.clone(),
            epoch: 1,
            receipt: receipt.to_bytes().map_err(machine)?,
            tree,
            welcome,
        };
        self.welcome(&content, &added)?;
        if let Some(mut record) = super::group_record::read(self.store, &id)? {
            self.propose_removal(&mut record, &successor.left)?;
        }
        Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?))
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

    /// The clients of the Welcome: all but the maker, each by a key package for this group.
    pub(super) fn check_welcomed(
        &self,
        id: &GroupId,
        public: &PublicGroup,
        maker: &ClientId,
        welcome: &[u8],
    ) -> Result<Vec<ClientId>, Stop> {
        let message =
            MlsMessage::from_bytes(welcome).map_err(|_| invalid("the Welcome is broken"))?;
        let mut added = Vec::new();
        for reference in message.welcome_key_package_references() {
            let client = self.use_claimed(id, reference)?;
            added.push(client.ok_or_else(|| {
                invalid("the Welcome names a key package that was not claimed for this group")
            })?);
        }
        let welcomed: BTreeSet<_> = added.iter().chain([maker]).collect();
        let members = clients(&public.roster());
        let members: BTreeSet<_> = members.iter().collect();
        if welcomed != members || added.len() + 1 != members.len() {
            return Err(invalid("the Welcome must be for every other member"));
        }
        Ok(added)
    }

    /// The new group takes over the rooms of the former.
    fn succeed(
        &mut self,
        from: &UserId,
        former: &GroupRecord,
        public: &PublicGroup,
        group_info: &[u8],
        handshake_key: &HandshakeKey,
    ) -> Result<Receipt, StoreError> {
        let rooms = self.rooms_after(former)?;
        let founding = Founding { creator: from, public, group_info, rooms: &rooms, handshake_key };
        self.begin_group(&founding)
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

/// The client that made a group of several members at once: the signer of its GroupInfo.
pub(super) fn maker(
    public: &PublicGroup,
    signer: Option<u32>,
    from: &UserId,
) -> Result<ClientId, Stop> {
    let leaf = signer.and_then(|index| public.roster().member_with_index(index).ok());
    let maker = leaf.and_then(|leaf| client_id(&leaf.signing_identity).ok());
    maker
        .filter(|client| client.user() == *from)
        .ok_or_else(|| not_allowed("only who made the group may register it"))
}

#[cfg(test)]
crate::codec_properties::hold!(Successor);
