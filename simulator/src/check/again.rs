//! Commands that were given again, or that a room took back, are done once.

use mls_core::member::Command;

use crate::failure::{Failure, Rule};
use crate::world::World;

impl World {
    pub(super) fn check_again(&self) -> Result<(), Failure> {
        let makes = |command: &Command| {
            let follows = matches!(command, Command::ReInit(_) | Command::Restart(_));
            follows || matches!(command, Command::CreateGroup(_) | Command::Branch(_))
        };
        let wanted = self.record.commands.values().filter(|given| makes(&given.command)).count();
        Rule::DoneOnce.holds(self.groups.len() <= wanted, || {
            format!("{wanted} commands have made {} groups", self.groups.len())
        })?;
        for device in (0..self.nodes.len()).filter(|device| self.counts(*device)) {
            let often = self.record.done_too_often(device);
            Rule::DoneOnce.holds(often.is_none(), || {
                format!(
                    "d{device} was told more often that {often:?} is done than it was taken back"
                )
            })?;
            let Some(left) = self.record.not_done_again(device) else { continue };
            let excused = self.waits_for_ever(device, &left.command)? || self.is_shut_out(device);
            Rule::DoneOnce.holds(excused, || {
                format!("{:?} of d{device} was taken back and not done again", left.command)
            })?;
        }
        Ok(())
    }
}
