//! `RegisterGroup`: a new group of one member comes under this hub's order.

use std::collections::BTreeMap;

use mls_rs::MlsMessage;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::group::ExportedTree;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionList;

use super::group_record::{self, GroupRecord, bridge_group};
use super::handshake_log::{self, LogEntry};
use super::keys::KeySet;
use super::public_group::write_snapshot;
use super::rates::Rate;
use super::room_record::{self, RoomRecord};
use super::turn::{Stop, Turn, effect_id, invalid, machine, not_allowed};
use super::{BindRoom, Effect, handshake_keys, leaves};
use crate::address::UserId;
use crate::bridge_group::{BridgeGroup, Order};
use crate::engine::{PublicGroup, mls_time, sha256};
use crate::identity::clients;
use crate::policy::GROUP_ID_BYTES;
use crate::receipt::{Receipt, ReceiptKind};
use crate::required_capabilities;
use crate::seal::handshake_key::HandshakeKey;
use crate::store::StoreError;
use crate::wire::blob::Part;
use crate::wire::refusal::Refusal;
use crate::wire::register_group::RegisterGroup;
use crate::wire::{Answer, GroupId};

/// A new group that passed every check.
pub(super) struct Founding<'a> {
    /// Who registers it.
    pub(super) creator: &'a UserId,
    /// Its public state.
    pub(super) public: &'a PublicGroup,
    /// The MLSMessage with its GroupInfo.
    pub(super) group_info: &'a [u8],
    /// The rooms that it is bound to from now on.
    pub(super) rooms: &'a [RoomRecord],
    /// The key of its first handshakes.
    pub(super) handshake_key: &'a HandshakeKey,
}

