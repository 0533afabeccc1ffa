//! Groups that this device is out of, and for how long it still knows of them.
//!
//! The record of a group stays as long as the log of its membership does, for whatever still names it. Others can
//! make new groups with this device, and remove it, as often as they like: of more than [`GONE_GROUPS_MAX`] the
//! first go.

use std::collections::BTreeMap;

use super::Member;
use super::group_record::State;
use crate::limits::GONE_GROUPS_MAX;
use crate::overlay::decode;
use crate::policy::MEMBERSHIP_LOG_KEEP_MS;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Since when this device is out of each group.
const GONE: Space = "gone_since";

/// Groups that are forgotten at once; the others go with the next minutes.
const FORGOTTEN_AT_ONCE: usize = 16;

impl Member {
    /// Forgets the groups that this device has been out of for long, and the first of too many.
    pub(super) fn forget_gone_groups(&mut self) -> Result<(), StoreError> {
        let mut since = self.gone_since()?;
        for group in self.groups.values().filter(|record| record.state == State::Gone) {
            let since_ms = since.remove(&group.group);
            if since_ms.is_none() {
                self.overlay.write(GONE, &group.group.0, &self.now_ms)?;
            }
        }
        // It is in these again.
        since.keys().for_each(|group| self.overlay.delete(GONE, &group.0));
        let over = over(self.gone_since()?, self.now_ms);
        over.iter().try_for_each(|group| self.forget_gone_group(group))
    }

    fn gone_since(&self) -> Result<BTreeMap<GroupId, u64>, StoreError> {
        let mut since = BTreeMap::new();
        self.overlay.each(GONE, &[], |group, since_ms| {
            since.insert(GroupId(group.to_vec()), decode(GONE, since_ms)?);
            Ok(true)
        })?;
        Ok(since)
    }

    fn forget_gone_group(&mut self, group: &GroupId) -> Result<(), StoreError> {
        if self.intents.values().any(|intent| intent.group() == Some(group)) {
            return Ok(());
        }
        let room = self.own_room(group);
        self.delete_secrets(group)?;
        self.forget_keys(group);
        self.forget_membership(group)?;
        self.forget_left_by_wish(group);
        self.delete_record(group);
        self.overlay.delete(GONE, &group.0);
        room.map_or(Ok(()), |room| self.forget_left_room(&room))
    }
}

/// The groups whose time is over, and the first of too many.
fn over(since: BTreeMap<GroupId, u64>, now_ms: u64) -> Vec<GroupId> {
    let mut gone: Vec<_> = since.into_iter().map(|(group, since_ms)| (since_ms, group)).collect();
    gone.sort_unstable();
    let too_many = gone.len().saturating_sub(GONE_GROUPS_MAX);
    let old = |since_ms: u64| now_ms.saturating_sub(since_ms) >= MEMBERSHIP_LOG_KEEP_MS;
    let over =
        gone.into_iter().enumerate().filter(|(i, (since_ms, _))| *i < too_many || old(*since_ms));
    over.map(|(_, (_, group))| group).take(FORGOTTEN_AT_ONCE).collect()
}

#[cfg(test)]
#[test]
fn of_too_many_groups_the_first_go_and_of_few_those_of_a_year_ago() {
    let group = |number: usize| GroupId(number.to_be_bytes().to_vec());
    let many = (0..GONE_GROUPS_MAX + 2).map(|i| (group(i), u64::try_from(i).unwrap())).collect();
    assert_eq!(over(many, 5000), [group(0), group(1)]);
    let more = (0..2 * GONE_GROUPS_MAX).map(|i| (group(i), 0)).collect();
    assert_eq!(over(more, 1).len(), FORGOTTEN_AT_ONCE);
    let few = [(group(0), 7), (group(1), 8)].into_iter().collect();
    assert_eq!(over(few, MEMBERSHIP_LOG_KEEP_MS + 7), [group(0)]);
}
