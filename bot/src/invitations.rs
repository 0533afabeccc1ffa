//! Invitations that were neither accepted nor refused yet, kept in the profile's database.

use mls_core::address::RoomAddress;
use mls_core::store::{Space, Store, StoreError, Write};
use storage::Database;

const INVITATION: Space = "invitation";
/// More are not looked at in one start.
const WAITING_MAX: usize = 1000;

/// The write that keeps an invitation.
pub(crate) fn note(room: &RoomAddress) -> Write {
    Write::Put { space: INVITATION, key: key(room), value: Vec::new().into() }
}

/// The write that forgets it.
pub(crate) fn forget(room: &RoomAddress) -> Write {
    Write::Delete { space: INVITATION, key: key(room) }
}

/// Those that wait.
pub(crate) fn waiting(database: &Database) -> Result<Vec<RoomAddress>, StoreError> {
    let entries = database.scan(INVITATION, &[], &[], WAITING_MAX)?;
    Ok(entries.iter().filter_map(|(key, _)| room(key)).collect())
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

    #[test]
    fn an_invitation_waits_across_restarts_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("member.db");
        let rooms = [RoomAddress::matrix("!a:b.example"), RoomAddress::xmpp("a@rooms.b.example")];
        let database = Database::open(&file, Role::Member, None).unwrap();
        database.commit(&rooms.each_ref().map(note)).unwrap();
        drop(database);
        let database = Database::open(&file, Role::Member, None).unwrap();
        assert_eq!(waiting(&database).unwrap(), rooms);
        database.commit(&[forget(&rooms[0])]).unwrap();
        assert_eq!(waiting(&database).unwrap(), rooms[1..]);
    }
}