impl Turn<'_> {
    /// Answers with the receipt for seq 0; the same bytes again get the same receipt.
    pub(super) fn register_group(
        &mut self,
        from: &UserId,
        request: &RegisterGroup,
    ) -> Result<Answer, Stop> {
        let (id, message, group_info) = self.read_group_info(from, &request.group_info)?;
        let tree = self.part(from, &request.tree)?;
        if let Some(known) = group_record::read(self.store, &id)? {
            return self.registered_before(&known, from, &group_info);
        }
        self.count_group(from)?;
        let public = self.observe(message, &tree)?;
        self.check_first_epoch(&public, from)?;
        let bridge_group = self.check_binding(&public, from)?;
        let former = self.check_restart(&bridge_group, &public, from)?;
        let rooms = match &former {
            Some(former) => self.rooms_after(former)?,
            None => self.free_rooms(&bridge_group, from)?,
        };
        let founding = Founding {
            creator: from,
            public: &public,
            group_info: &group_info,
            rooms: &rooms,
            handshake_key: &request.handshake_key,
        };
        let receipt = self.begin_group(&founding)?;
        if let Some(former) = former {
            self.end_by_restart(former, &public)?;
        }
        self.keep_group_info(&id, group_info);
        Ok(Answer::Receipt(receipt.to_bytes().map_err(machine)?))
    }

    /// The GroupInfo of a new group: its id, the message and the bytes of that.
    pub(super) fn read_group_info(
        &mut self,
        from: &UserId,
        group_info: &Part,
    ) -> Result<(GroupId, MlsMessage, Vec<u8>), Stop> {
        let bytes = self.part(from, group_info)?;
        let message = MlsMessage::from_bytes(&bytes)
            .map_err(|_| invalid("group_info is not an MLSMessage"))?;
        let id = GroupId(message.group_id().unwrap_or_default().to_vec());
        match id.0.len() {
            GROUP_ID_BYTES => Ok((id, message, bytes)),
            _ => Err(invalid(format!("a group id has {GROUP_ID_BYTES} bytes"))),
        }
    }

    /// One more group of an account.
    pub(super) fn count_group(&mut self, from: &UserId) -> Result<(), Stop> {
        let counted = self.rates.take(Rate::Groups, &["group", from.as_str()], self.now_ms);
        Ok(counted.map_err(Refusal::RateLimited)?)
    }

    /// The answer to a registration that was accepted before.
    pub(super) fn registered_before(
        &self,
        known: &GroupRecord,
        from: &UserId,
        group_info: &[u8],
    ) -> Result<Answer, Stop> {
        match handshake_log::read(self.store, &known.group, 0)? {
            Some(entry)
                if known.creator == *from
                    && entry.receipt.tbs.message_hash == sha256(group_info) =>
            {
                Ok(Answer::Receipt(entry.receipt.to_bytes().map_err(machine)?))
            }
            _ => Err(Refusal::Exists.into()),
        }
    }

    /// Reads the public state of a new group.
    pub(super) fn observe(&self, group_info: MlsMessage, tree: &[u8]) -> Result<PublicGroup, Stop> {
        let suite = group_info.cipher_suite().ok_or_else(|| invalid("group_info has no suite"))?;
        let client = self
            .groups
            .client(suite)
            .ok_or_else(|| invalid("the cipher suite is not supported: use 1, 2 or 3"))?;
        let tree = ExportedTree::from_bytes(tree)
            .map_err(|_| invalid("tree is not a ratchet tree (RFC 9420 12.4.3.3)"))?;
        client
            .observe_group(group_info, Some(tree), Some(mls_time(self.now_ms)))
            .map_err(|e| invalid(format!("the group is not valid: {e}")))
    }

    fn check_first_epoch(&self, public: &PublicGroup, from: &UserId) -> Result<(), Stop> {
        if public.group_context().epoch != 0 {
            return Err(invalid("a group is registered at epoch 0"));
        }
        let members = clients(&public.roster());
        match members.as_slice() {
            [creator] if creator.user() == *from => self.refuse_revoked(creator),
            [_] => Err(invalid("the group's one leaf must belong to the asker")),
            _ => Err(invalid("a group is registered with exactly one leaf")),
        }
    }

    pub(super) fn check_binding(
        &self,
        public: &PublicGroup,
        from: &UserId,
    ) -> Result<BridgeGroup, Stop> {
        let bridge_group =
            BridgeGroup::from_extensions(&public.group_context().extensions).map_err(invalid)?;
        let none = String::new();
        let names = bridge_group.hub_matrix == *self.setup.matrix.as_ref().unwrap_or(&none)
            && bridge_group.hub_xmpp == *self.setup.xmpp.as_ref().unwrap_or(&none);
        // A member that has not heard of new keys makes a group with the old ones, and changes it later.
        let keys = self.keys.of(&bridge_group.receipt_key).ok().filter(|_| names);
        let Some(keys) = keys else {
            return Err(invalid("extension 0xFB71 must name this hub as HubInfo does"));
        };
        if bridge_group.order != Order::Hub {
            return Err(invalid("a group that is registered is ordered by the hub"));
        } else if !bridge_group.is_admin(from) {
            return Err(invalid("the creator must be an admin"));
        }
        let context = public.group_context();
        check_context(keys, context.cipher_suite, &context.extensions).map_err(invalid)?;
        Ok(bridge_group)
    }

    /// Has the binding written into the rooms of a group.
    pub(super) fn bind_rooms(&mut self, record: &GroupRecord) {
        for room in &record.rooms {
            let cause = [&room_record::key(room), &*record.group.0, &*record.receipt_key];
            self.effects.push(Effect::BindRoom(BindRoom {
                id: effect_id("bind room", &cause),
                room: room.clone(),
                group: record.group.clone(),
                receipt_key: record.receipt_key.clone(),
                suite: record.suite,
            }));
        }
    }

    /// The rooms that a new group names: made here for who registers it, and not bound.
    pub(super) fn free_rooms(
        &self,
        bridge_group: &BridgeGroup,
        from: &UserId,
    ) -> Result<Vec<RoomRecord>, Stop> {
        let mut rooms = Vec::new();
        for room in bridge_group.rooms() {
            let record = room_record::read(self.store, &room)?
                .filter(|record| record.creator == *from)
                .ok_or_else(|| not_allowed(format!("{room} was not made here for {from}")))?;
            if record.group.is_some() {
                return Err(not_allowed(format!("{room} is bound to another group")));
            }
            rooms.push(record);
        }
        Ok(rooms)
    }

    /// Takes a group that passed every check under this hub's order.
    pub(super) fn begin_group(&mut self, founding: &Founding<'_>) -> Result<Receipt, StoreError> {
        let Founding { creator, public, group_info, rooms, handshake_key } = founding;
        let context = public.group_context();
        let keys = self.keys.of(&bridge_group(public)?.receipt_key)?;
        let (id, epoch) = (&GroupId(context.group_id.clone()), context.epoch);
        let kind = ReceiptKind::Group;
        let key = &keys.receipt;
        let receipt =
            Receipt::sign(key, None, kind, id, epoch, group_info, self.now_ms).map_err(machine)?;
        let entry = LogEntry { receipt: receipt.clone(), message: Vec::new() };
        handshake_log::write(self.store, id, &entry)?;
        handshake_keys::keep(self.store, id, handshake_key)?;
        write_snapshot(self.store, id, 0, public)?;
        let members = clients(&public.roster());
        let mut counts = BTreeMap::<UserId, u32>::new();
        members.iter().for_each(|client| *counts.entry(client.user()).or_default() += 1);
        for (user, count) in counts {
            leaves::set(self.store, id, &user, count, 0)?;
        }
        self.leaves_came(id, public)?;
        let suite = u16::from(context.cipher_suite);
        for record in *rooms {
            RoomRecord { group: Some(id.clone()), ..record.clone() }.write(self.store)?;
        }
        let mut record = GroupRecord {
            group: id.clone(),
            suite,
            creator: (*creator).clone(),
            rooms: rooms.iter().map(|record| record.room.clone()).collect(),
            receipt_key: keys.receipt_public.to_vec(),
            epoch,
            last: receipt.clone(),
            proposals: 0,
            leaves: u32::try_from(members.len()).unwrap_or(u32::MAX),
            by_room: false,
            successor: None,
            closed: false,
            oldest_seq: 0,
            snapshot_seq: 0,
        };
        record.write(self.store)?;
        self.bind_rooms(&record);
        let public = self.groups.with_keys_of(&record, public)?;
        self.groups.change(id, public);
        self.remove_revoked(&mut record, &members)?;
        Ok(receipt)
    }
}

/// What stands in a context beside the binding: this hub, and nobody else outside, may propose, and every leaf
/// can do what the policies ask.
pub(super) fn check_context(
    keys: &KeySet,
    suite: CipherSuite,
    extensions: &ExtensionList,
) -> Result<(), String> {
    let senders: Option<ExternalSendersExt> = extensions.get_as().ok().flatten();
    let own = keys.sender(suite);
    let only_own = matches!(
        (senders.as_ref().map(ExternalSendersExt::allowed_senders), own),
        (Some([one]), Some(own)) if *one == own.identity
    );
    if !only_own {
        return Err("external_senders must hold this hub's sender and nobody else".to_owned());
    }
    required_capabilities::check(extensions).map_err(|error| error.to_string())
}
