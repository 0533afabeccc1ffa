//! Invitations that were neither accepted nor refused yet, kept in the profile's database: at most
//! [`WAITING_MAX`], each for at most [`WAIT_MS`].

use std::collections::HashMap;
use std::time::Duration;

use mls_core::address::RoomAddress;
use mls_core::limits::DAY_MS;
use mls_core::store::{Space, Store, StoreError, Write};
use storage::Database;

const INVITATION: Space = "invitation";
/// Invitations that wait at the same time; a further one is left alone.
const WAITING_MAX: usize = 1000;
/// How long an invitation waits, in milliseconds; a server that is away may come back meanwhile.
const WAIT_MS: u64 = 7 * DAY_MS;

/// The room of each, and when it was noted, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Invitations(HashMap<RoomAddress, u64>);

impl Invitations {
    /// Those that the database keeps.
    pub(crate) fn read(database: &Database) -> Result<Self, StoreError> {
        let entries = database.scan(INVITATION, &[], &[], WAITING_MAX)?;
        let read = entries.iter().filter_map(|(key, value)| {
            // Earlier versions wrote no time: those have waited long enough.
            let noted = value.to_vec().try_into().map_or(0, u64::from_be_bytes);
            Some((room(key)?, noted))
        });
        Ok(Self(read.collect()))
    }

    /// Notes an invitation: the write that keeps it, and how long it may wait from now on. There
    /// is none where too many wait already.
    pub(crate) fn note(&mut self, room: &RoomAddress, now_ms: u64) -> Option<(Write, Duration)> {
        if self.0.len() >= WAITING_MAX && !self.0.contains_key(room) {
            tracing::warn!(room = room.address, "too many invitations; one is left alone");
            return None;
        }
        let noted = *self.0.entry(room.clone()).or_insert(now_ms);
        let value = noted.to_be_bytes().to_vec().into();
        Some((Write::Put { space: INVITATION, key: key(room), value }, left(noted, now_ms)))
    }

    /// The write that forgets it.
    pub(crate) fn forget(&mut self, room: &RoomAddress) -> Write {
        self.0.remove(room);
        Write::Delete { space: INVITATION, key: key(room) }
    }

    /// Forgets those that have waited long enough.
    pub(crate) fn expire(&mut self, now_ms: u64) -> Vec<Write> {
        let over = self.0.iter().filter(|(_, noted)| left(**noted, now_ms).is_zero());
        let over: Vec<RoomAddress> = over.map(|(room, _)| room.clone()).collect();
        over.iter().map(|room| self.forget(room)).collect()
    }

    /// Those that wait, and how much longer they may.
    pub(crate) fn waiting(&self, now_ms: u64) -> Vec<(RoomAddress, Duration)> {
        self.0.iter().map(|(room, noted)| (room.clone(), left(*noted, now_ms))).collect()
    }
}

/// A clock that was set back makes no wait longer than the longest.
fn left(noted_ms: u64, now_ms: u64) -> Duration {
    Duration::from_millis(WAIT_MS.saturating_sub(now_ms.saturating_sub(noted_ms)))
}

fn key(room: &RoomAddress) -> Vec<u8> {
    format!("{} {}", room.network, room.address).into_bytes()
}

fn room(key: &[u8]) -> Option<RoomAddress> {
    let (network, address) = std::str::from_utf8(key).ok()?.split_once(' ')?;
    match network {
        "matrix" => Some(RoomAddress::matrix(address)),
        "xmpp" => Some(RoomAddress::xmpp(address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use storage::Role;

    use super::*;

    fn waiting(invitations: &Invitations, now_ms: u64) -> Vec<RoomAddress> {
        let mut waiting = invitations.waiting(now_ms);
        waiting.sort_by_key(|(room, _)| room.address.clone());
        waiting.into_iter().map(|(room, _)| room).collect()
    }

    #[test]
    fn an_invitation_waits_across_restarts_until_it_is_forgotten_or_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("member.db");
        let rooms = [RoomAddress::matrix("!a:b.example"), RoomAddress::xmpp("a@rooms.b.example")];
        let database = Database::open(&file, Role::Member, None).unwrap();
        let mut invitations = Invitations::read(&database).unwrap();
        for (number, room) in (1..).zip(&rooms) {
            let (write, left) = invitations.note(room, number).unwrap();
            assert_eq!(left, Duration::from_millis(WAIT_MS));
            database.commit(&[write]).unwrap();
        }
        drop(database);
        let database = Database::open(&file, Role::Member, None).unwrap();
        let mut invitations = Invitations::read(&database).unwrap();
        assert_eq!(waiting(&invitations, 3), rooms);
        let (_, left) = invitations.note(&rooms[1], 12).unwrap();
        assert_eq!(left, Duration::from_millis(WAIT_MS - 10), "the same again waits no longer");
        database.commit(&invitations.expire(WAIT_MS + 1)).unwrap();
        assert_eq!(waiting(&Invitations::read(&database).unwrap(), 3), rooms[1..]);
        database.commit(&[invitations.forget(&rooms[1])]).unwrap();
        assert!(waiting(&Invitations::read(&database).unwrap(), 3).is_empty());
    }

    #[test]
    fn invitations_without_end_are_not_kept() {
        let mut invitations = Invitations::default();
        let room = |n: usize| RoomAddress::xmpp(format!("{n}@rooms.b.example"));
        let noted = (0..WAITING_MAX + 3).filter(|n| invitations.note(&room(*n), 1).is_some());
        assert_eq!(noted.count(), WAITING_MAX);
        assert!(invitations.note(&room(0), 2).is_some(), "one that waits is known");
        assert_eq!(invitations.expire(WAIT_MS + 1).len(), WAITING_MAX);
        assert!(invitations.note(&room(WAITING_MAX), WAIT_MS + 1).is_some());
    }
}
