//! Remove: all devices of some users, by one commit.

use super::commit::Changes;
use super::intents::{Stage, Step};
use super::loaded::Loaded;
use super::pending_proposals::leaves_to_remove;
use super::{Command, Member};
use crate::address::UserId;
use crate::identity::client_id;
use crate::store::StoreError;

impl Member {
    /// Removes the users that are still in the group.
    pub(super) fn step_remove(&mut self, number: u64) -> Result<Step, StoreError> {
        let Some((Command::Remove(command), stage)) =
            self.intents.get(&number).map(|i| (i.command.clone(), i.stage.clone()))
        else {
            return Ok(Step::Next);
        };
        let group = command.group;
        if command.users.contains(&self.client.user()) {
            let why = "you cannot remove yourself: leave the group instead";
            return self.fail(number, why).map(|()| Step::Next);
        }
        let Some(loaded) = self.take_group(&group)? else { return Ok(Step::Wait) };
        let leaves = leaves_of(&loaded, &command.users);
        if leaves.is_empty() {
            self.give_back(&group, loaded);
            return if stage == Stage::Waiting {
                self.fail(number, "none of them is in the group").map(|()| Step::Next)
            } else {
                self.done(number, Some(group)).map(|()| Step::Next)
            };
        }
        if !self.may_commit(&group) {
            self.give_back(&group, loaded);
            return Ok(Step::Wait);
        }
        // Once begun, nobody left to remove means that it is done, whoever did it.
        self.set_stage(number, Stage::Asked)?;
        // The commit covers pending Removes anyhow; the same leaf twice would not be valid.
        let pending = leaves_to_remove(&loaded);
        let remove = leaves.into_iter().filter(|leaf| !pending.contains(leaf)).collect();
        let changes = Changes { remove, ..Changes::default() };
        match self.commit(&group, loaded, Some(number), changes)? {
            Ok(()) => Ok(Step::Wait),
            Err(error) => {
                let why = format!("they cannot be removed: {error}");
                self.fail(number, why).map(|()| Step::Next)
            }
        }
    }
}

/// The leaves of these users.
pub(super) fn leaves_of(loaded: &Loaded, users: &[UserId]) -> Vec<u32> {
    let named = |member: &mls_rs::group::Member| {
        client_id(&member.signing_identity).is_ok_and(|client| users.contains(&client.user()))
    };
    loaded.group.roster().members_iter().filter(named).map(|member| member.index).collect()
}
