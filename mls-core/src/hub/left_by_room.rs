//! Who left a room, or was put out, while the room ordered its group: nobody could be proposed to be
//! removed then. Their removal is proposed when the group comes back.

use super::group_record::GroupRecord;
use super::listed;
use crate::address::UserId;
use crate::limits::MEMBERS_MAX;
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Accounts, by group.
const SPACE: Space = "left_by_room";

/// The account left, or was put out.
pub(super) fn note(store: &Overlay, group: &GroupId, user: &UserId) -> Result<(), StoreError> {
    store.write(SPACE, &place(group, user), user)
}

/// Whether an account left and has not come again.
pub(super) fn is_out(
    store: &Overlay,
    record: &GroupRecord,
    user: &UserId,
) -> Result<bool, StoreError> {
    Ok(store.get(SPACE, &place(&record.group, user))?.is_some() && !is_back(store, record, user)?)
}

fn place(group: &GroupId, user: &UserId) -> Vec<u8> {
    [group.0.as_slice(), user.as_str().as_bytes()].concat()
}

/// Who left and has not come again, so that this is done for them once.
pub(super) fn take(store: &Overlay, record: &GroupRecord) -> Result<Vec<UserId>, StoreError> {
    let group = &record.group.0;
    let mut left = Vec::new();
    for (key, value) in store.scan(SPACE, group, group, MEMBERS_MAX)? {
        store.delete(SPACE, &key);
        let user: UserId = crate::overlay::decode(SPACE, &value)?;
        if !is_back(store, record, &user)? {
            left.push(user);
        }
    }
    Ok(left)
}

fn is_back(store: &Overlay, record: &GroupRecord, user: &UserId) -> Result<bool, StoreError> {
    let own = record.rooms.iter().filter(|room| room.network == user.network());
    let listed: Result<Vec<bool>, _> =
        own.map(|room| listed::is_listed(store, room, user)).collect();
    Ok(listed?.contains(&true))
}
