//! What each step of a trace does to the world.

use mls_core::address::{Network, UserId};
use mls_core::content::encode_text;
use mls_core::hub;
use mls_core::member::{Command, CommandId, Input, MembersCommand, SendCommand};
use mls_core::store::Space;
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;

use crate::crash::{Armed, Node};
use crate::dice::Dice;
use crate::failure::{Failure, Rule};
use crate::step::{Device, Group, Step, User};
use crate::tell;
use crate::world::World;

/// The state of a device's groups, as opposed to what it knows about them.
const GROUP_STATE: [Space; 3] = ["group_state", "epoch", "journal"];
/// A long time begins with these seconds.
const BITS_S: [u64; 6] = [20, 20, 20, 20, 100, 300];
/// How often programs look for a newer list of revoked certificates.
const LOOK_AGAIN_S: u64 = 3600;

impl World {
    /// Does one step.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), Failure> {
        tell::step(self.now_ms, step);
        match step {
            Step::Create { device, matrix, xmpp } => {
                let (matrix, xmpp, name) = (*matrix, *xmpp, "Verona".to_owned());
                self.tell(*device, Command::CreateGroup(CreateRoom { matrix, xmpp, name }))
            }
            Step::Invite { device, group, users } => {
                self.tell_of_users(*device, *group, users, Command::Invite)
            }
            Step::Remove { device, group, user } => {
                self.tell_of_users(*device, *group, &[*user], Command::Remove)
            }
            Step::Leave { device, group } => self.tell_of(*device, *group, Command::Leave),
            Step::Rotate { device, group } => self.tell_of(*device, *group, Command::Rotate),
            Step::Rejoin { device, group } => self.tell_of(*device, *group, Command::Rejoin),
            Step::Send { device, group, count } => self.send(*device, *group, *count),
            Step::Operate { device, group, operation } => self.operate(*device, *group, *operation),
            Step::Answer { device, lets_in } => self.answer(*device, *lets_in),
            Step::Again { device, count } => self.again(*device, *count),
            Step::Authority { device, authority } => {
                self.authority.insert(*device, *authority);
                Ok(())
            }
            Step::LetIn { user, group } => self.let_in(*user, *group),
            Step::HubKeys => self.replace_hub_keys(),
            Step::Kick { user, group } => self.kick(*user, *group),
            Step::Oust { user, group } => self.oust(*user, *group),
            Step::Crash { node, after, crash } => {
                let armed = Some(Armed::new(*after, *crash));
                match node {
                    Node::Hub => self.hub.armed = armed,
                    Node::Device(device) => self.node(*device)?.armed = armed,
                }
                Ok(())
            }
            Step::Cut { device } => {
                self.figures.faults += 1;
                self.node(*device)?.connected = false;
                Ok(())
            }
            Step::Sleep { device } => {
                self.figures.faults += 1;
                self.node(*device)?.awake = false;
                Ok(())
            }
            Step::Back { device } => self.back(*device),
            Step::Part { matrix } => {
                self.figures.faults += 1;
                self.hub.parted.insert(network(*matrix));
                Ok(())
            }
            Step::Mend { matrix } => {
                self.hub.parted.remove(&network(*matrix));
                Ok(())
            }
            Step::Lose { device } => self.lose(*device),
            Step::Bury { device } => {
                self.figures.faults += 1;
                self.node(*device)?.buried = true;
                self.record.bury(*device);
                Ok(())
            }
            Step::Time { seconds } => self.wait(*seconds),
            Step::Work { count, seed, weather } => {
                self.record.swapped |= weather.swaps;
                let mut dice = Dice::new(*seed);
                for _ in 0..*count {
                    if !self.move_one(&mut dice, *weather)? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// A long time passes bit by bit, and what can move in it moves.
    fn wait(&mut self, seconds: u64) -> Result<(), Failure> {
        let mut left = seconds;
        for bit in BITS_S.into_iter().filter(|_| seconds > BITS_S.iter().sum()) {
            left -= bit;
            self.pass(bit)?;
            self.settle(&mut Dice::new(left))?;
        }
        self.pass(left)
    }

    /// Time passes; hub and devices that run notice.
    pub(crate) fn pass(&mut self, seconds: u64) -> Result<(), Failure> {
        self.now_ms += seconds * 1000;
        self.hub_takes(hub::Input::Tick)?;
        for device in 0..self.nodes.len() {
            if self.see(device)?.runs() {
                self.give(device, Input::Tick)?;
                if seconds >= LOOK_AGAIN_S {
                    self.give(device, Input::LookForRevocations)?;
                }
            }
        }
        Ok(())
    }

    /// The device has its connection, and its process runs.
    pub(crate) fn back(&mut self, device: Device) -> Result<(), Failure> {
        let node = self.node(device)?;
        (node.connected, node.awake) = (true, true);
        self.connect(device)
    }

    /// A new connection: first of all it finds out which rooms it is still in.
    pub(crate) fn connect(&mut self, device: Device) -> Result<(), Failure> {
        let node = self.see(device)?;
        if !node.online() {
            return Ok(());
        }
        let (user, entered) = (node.user(), node.entered.clone());
        let mut inputs = vec![Input::Connected, Input::LookForRevocations];
        for room in entered.into_iter().filter(|room| room.network == Network::Xmpp) {
            if self.rooms.get(&room).is_some_and(|known| known.inside.contains(&user)) {
                inputs.push(Input::RoomJoined(room));
            } else {
                self.node(device)?.entered.remove(&room);
                inputs.push(Input::RoomLeft(room));
            }
        }
        self.mailbox(device).account.extend(inputs);
        Ok(())
    }

    fn lose(&mut self, device: Device) -> Result<(), Failure> {
        if self.see(device)?.buried {
            return Ok(());
        }
        self.figures.faults += 1;
        self.see(device)?.disk.lose(&GROUP_STATE)?;
        self.record.lose(device);
        self.begin(device)
    }

    pub(crate) fn tell(&mut self, device: Device, command: Command) -> Result<(), Failure> {
        self.tell_all(device, vec![command])
    }

    fn tell_all(&mut self, device: Device, commands: Vec<Command>) -> Result<(), Failure> {
        if !self.see(device)?.runs() {
            return Ok(());
        }
        let mut given: Vec<(CommandId, Command)> = Vec::new();
        for command in commands {
            self.figures.operations += 1;
            let node = self.node(device)?;
            node.commands += 1;
            let id = format!("d{device}c{}", node.commands);
            let group = command.group().map(|group| self.ordinal(group));
            let rooms = group.and_then(|group| self.groups.get(group));
            let rooms = rooms.map(|(_, rooms)| rooms.clone()).unwrap_or_default();
            self.record.commanded(device, &id, &command, &rooms);
            given.push((id, command));
        }
        self.command(device, given)
    }

    fn tell_of(
        &mut self,
        device: Device,
        group: Group,
        command: impl Fn(GroupId) -> Command,
    ) -> Result<(), Failure> {
        match self.group(group) {
            Some(group) => self.tell(device, command(group)),
            None => Ok(()),
        }
    }

    fn tell_of_users(
        &mut self,
        device: Device,
        group: Group,
        users: &[User],
        command: impl Fn(MembersCommand) -> Command,
    ) -> Result<(), Failure> {
        let users: Vec<UserId> = users.iter().filter_map(|user| self.user(*user)).collect();
        self.tell_of(device, group, |group| command(MembersCommand { group, users: users.clone() }))
    }

    fn send(&mut self, device: Device, group: Group, count: usize) -> Result<(), Failure> {
        let Some(group) = self.group(group) else { return Ok(()) };
        let mut commands = Vec::new();
        for _ in 0..count {
            let node = self.node(device)?;
            node.texts += 1;
            let content = encode_text(&format!("d{device} {}", node.texts), [7; 16])
                .map_err(|error| Rule::NeverFails.broken(error.to_string()))?;
            commands.push(Command::Send(SendCommand { group: group.clone(), content }));
        }
        self.tell_all(device, commands)
    }

    fn kick(&mut self, user: User, group: Group) -> Result<(), Failure> {
        let Some(user) = self.user(user) else { return Ok(()) };
        if let Some(room) = self.room_of(group, user.network()) {
            self.figures.operations += 1;
            self.record.may_go(&user);
            self.put_out(&room, &user, None);
        }
        Ok(())
    }

    fn oust(&mut self, user: User, group: Group) -> Result<(), Failure> {
        let Some(user) = self.user(user) else { return Ok(()) };
        let other = network(user.network() == Network::Xmpp);
        let Some(room) = self.room_of(group, other) else { return Ok(()) };
        if self.rooms.get_mut(&room).is_some_and(|known| known.ghosts.remove(&user)) {
            self.figures.operations += 1;
            self.record.may_go(&user);
            self.tell_hub_of_list(&room, &user, false);
        }
        Ok(())
    }
}

fn network(matrix: bool) -> Network {
    if matrix { Network::Matrix } else { Network::Xmpp }
}
