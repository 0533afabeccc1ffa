//! A group that comes with all its members at once, at epoch 1 with its Welcome: one that follows a ReInit
//! ([`super::successor`]) or a branch ([`super::branch`]). What both have in common.

use std::collections::BTreeSet;

use mls_rs::MlsMessage;

use super::group_record;
use super::register_group::Founding;
use super::room_record::RoomRecord;
use super::turn::{Stop, Turn, invalid, machine, not_allowed};
use super::welcomes::WelcomeContent;
use crate::address::{ClientId, UserId};
use crate::engine::PublicGroup;
use crate::identity::{client_id, clients};
use crate::seal::handshake_key::HandshakeKey;
use crate::wire::founded_group::FoundedGroup;
use crate::wire::welcome::Resumed;
use crate::wire::{Answer, GroupId};

/// A group that is offered, before it is judged.
pub(super) struct Offered {
    /// Its id.
    pub(super) id: GroupId,
    message: MlsMessage,
    group_info: Vec<u8>,
    tree: Vec<u8>,
    welcome: Option<Vec<u8>>,
    handshake_key: HandshakeKey,
}

impl Turn<'_> {
    /// Reads what is offered.
    pub(super) fn read_offered(
        &mut self,
        from: &UserId,
        founded: &FoundedGroup,
    ) -> Result<Offered, Stop> {
        let (id, message, group_info) = self.read_group_info(from, &founded.group_info)?;
        let tree = self.part(from, &founded.tree)?;
        let welcome = founded.welcome.as_ref().map(|part| self.part(from, part)).transpose()?;
        let handshake_key = founded.handshake_key.clone();
        Ok(Offered { id, message, group_info, tree, welcome, handshake_key })
    }

    /// The answer that was given, if the same was offered before.
    pub(super) fn offered_before(
        &self,
        from: &UserId,
        offered: &Offered,
    ) -> Result<Option<Answer>, Stop> {
        let known = group_record::read(self.store, &offered.id)?;
        known.map(|known| self.registered_before(&known, from, &offered.group_info)).transpose()
    }

    /// Its public state.
    pub(super) fn observe_offered(&self, offered: &Offered) -> Result<PublicGroup, Stop> {
        self.observe(offered.message.clone(), &offered.tree)
    }

    /// Takes it under this hub's order, and welcomes everybody but who made it. Who they are.
    pub(super) fn take_offered(
        &mut self,
        from: &UserId,
        offered: Offered,
        public: &PublicGroup,
        rooms: &[RoomRecord],
        resumes: Resumed,
    ) -> Result<(Answer, Vec<ClientId>), Stop> {
        let maker = maker(public, &offered.message, from)?;
        // Who is revoked meanwhile founds it all the same, and is removed: the others need what follows.
        let Offered { id, group_info, tree, welcome, handshake_key, .. } = offered;
        let added = self.check_welcomed(&id, public, &maker, welcome.as_deref())?;
        let (creator, info, key) = (from, group_info.as_slice(), &handshake_key);
        let founding = Founding { creator, public, group_info: info, rooms, handshake_key: key };
        let receipt = self.begin_group(&founding)?.to_bytes().map_err(machine)?;
        self.keep_group_info(&id, group_info);
        let answer = Answer::Receipt(receipt.clone());
        let epoch = public.group_context().epoch;
        let resumes = Some(resumes);
        if let Some(welcome) = welcome {
            let content = WelcomeContent { group: id, resumes, epoch, receipt, tree, welcome };
            self.welcome(&content, &added)?;
        }
        Ok((answer, added))
    }

    /// The clients of the Welcome: all but the maker, each by a key package for this group.
    fn check_welcomed(
        &self,
        id: &GroupId,
        public: &PublicGroup,
        maker: &ClientId,
        welcome: Option<&[u8]>,
    ) -> Result<Vec<ClientId>, Stop> {
        let message = welcome.map(MlsMessage::from_bytes).transpose();
        let message = message.map_err(|_| invalid("the Welcome is broken"))?;
        let welcomed = message.iter().flat_map(MlsMessage::welcome_key_package_references);
        let mut added = Vec::new();
        for reference in welcomed {
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
}

/// The client that made it, the signer of its GroupInfo, which must be one of the asker's.
fn maker(public: &PublicGroup, message: &MlsMessage, from: &UserId) -> Result<ClientId, Stop> {
    let signer = message.as_group_info().map(|info| info.sender());
    let leaf = signer.and_then(|index| public.roster().member_with_index(index).ok());
    let maker = leaf.and_then(|leaf| client_id(&leaf.signing_identity).ok());
    maker
        .filter(|client| client.user() == *from)
        .ok_or_else(|| not_allowed("only who made the group may register it"))
}
