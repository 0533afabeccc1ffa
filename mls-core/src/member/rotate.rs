//! Rotate: a commit with a path, which renews this device's keys in a group.

use super::Member;
use super::intents::Step;
use super::one_commit::Plan;
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// Commits an update, unless that is done.
    pub(super) fn step_rotate(&mut self, number: u64, group: &GroupId) -> Result<Step, StoreError> {
        let changes = self.update_changes(group)?;
        self.step_one_commit(number, group, |_| Plan::Commit(Box::new(changes)))
    }
}
