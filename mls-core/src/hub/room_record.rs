//! Rooms that this hub made: for whom, and which group lives in them.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::{self, GroupRecord};
use crate::address::{Network, RoomAddress, UserId};
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const SPACE: Space = "room";
/// Rooms read from the database at once.
const PAGE: usize = 256;

/// A room of this hub.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
pub(super) struct RoomRecord {
    /// The room.
    pub(super) room: RoomAddress,
    /// Who asked for it.
    pub(super) creator: UserId,
    /// The group that is bound to it.
    pub(super) group: Option<GroupId>,
}

impl RoomRecord {
    /// Stores it.
    pub(super) fn write(&self, store: &Overlay) -> Result<(), StoreError> {
        store.write(SPACE, &key(&self.room), self)
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

/// The group that lives in a room.
pub(super) fn group(
    store: &Overlay,
    room: &RoomAddress,
) -> Result<Option<GroupRecord>, StoreError> {
    match read(store, room)?.and_then(|record| record.group) {
        Some(group) => group_record::read(store, &group),
        None => Ok(None),
    }
}

/// All rooms that have a group.
pub(super) fn bound(store: &Overlay) -> Result<Vec<RoomAddress>, StoreError> {
    let mut rooms = Vec::new();
    let mut from = Vec::new();
    loop {
        let page = store.scan(SPACE, b"", &from, PAGE)?;
        for (_, value) in &page {
            let record: RoomRecord = decode(SPACE, value)?;
            rooms.extend(record.group.map(|_| record.room));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = [last.as_slice(), &[0]].concat(),
            _ => return Ok(rooms),
        }
    }
}
