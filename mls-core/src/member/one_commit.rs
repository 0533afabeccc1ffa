//! Commands that are one commit each: made when the group lets us, built anew after a lost race,
//! ended by its acceptance.

use super::Member;
use super::commit::Changes;
use super::intents::Step;
use super::loaded::Loaded;
use crate::store::StoreError;
use crate::wire::GroupId;

/// What a command wants of the group as it is now.
pub(super) enum Plan {
    /// This commit.
    Commit(Box<Changes>),
    /// What is pending, in a commit before it.
    PendingFirst,
    /// Nothing: it is so already.
    Done,
    /// It cannot be, for this reason.
    Fail(String),
}

impl Member {
    /// Takes such a command as far as it goes. `plan` is asked whenever a commit may be made.
    pub(super) fn step_one_commit(
        &mut self,
        number: u64,
        group: &GroupId,
        plan: impl FnOnce(&Loaded) -> Plan,
    ) -> Result<Step, StoreError> {
        if !self.may_commit(group) {
            return Ok(Step::Wait);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(Step::Wait) };
        match plan(&loaded) {
            Plan::Commit(changes) => match self.commit(group, loaded, Some(number), *changes)? {
                Ok(()) => Ok(Step::Wait),
                Err(error) => {
                    let why = format!("the commit cannot be made: {error}");
                    self.fail(number, why).map(|()| Step::Next)
                }
            },
            Plan::PendingFirst => self.commit_pending(group, loaded).map(|_| Step::Wait),
            Plan::Done => {
                self.give_back(group, loaded);
                self.done(number, Some(group.clone())).map(|()| Step::Next)
            }
            Plan::Fail(why) => {
                self.give_back(group, loaded);
                self.fail(number, why).map(|()| Step::Next)
            }
        }
    }
}
