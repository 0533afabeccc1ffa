//! Who was seen in the list of a room; of the other network's accounts, whose ghost was.
//!
//! An account that was added is let in only later, by an effect; until then its absence means
//! nothing. So only who was seen in the list can be missed in it, and a "left" that follows the
//! hub's own putting out is taken for its echo, or somebody added anew meanwhile would be removed.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::room_record;
use crate::address::{RoomAddress, UserId};
use crate::limits::EXPEL_ECHO_MS;
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};

const SPACE: Space = "listed";

/// What was last known of an account in a room; no entry where nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum Seen {
    /// In the list.
    Listed = 1u8,
    /// Put out by the hub, which was carried out at this time (milliseconds since 1970); the room's
    /// word is to come.
    Expelled(u64) = 2u8,
    /// A ghost that somebody else put out.
    PutOut = 3u8,
    /// To be put out by the hub, as soon as the network can be reached.
    Expelling = 4u8,
}

impl Seen {
    /// Whether the hub has put the account out so recently that the room may not have said so.
    fn awaits_echo(self, now_ms: u64) -> bool {
        match self {
            Self::Expelling => true,
            Self::Expelled(at_ms) => now_ms < at_ms.saturating_add(EXPEL_ECHO_MS),
            Self::Listed | Self::PutOut => false,
        }
    }
}

/// Whether the account was last seen in the room's list.
pub(super) fn is_listed(
    store: &Overlay,
    room: &RoomAddress,
    user: &UserId,
) -> Result<bool, StoreError> {
    Ok(read(store, room, user)? == Some(Seen::Listed))
}

/// Whether the account's ghost was put out by somebody else, and was not let in again since.
pub(super) fn is_put_out(
    store: &Overlay,
    room: &RoomAddress,
    user: &UserId,
) -> Result<bool, StoreError> {
    Ok(read(store, room, user)? == Some(Seen::PutOut))
}

/// The room says that the account is in the list now.
pub(super) fn joined(store: &Overlay, room: &RoomAddress, user: &UserId) -> Result<(), StoreError> {
    store.write(SPACE, &key(room, user), &Seen::Listed)
}

/// The room says that the account left, or was put out; whether that was not the hub's doing.
pub(super) fn left(
    store: &Overlay,
    room: &RoomAddress,
    user: &UserId,
    now_ms: u64,
) -> Result<bool, StoreError> {
    let seen = read(store, room, user)?;
    if user.network() == room.network {
        store.delete(SPACE, &key(room, user));
    } else {
        store.write(SPACE, &key(room, user), &Seen::PutOut)?;
    }
    Ok(!seen.is_some_and(|seen| seen.awaits_echo(now_ms)))
}

/// The hub wants the account put out. Of a ghost that goes no room says anything.
pub(super) fn expelled(
    store: &Overlay,
    room: &RoomAddress,
    user: &UserId,
) -> Result<(), StoreError> {
    if user.network() != room.network {
        store.delete(SPACE, &key(room, user));
    } else if is_listed(store, room, user)? {
        store.write(SPACE, &key(room, user), &Seen::Expelling)?;
    }
    Ok(())
}

/// The account was put out.
pub(super) fn put_out(
    store: &Overlay,
    room: &RoomAddress,
    user: &UserId,
    now_ms: u64,
) -> Result<(), StoreError> {
    match read(store, room, user)? {
        Some(Seen::Expelling) => store.write(SPACE, &key(room, user), &Seen::Expelled(now_ms)),
        _ => Ok(()),
    }
}

/// The room is lost: nothing is known of it any more.
pub(super) fn forget(store: &Overlay, room: &RoomAddress) -> Result<(), StoreError> {
    all(store, room)?.iter().for_each(|(user, _)| store.delete(SPACE, &key(room, user)));
    Ok(())
}

/// The whole list of a room, without ghosts; returns who was seen in it before and is missing now.
pub(super) fn compare(
    store: &Overlay,
    room: &RoomAddress,
    users: &[UserId],
    now_ms: u64,
) -> Result<Vec<UserId>, StoreError> {
    let present: std::collections::HashSet<&UserId> = users.iter().collect();
    let mut missing = Vec::new();
    for (user, seen) in all(store, room)? {
        if present.contains(&user) || user.network() != room.network {
            continue;
        }
        store.delete(SPACE, &key(room, &user));
        if seen == Seen::Listed {
            missing.push(user);
        }
    }
    for user in users {
        // A list that was read before the hub put somebody out still has them.
        if !read(store, room, user)?.is_some_and(|seen| seen.awaits_echo(now_ms)) {
            joined(store, room, user)?;
        }
    }
    Ok(missing)
}

fn all(store: &Overlay, room: &RoomAddress) -> Result<Vec<(UserId, Seen)>, StoreError> {
    let prefix = room_record::key(room);
    let mut all = Vec::new();
    store.each(SPACE, &prefix, |key, value| {
        let name = key.get(prefix.len()..).unwrap_or_default();
        let user = std::str::from_utf8(name).ok().and_then(|text| UserId::parse(text).ok());
        if let Some(user) = user {
            all.push((user, decode(SPACE, value)?));
        }
        Ok(true)
    })?;
    Ok(all)
}

fn read(store: &Overlay, room: &RoomAddress, user: &UserId) -> Result<Option<Seen>, StoreError> {
    store.read(SPACE, &key(room, user))
}

fn key(room: &RoomAddress, user: &UserId) -> Vec<u8> {
    [room_record::key(room).as_slice(), user.as_str().as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Seen);
