//! ChangeSettings: an admin's GroupContextExtensions, by value (RFC 9420 12.1.7).

use super::Member;
use super::command::SettingsCommand;
use super::commit::Changes;
use super::intents::Step;
use super::loaded::Loaded;
use super::one_commit::Plan;
use super::psks::who_lacks;
use crate::bridge_group::BridgeGroup;
use crate::store::StoreError;

impl Member {
    /// Commits the change, unless the settings are so already.
    pub(super) fn step_change_settings(
        &mut self,
        number: u64,
        command: &SettingsCommand,
    ) -> Result<Step, StoreError> {
        self.step_one_commit(number, &command.group, |loaded| plan(loaded, command))
    }
}

fn plan(loaded: &Loaded, command: &SettingsCommand) -> Plan {
    let mut extensions = loaded.group.context().extensions.clone();
    let before = match BridgeGroup::from_extensions(&extensions) {
        Ok(before) => before,
        Err(error) => return Plan::Fail(error.to_string()),
    };
    let after = command.settings.applied_to(&before);
    if after == before {
        return Plan::Done;
    }
    // An external commit with a PSK shuts out who lacks it.
    if after.join_psk != before.join_psk
        && !after.join_psk.is_empty()
        && let Some(why) = who_lacks(loaded, &after.join_psk)
    {
        return Plan::Fail(why);
    }
    match extensions.set_from(after) {
        Ok(()) => {
            Plan::Commit(Box::new(Changes { context: Some(extensions), ..Changes::default() }))
        }
        Err(error) => Plan::Fail(error.to_string()),
    }
}
