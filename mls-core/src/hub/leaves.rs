//! How many leaves each account has in each group: so that a message or a request costs one
//! read, however large the group is.

use crate::address::UserId;
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const SPACE: Space = "leaf_count";
/// Accounts read from the database at once.
const PAGE: usize = 512;

/// The account's leaves in the group.
pub(super) fn count(store: &Overlay, group: &GroupId, user: &UserId) -> Result<u32, StoreError> {
    Ok(store.read(SPACE, &key(group, user))?.unwrap_or(0))
}

/// Sets the account's number of leaves.
pub(super) fn set(
    store: &Overlay,
    group: &GroupId,
    user: &UserId,
    count: u32,
) -> Result<(), StoreError> {
    match count {
        0 => store.delete(SPACE, &key(group, user)),
        _ => store.write(SPACE, &key(group, user), &count)?,
    }
    Ok(())
}

/// Every account with a leaf in the group.
pub(super) fn users(store: &Overlay, group: &GroupId) -> Result<Vec<UserId>, StoreError> {
    let mut users = Vec::new();
    let mut from = Vec::new();
    loop {
        let page = store.scan(SPACE, &group.0, &from, PAGE)?;
        for (key, _) in &page {
            let name = key.get(group.0.len()..).unwrap_or_default();
            users.extend(std::str::from_utf8(name).ok().and_then(|t| UserId::parse(t).ok()));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = [last.as_slice(), &[0]].concat(),
            _ => return Ok(users),
        }
    }
}

/// Group ids are all of one length ([`crate::policy::GROUP_ID_BYTES`]), so none is another's prefix.
fn key(group: &GroupId, user: &UserId) -> Vec<u8> {
    [group.0.as_slice(), user.as_str().as_bytes()].concat()
}
