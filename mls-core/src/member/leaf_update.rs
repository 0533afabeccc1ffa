//! Renewing the own leaf: before the first message, then each week or thousand messages.
//!
//! In a small group the first message waits for one update. In a large one, or after a lost
//! race, the message goes at once and the update follows within the hour, each member at its
//! own time by rank: twenty joiners must not race for twenty epochs.

use super::Member;
use super::loaded::Loaded;
use super::pending_proposals::rank;
use crate::policy::{
    BUSY_TREE_UPDATE_MS, LEAF_UPDATE_BEFORE_MESSAGE_MEMBERS_MAX, LEAF_UPDATE_MESSAGES,
    LEAF_UPDATE_MS, PATHLESS_UPDATE_MS,
};
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// Plans the next update after joining (`renewed` if that made a fresh leaf) or a commit.
    pub(super) fn plan_update(
        &mut self,
        group: &GroupId,
        loaded: &Loaded,
        renewed: bool,
    ) -> Result<(), StoreError> {
        let within_ms = if renewed { LEAF_UPDATE_MS } else { PATHLESS_UPDATE_MS };
        let due_ms = self.spread(loaded, within_ms);
        self.change_record(group, |record| {
            if renewed {
                record.update_before_message = false;
                record.update_due_ms = due_ms;
            } else {
                record.update_due_ms = record.update_due_ms.min(due_ms);
            }
        })
    }

    /// Plans the update of a leaf that is still the key package's.
    pub(super) fn plan_first_update(
        &mut self,
        group: &GroupId,
        loaded: &Loaded,
    ) -> Result<(), StoreError> {
        let due_ms = self.spread(loaded, LEAF_UPDATE_MS);
        self.change_record(group, |record| {
            record.update_before_message = true;
            record.update_due_ms = due_ms;
        })
    }

    /// A message wants to go while the leaf is not renewed: whether it must wait for a commit
    /// that was made now, or for the certificate of the key that this brings.
    pub(super) fn update_before_message(
        &mut self,
        group: &GroupId,
        loaded: Loaded,
    ) -> Result<Option<Loaded>, StoreError> {
        let Some(record) = self.record(group) else { return Ok(Some(loaded)) };
        if !record.update_before_message {
            return Ok(Some(loaded));
        }
        let small =
            loaded.group.roster().members_iter().count() <= LEAF_UPDATE_BEFORE_MESSAGE_MEMBERS_MAX;
        if small && record.attempts == 0 && self.may_commit(group) {
            if self.awaits_first_key(group) {
                self.give_back(group, loaded);
                return Ok(None);
            }
            let changes = self.update_changes(group)?;
            return match self.commit(group, loaded, None, changes)? {
                Ok(()) => Ok(None),
                Err(_) => {
                    self.defer_update(group)?;
                    self.take_group(group)
                }
            };
        }
        self.give_back(group, loaded);
        self.defer_update(group)?;
        self.take_group(group)
    }

    /// Lets messages go, and plans the update for some time within the hour.
    fn defer_update(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        let due_ms = self.spread(&loaded, BUSY_TREE_UPDATE_MS);
        self.give_back(group, loaded);
        self.change_record(group, |record| {
            record.update_before_message = false;
            record.update_due_ms = record.update_due_ms.min(due_ms);
        })
    }

    /// A message was sent: too many bring the update forward.
    pub(super) fn count_sent(
        &mut self,
        group: &GroupId,
        loaded: &Loaded,
    ) -> Result<(), StoreError> {
        if self.sent_since_update(group) != LEAF_UPDATE_MESSAGES {
            return Ok(());
        }
        let due_ms = self.spread(loaded, BUSY_TREE_UPDATE_MS);
        self.change_record(group, |record| record.update_due_ms = record.update_due_ms.min(due_ms))
    }

    /// Renews the leaf if its time has come. Whether a commit was made.
    pub(super) fn update_if_due(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let due = self.record(group).is_some_and(|r| r.update_due_ms <= self.now_ms);
        // The first one brings a key of the group's own.
        if !due || self.waits_for_first_key(group) || !self.may_commit(group) {
            return Ok(false);
        }
        match self.take_group(group)? {
            Some(loaded) => {
                let changes = self.update_changes(group)?;
                self.commit_now(group, loaded, changes)
            }
            None => Ok(false),
        }
    }

    /// Has the leaf renewed as soon as a commit may be made.
    pub(super) fn renew_now(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        self.touched.insert(group.clone());
        self.change_record(group, |record| record.update_due_ms = now_ms)
    }

    fn waits_for_first_key(&self, group: &GroupId) -> bool {
        let first = self.record(group).is_some_and(|record| record.update_before_message);
        first && self.awaits_first_key(group)
    }

    /// A time within `within_ms`, by rank: the first ranks early, the last at the end.
    fn spread(&self, loaded: &Loaded, within_ms: u64) -> u64 {
        let members = u64::try_from(loaded.group.roster().members_iter().count()).unwrap_or(1);
        let place = rank(loaded).unwrap_or_default().saturating_add(1);
        let share = within_ms.checked_div(members.max(1)).unwrap_or(within_ms);
        self.now_ms.saturating_add(share.saturating_mul(place).min(within_ms))
    }
}
