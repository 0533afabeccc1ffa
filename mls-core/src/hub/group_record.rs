//! What the hub knows of a group without looking into its tree: the head of its order.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::CipherSuite;

use super::successor::Successor;
use super::turn::{Stop, Turn, not_allowed};
use super::{leaves, listed};
use crate::address::{Network, RoomAddress, UserId};
use crate::bridge_group::BridgeGroup;
use crate::engine::PublicGroup;
use crate::overlay::Overlay;
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::refusal::Refusal;

const SPACE: Space = "group_record";

/// A live group. Of one size whatever the group's is, so reading it for a message is cheap.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct GroupRecord {
    /// The group.
    pub(super) group: GroupId,
    /// RFC 9420 number of its suite.
    pub(super) suite: u16,
    /// Who registered it.
    pub(super) creator: UserId,
    /// Its rooms, at most one on each network; a room that is lost is taken away.
    pub(super) rooms: Vec<RoomAddress>,
    /// The receipt key that the group names.
    pub(super) receipt_key: Vec<u8>,
    /// The current epoch.
    pub(super) epoch: u64,
    /// The last receipt; its `seq` is the group's.
    pub(super) last: Receipt,
    /// Proposals of members in this epoch.
    pub(super) proposals: u32,
    /// Leaves that are not blank.
    pub(super) leaves: u32,
    /// The oldest handshake that is still kept.
    pub(super) oldest_seq: u64,
    /// The handshake after which the newest snapshot was taken.
    pub(super) snapshot_seq: u64,
    /// Whether an admin handed it over to its room: it takes no handshake any more.
    pub(super) by_room: bool,
    /// What follows, if a ReInit or a restart has ended the group: it takes no handshake any more.
    pub(super) successor: Option<Successor>,
    /// The hub has proposed to remove every leaf: nobody is left to commit, and the group has ended.
    pub(super) closed: bool,
}

impl GroupRecord {
    /// The last sequence number that was given out.
    pub(super) fn seq(&self) -> u64 {
        self.last.tbs.seq
    }

    /// The suite, as the engine names it.
    pub(super) fn cipher_suite(&self) -> CipherSuite {
        CipherSuite::from(self.suite)
    }

    /// Whether the group has a room on this network, without which nobody there can be reached.
    pub(super) fn reaches(&self, network: Network) -> bool {
        self.rooms.iter().any(|room| room.network == network)
    }

    /// The time of the next receipt: now, but never before the last one.
    pub(super) fn receipt_time(&self, now_ms: u64) -> u64 {
        now_ms.max(self.last.tbs.time_ms)
    }

    /// Stores it.
    pub(super) fn write(&self, store: &Overlay) -> Result<(), StoreError> {
        store.write(SPACE, &self.group.0, self)
    }
}

/// The group, if there is one.
pub(super) fn read(store: &Overlay, group: &GroupId) -> Result<Option<GroupRecord>, StoreError> {
    store.read(SPACE, &group.0)
}

/// What the group's context says about the bridge; it was checked when the group was accepted.
pub(super) fn bridge_group(public: &PublicGroup) -> Result<BridgeGroup, StoreError> {
    BridgeGroup::from_extensions(&public.group_context().extensions).map_err(super::turn::machine)
}

impl Turn<'_> {
    /// The group that a request names.
    pub(super) fn group(&self, group: &GroupId) -> Result<GroupRecord, Stop> {
        Ok(read(self.store, group)?.ok_or(Refusal::UnknownGroup)?)
    }

    /// The group, for an account that has a leaf in it, or may join it by itself.
    pub(super) fn group_to_enter(
        &mut self,
        group: &GroupId,
        user: &UserId,
    ) -> Result<GroupRecord, Stop> {
        let record = self.group(group)?;
        if leaves::count(self.store, group, user)? == 0 && !self.may_join(&record, user)? {
            return Err(not_allowed("this account is not in the group"));
        }
        Ok(record)
    }

    /// Whether the group is open and the account is in the list of its room.
    fn may_join(&mut self, record: &GroupRecord, user: &UserId) -> Result<bool, StoreError> {
        let own = record.rooms.iter().find(|room| room.network == user.network());
        match own {
            Some(room) if listed::is_listed(self.store, room, user)? => {
                let public = self.groups.copy(self.store, record)?;
                Ok(bridge_group(&public)?.open_join)
            }
            _ => Ok(false),
        }
    }

    /// The group, asked for by an account that has a leaf in it.
    pub(super) fn group_of_member(
        &self,
        group: &GroupId,
        user: &UserId,
    ) -> Result<GroupRecord, Stop> {
        let record = self.group(group)?;
        if leaves::count(self.store, group, user)? == 0 {
            return Err(not_allowed("this account is not in the group"));
        }
        Ok(record)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(GroupRecord);
