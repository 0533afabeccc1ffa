//! Who may come into a group, and who may go out: by whose word.

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::hub::MakeRooms;
use mls_core::member::{Command, CommandId, EpochEvent, KnockedEvent, Wish};
use mls_core::policy::{LEAF_IDLE_MS, LEAF_LIFETIME_LEFT_MS};
use mls_core::wire::GroupId;

use super::{Given, Record};
use crate::failure::{Failure, Rule};
use crate::step::Device;

/// A leaf, as far as others see when it was renewed.
pub(crate) struct Leaf {
    key: Vec<u8>,
    /// When its certificate ends, in seconds since 1970; 0 without one.
    until_s: u64,
    /// Since when it is so, at the earliest.
    since_ms: u64,
}

impl Record {
    /// Rooms are made: who made them may come into their group, and whom it wanted there if that is a branch.
    pub(crate) fn may_come(&mut self, room: &RoomAddress, make: &MakeRooms) {
        let of_branch = |given: &Given| match &given.command {
            Command::Branch(branch) if branch.rooms == make.rooms => Some(branch.users.clone()),
            _ => None,
        };
        let wanted = self.commands.values().find_map(of_branch).unwrap_or_default();
        let all = wanted.into_iter().chain([make.creator.clone()]);
        self.let_in.extend(all.map(|user| (room.clone(), user)));
    }

    /// Somebody may be put out of groups from now on.
    pub(crate) fn may_go(&mut self, user: &UserId) {
        self.put_out.insert(user.clone());
    }

    /// What a command says of who comes and goes.
    pub(super) fn note_wish(&mut self, device: Device, command: &Command, rooms: &[RoomAddress]) {
        let own = self.clients.get(device).map(ClientId::user);
        match command {
            Command::Knock(_) => self.knocked.extend(own),
            Command::DenyKnock(deny) => {
                self.denied.insert(deny.user.clone());
            }
            Command::Leave(_) => self.put_out.extend(own),
            Command::Remove(remove) => self.put_out.extend(remove.users.iter().cloned()),
            Command::Invite(invite) => self.note_invited(rooms, &invite.users),
            Command::Propose(propose) => match &propose.wish {
                Wish::Add(users) => self.note_invited(rooms, users),
                Wish::Remove(users) => self.put_out.extend(users.iter().cloned()),
                Wish::Update => {}
            },
            _ => {}
        }
    }

    fn note_invited(&mut self, rooms: &[RoomAddress], users: &[UserId]) {
        let all =
            rooms.iter().flat_map(|room| users.iter().map(|user| (room.clone(), user.clone())));
        self.let_in.extend(all);
    }

    /// Whether anybody let an account into a group of these rooms.
    pub(crate) fn was_let_in(&self, rooms: &[RoomAddress], user: &UserId) -> bool {
        rooms.iter().any(|room| {
            let place = (room.clone(), user.clone());
            self.let_in.contains(&place) || self.guests.contains(&place)
        })
    }

    /// A device shows that somebody knocks.
    pub(super) fn shows_knock(
        &mut self,
        device: Device,
        event: KnockedEvent,
    ) -> Result<(), Failure> {
        let KnockedEvent { group, user } = event;
        Rule::NoFalseAlarm.holds(self.knocked.contains(&user), || {
            format!("d{device} is told that {user} knocks, who did not")
        })?;
        self.knocks.entry(device).or_default().push((group, user));
        Ok(())
    }

    /// A device is told that it is not let in.
    pub(super) fn is_denied(&self, device: Device) -> Result<(), Failure> {
        let denied = self.clients.get(device).is_some_and(|c| self.denied.contains(&c.user()));
        Rule::NoFalseAlarm.holds(denied, || {
            format!("d{device} is told that an admin denied its knock, and none did")
        })
    }

    /// The knocks that a device has shown and that its user has not answered.
    pub(crate) fn take_knocks(&mut self, device: Device) -> Vec<(GroupId, UserId)> {
        self.knocks.remove(&device).unwrap_or_default()
    }

    /// The last commands of a device of which it is promised that they are done once, in their order.
    pub(crate) fn last_commands(&self, device: Device, count: usize) -> Vec<(CommandId, Command)> {
        let of_device = self.commands.iter().filter(|(_, given)| given.device == device);
        let mut own: Vec<_> = of_device.filter(|(_, given)| !given.unanswered).collect();
        own.sort_by_key(|(_, given)| given.number);
        let last = own.split_off(own.len().saturating_sub(count));
        last.into_iter().map(|(id, given)| (id.clone(), given.command.clone())).collect()
    }

    /// How a leaf stands in a group.
    pub(super) fn sees_leaf(
        &mut self,
        group: &GroupId,
        client: &ClientId,
        key: &[u8],
        until_s: u64,
        now_ms: u64,
    ) {
        let leaf = Leaf { key: key.to_vec(), until_s, since_ms: now_ms };
        let known = self.leaves.entry((group.clone(), client.clone())).or_insert(leaf);
        if known.key != key || known.until_s < until_s {
            *known = Leaf { key: key.to_vec(), until_s, since_ms: now_ms };
        }
    }

    /// A commit was applied: nobody goes without a cause, which is somebody's word, or the policy's time.
    pub(super) fn check_going(&mut self, event: &EpochEvent, at_ms: u64) -> Result<(), Failure> {
        self.added.extend(event.added.iter().map(|client| (event.group.clone(), client.clone())));
        let gone = event.removed.iter().filter(|client| !event.added.contains(client));
        for client in gone {
            let place = (event.group.clone(), client.clone());
            let over = self.leaves.get(&place).is_none_or(|leaf| self.is_over(leaf, at_ms));
            Rule::NobodyGoesEarly.holds(over || self.put_out.contains(&client.user()), || {
                format!("{client} was put out in epoch {}, and nobody wanted that", event.epoch)
            })?;
            self.leaves.remove(&place);
        }
        Ok(())
    }

    /// Whether a leaf may go by itself: it was not renewed, or its certificate, or its key package, is about
    /// to end.
    fn is_over(&self, leaf: &Leaf, at_ms: u64) -> bool {
        let end_ms = leaf.until_s.saturating_mul(1000).saturating_sub(LEAF_LIFETIME_LEFT_MS);
        let certified = self.asks_certificates && end_ms <= at_ms;
        certified
            || leaf.since_ms.saturating_add(LEAF_IDLE_MS) <= at_ms
            || self.begins.at_ms().saturating_add(LEAF_IDLE_MS) <= at_ms
    }
}
