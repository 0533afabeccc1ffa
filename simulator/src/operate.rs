//! What an [`Operation`] does to the world, and what else people and the hub's keeper do.

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::member::{BranchCommand, Command, Input, MembersCommand};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::knock::DenyKnock;

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
            Operation::Knock => self.door_of(group, node.network()).map(Command::Knock),
            Operation::Branch(_) => self.branch(group, users),
            other => other.command(id.clone(), epoch.map_or(0, |summary| summary.epoch), users),
        };
        if operation == Operation::Certified(true) {
            self.record.asks_certificates = true;
        }
        if operation.shuts_out() {
            self.record.shut_out = true;
        }
        if matches!(operation, Operation::JoinPsk(Some(_))) {
            self.record.asks_psk = true;
        }
        command.map_or(Ok(()), |command| self.tell(device, command))
    }

    /// A branch of a group, in the networks that this is in.
    fn branch(&self, group: Group, users: Vec<UserId>) -> Option<Command> {
        let (parent, rooms) = self.groups.get(group).cloned()?;
        let on = |network| rooms.iter().any(|room| room.network == network);
        let (matrix, xmpp) = (on(Network::Matrix), on(Network::Xmpp));
        // A name of its own, so that rooms show which branch they are made for.
        let name = format!("Mantua {}", self.record.commands.len());
        let rooms = CreateRoom { matrix, xmpp, name };
        Some(Command::Branch(BranchCommand { parent, users, rooms }))
    }

    /// A room of the group at which an account of a network can knock.
    fn door_of(&self, group: Group, network: Network) -> Option<RoomAddress> {
        let (_, rooms) = self.groups.get(group)?;
        self.room_of(group, network).or_else(|| rooms.first().cloned())
    }

    /// Answers the knocks that a device has shown.
    pub(crate) fn answer(&mut self, device: Device, lets_in: bool) -> Result<(), Failure> {
        for (group, user) in self.record.take_knocks(device) {
            let command = if lets_in {
                Command::Invite(MembersCommand { group, users: vec![user] })
            } else {
                Command::DenyKnock(DenyKnock { group, user })
            };
            self.tell(device, command)?;
        }
        Ok(())
    }

    /// Gives the last commands of a device again, under the ids that they had.
    pub(crate) fn again(&mut self, device: Device, count: usize) -> Result<(), Failure> {
        if self.see(device)?.runs() {
            let commands = self.record.last_commands(device, count);
            self.figures.given_again += u64::try_from(commands.len()).unwrap_or(0);
            let inputs = commands.into_iter().map(|(id, command)| Input::Command(id, command));
            self.mailbox(device).account.extend(inputs);
        }
        Ok(())
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
    pub(crate) fn is_guest(&self, room: &RoomAddress, user: &UserId) -> bool {
        self.record.guests.contains(&(room.clone(), user.clone()))
    }
}
