//! Rooms that this hub made: for whom, and which group lives in them.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::{self, GroupRecord};
use crate::address::{Network, RoomAddress, UserId};
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const SPACE: Space = "room";

/// A room of this hub.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct RoomRecord {
    /// The room.
    pub(super) room: RoomAddress,
    /// Who asked for it.
    pub(super) creator: UserId,
    /// The group that is bound to it. It stays bound when the room is lost, but its record names
    /// the room no more.
    pub(super) group: Option<GroupId>,
    /// The group that lived in it before, whose last messages may still come.
    pub(super) former: Option<GroupId>,
}

impl RoomRecord {
    /// Stores it.
    pub(super) fn write(&self, store: &Overlay) -> Result<(), StoreError> {
        store.write(SPACE, &key(&self.room), self)
    }

    /// Forgets a room that no group is bound to: none can be any more.
    pub(super) fn delete(&self, store: &Overlay) {
        store.delete(SPACE, &key(&self.room));
    }
}

/// The room's key, here and as a prefix elsewhere; no address holds a zero byte.
pub(super) fn key(room: &RoomAddress) -> Vec<u8> {
    let network = match room.network {
        Network::Matrix => b'm',
        Network::Xmpp => b'x',
    };
    [&[network], room.address.as_bytes(), &[0]].concat()
}

/// The room, if this hub made it.
pub(super) fn read(store: &Overlay, room: &RoomAddress) -> Result<Option<RoomRecord>, StoreError> {
    store.read(SPACE, &key(room))
}

/// Whether this hub made the room and has not lost it.
pub(super) fn is_live(store: &Overlay, room: &RoomAddress) -> Result<bool, StoreError> {
    match read(store, room)? {
        Some(RoomRecord { group: Some(group), .. }) => lives_in(store, &group, room),
        unbound => Ok(unbound.is_some()),
    }
}

fn lives_in(store: &Overlay, group: &GroupId, room: &RoomAddress) -> Result<bool, StoreError> {
    let group = group_record::read(store, group)?;
    Ok(group.is_some_and(|group| group.rooms.contains(room)))
}

/// The group that lives, or lived until the room was lost, in a room.
pub(super) fn group(
    store: &Overlay,
    room: &RoomAddress,
) -> Result<Option<GroupRecord>, StoreError> {
    match read(store, room)?.and_then(|record| record.group) {
        Some(group) => group_record::read(store, &group),
        None => Ok(None),
    }
}

/// All rooms in which a group lives.
pub(super) fn bound(store: &Overlay) -> Result<Vec<RoomAddress>, StoreError> {
    let mut rooms = Vec::new();
    store.each(SPACE, b"", |_, value| {
        let record: RoomRecord = decode(SPACE, value)?;
        if let Some(group) = &record.group
            && lives_in(store, group, &record.room)?
        {
            rooms.push(record.room);
        }
        Ok(true)
    })?;
    Ok(rooms)
}

#[cfg(test)]
crate::codec_properties::hold!(RoomRecord);
