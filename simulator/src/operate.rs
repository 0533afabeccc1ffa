//! What an [`Operation`] does to the world, and what else people and the hub's keeper do.

use mls_core::address::RoomAddress;
use mls_core::member::Command;

use crate::failure::Failure;
use crate::operation::Operation;
use crate::step::{Device, Group, User};
use crate::world::World;

impl World {
    /// A device's user wants something of a group.
    pub(crate) fn operate(
        &mut self,
        device: Device,
        group: Group,
        operation: Operation,
    ) -> Result<(), Failure> {
        let Some(id) = self.group(group) else { return Ok(()) };
        let node = self.see(device)?;
        let epoch = node.member.groups()?.into_iter().find(|summary| summary.group == id);
        let users = operation.user().and_then(|user| self.user(user)).into_iter().collect();
        let command = match operation {
            Operation::Join => self.room_of(group, node.network()).map(Command::Join),
            other => other.command(id.clone(), epoch.map_or(0, |summary| summary.epoch), users),
        };
        if operation.shuts_out() {
            self.record.shut_out = true;
        }
        if matches!(operation, Operation::JoinPsk(Some(_))) {
            self.record.asks_psk = true;
        }
        command.map_or(Ok(()), |command| self.tell(device, command))
    }

    /// Somebody invites an account into the group's room on its network, and it comes.
    pub(crate) fn let_in(&mut self, user: User, group: Group) -> Result<(), Failure> {
        let Some(user) = self.user(user) else { return Ok(()) };
        let Some(room) = self.room_of(group, user.network()) else { return Ok(()) };
        self.figures.operations += 1;
        self.record.guests.insert((room.clone(), user.clone()));
        self.admit(&room, &user);
        Ok(())
    }

    /// As `mls-bridge replace-keys` does while the hub stands still.
    pub(crate) fn replace_hub_keys(&mut self) -> Result<(), Failure> {
        self.figures.operations += 1;
        let writes = self.hub.hub.replace_keys()?;
        self.hub.disk.commit(writes);
        self.hub.disk.sync();
        self.restart_hub()
    }

    /// Whether somebody let accounts into a room who need not be in its group.
    pub(crate) fn is_guest(&self, room: &RoomAddress, user: &mls_core::address::UserId) -> bool {
        self.record.guests.contains(&(room.clone(), user.clone()))
    }
}
