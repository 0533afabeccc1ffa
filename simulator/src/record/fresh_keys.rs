//! Fresh signature keys in a group: whoever is told that it has one has another than before.

use mls_core::member::{Command, CommandDone};
use mls_core::wire::GroupId;

use super::Record;
use crate::failure::{Failure, Rule};
use crate::step::Device;

impl Record {
    /// The key in a device's own leaf, as it was last seen.
    pub(super) fn key_of(&self, device: Device, group: &GroupId) -> Option<Vec<u8>> {
        let followed = self.followed.get(&(device, group.clone()))?;
        followed.leaf(self.clients.get(device)).map(|(_, key)| key)
    }

    /// A command is done: if it was for a fresh key that was not seen yet, that is looked at next. In
    /// the group that follows another one everybody has its device's key first.
    pub(super) fn has_changed_key(&mut self, device: Device, done: &CommandDone) {
        let Some(given) = self.commands.get(&done.id) else { return };
        let Command::ChangeKey(group) = &given.command else { return };
        let Some(before) = given.key_before.clone() else { return };
        let same = self.key_of(device, group).as_ref() == Some(&before);
        if same && done.group.as_ref() == Some(group) {
            self.changing.push((device, group.clone(), before));
        }
    }

    /// The machine lost its power, and perhaps the fresh key with it.
    pub(crate) fn forgets_key(&mut self, device: Device) {
        self.changing.retain(|(of, ..)| *of != device);
    }

    /// The groups of a device are looked at.
    pub(crate) fn check_fresh_keys(&mut self, device: Device) -> Result<(), Failure> {
        let (now, later) =
            std::mem::take(&mut self.changing).into_iter().partition(|(of, ..)| *of == device);
        self.changing = later;
        let now: Vec<_> = now;
        for (device, group, before) in now {
            Rule::FreshKey.holds(self.key_of(device, &group) != Some(before), || {
                format!("d{device} was told that it has a fresh key, and has the one of before")
            })?;
        }
        Ok(())
    }
}
