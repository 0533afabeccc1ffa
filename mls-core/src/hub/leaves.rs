//! How many leaves each account has in each group: so that a message or a request costs one
//! read, however large the group is.

use crate::address::UserId;
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const SPACE: Space = "leaf_count";
/// The other way round: the groups in which an account has a leaf.
const GROUPS: Space = "groups_of_user";
/// The seq of the commit that removed an account's last leaf.
const GONE: Space = "gone_at";
/// Accounts read from the database at once.
const PAGE: usize = 512;
/// Groups of one account that are looked at for one request.
const GROUPS_READ_MAX: usize = 1000;

/// The account's leaves in the group.
pub(super) fn count(store: &Overlay, group: &GroupId, user: &UserId) -> Result<u32, StoreError> {
    Ok(store.read(SPACE, &key(group, user))?.unwrap_or(0))
}

/// Sets the account's number of leaves, after the handshake `seq`.
pub(super) fn set(
    store: &Overlay,
    group: &GroupId,
    user: &UserId,
    count: u32,
    seq: u64,
) -> Result<(), StoreError> {
    if count == 0 {
        store.delete(SPACE, &key(group, user));
        store.delete(GROUPS, &group_key(user, group));
        store.write(GONE, &key(group, user), &seq)?;
    } else {
        store.write(SPACE, &key(group, user), &count)?;
        store.put(GROUPS, &group_key(user, group), Vec::new());
        store.delete(GONE, &key(group, user));
    }
    Ok(())
}

/// The seq of the commit after which the account had no leaf any more, if it ever had one.
pub(super) fn gone_at(
    store: &Overlay,
    group: &GroupId,
    user: &UserId,
) -> Result<Option<u64>, StoreError> {
    store.read(GONE, &key(group, user))
}

/// The groups in which the account has a leaf, within a bound.
pub(super) fn groups(store: &Overlay, user: &UserId) -> Result<Vec<GroupId>, StoreError> {
    groups_page(store, user, b"", GROUPS_READ_MAX)
}

/// All of them.
pub(super) fn all_groups(store: &Overlay, user: &UserId) -> Result<Vec<GroupId>, StoreError> {
    let mut groups: Vec<GroupId> = Vec::new();
    loop {
        let last = groups.last().map(|group| [group_key(user, group).as_slice(), &[0]].concat());
        let page = groups_page(store, user, &last.unwrap_or_default(), PAGE)?;
        let ended = page.len() < PAGE;
        groups.extend(page);
        if ended {
            return Ok(groups);
        }
    }
}

fn groups_page(
    store: &Overlay,
    user: &UserId,
    from: &[u8],
    limit: usize,
) -> Result<Vec<GroupId>, StoreError> {
    let prefix = group_key(user, &GroupId::none());
    let found = store.scan(GROUPS, &prefix, from, limit)?;
    let id = |key: &[u8]| GroupId(key.get(prefix.len()..).unwrap_or_default().to_vec());
    Ok(found.iter().map(|(key, _)| id(key)).collect())
}

/// Every account with a leaf in the group.
pub(super) fn users(store: &Overlay, group: &GroupId) -> Result<Vec<UserId>, StoreError> {
    let mut users = Vec::new();
    store.each(SPACE, &group.0, |key, _| {
        let name = key.get(group.0.len()..).unwrap_or_default();
        users.extend(std::str::from_utf8(name).ok().and_then(|t| UserId::parse(t).ok()));
        Ok(true)
    })?;
    Ok(users)
}

/// Group ids are all of one length ([`crate::policy::GROUP_ID_BYTES`]), so none is another's prefix.
fn key(group: &GroupId, user: &UserId) -> Vec<u8> {
    [group.0.as_slice(), user.as_str().as_bytes()].concat()
}

/// No account's name holds a zero byte.
fn group_key(user: &UserId, group: &GroupId) -> Vec<u8> {
    [user.as_str().as_bytes(), &[0], &group.0].concat()
}
