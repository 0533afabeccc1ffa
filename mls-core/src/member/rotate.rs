//! Rotate: a commit with a path, which renews this device's keys in a group.

use super::commit::Changes;
use super::intents::{Stage, Step};
use super::{Command, Member};
use crate::store::StoreError;

impl Member {
    /// Commits an update, unless that is done.
    pub(super) fn step_rotate(&mut self, number: u64) -> Result<Step, StoreError> {
        let Some((Command::Rotate(group), stage)) =
            self.intents.get(&number).map(|i| (i.command.clone(), i.stage.clone()))
        else {
            return Ok(Step::Next);
        };
        if stage == Stage::Committed {
            return self.done(number, Some(group)).map(|()| Step::Next);
        }
        if !self.may_commit(&group) {
            return Ok(Step::Wait);
        }
        let Some(loaded) = self.take_group(&group)? else { return Ok(Step::Wait) };
        match self.commit(&group, loaded, Some(number), Changes::default())? {
            Ok(()) => Ok(Step::Wait),
            Err(error) => {
                let why = format!("the keys cannot be renewed: {error}");
                self.fail(number, why).map(|()| Step::Next)
            }
        }
    }
}
