//! A group in one network that its room orders, whose room can be cut into parts.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::bridge_group::Order;
use mls_core::door;
use mls_core::group_settings::Settings;
use mls_core::member::{Command, Event, Input, SettingsCommand};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;

use crate::network::{START_MS, Task, World};

pub(crate) const DEVICES: [(&str, &str); 4] = [
    ("@alice:a.org", "PHONE"),
    ("@bob:a.org", "DESK"),
    ("@carol:a.org", "TABLET"),
    ("@dave:a.org", "WATCH"),
];

/// What the parts of the room keep from each other.
#[derive(Default)]
struct Cut {
    /// The part of each node; equal parts hear each other.
    parts: Vec<usize>,
    held: Vec<(usize, Input)>,
    /// Whether the hub is heard.
    hub: bool,
    /// Whether all that is on its way comes.
    through: bool,
}

/// The world, the group, and what cuts its room.
pub(crate) struct Room {
    pub(crate) world: World,
    pub(crate) group: GroupId,
    cut: Rc<RefCell<Cut>>,
}

impl Room {
    /// The first `count` devices in a group that its room orders; from here on the hub is gone.
    pub(crate) fn new(count: usize) -> Self {
        Self::new_at(START_MS, count)
    }

    pub(crate) fn new_at(now_ms: u64, count: usize) -> Self {
        let (mut world, group) = one_network_at(now_ms, count);
        let id = order_by_room(&mut world, 0, &group);
        world.run();
        world.assert_done(0, &id);
        let cut = Rc::new(RefCell::new(Cut::default()));
        let (cutting, users) =
            (Rc::clone(&cut), (0..count).map(|i| world.user(i)).collect::<Vec<_>>());
        world.tamper = Box::new(move |index, input| {
            let mut cut = cutting.borrow_mut();
            if cut.through {
                return true;
            }
            let Input::Message(message) = &*input else {
                return cut.hub || !matches!(input, Input::Answer(..) | Input::Notice(_));
            };
            let sender = users.iter().position(|user| Some(user) == message.sender.as_ref());
            let hears = sender.is_none_or(|sender| {
                cut.parts.is_empty() || cut.parts.get(sender) == cut.parts.get(index)
            });
            if !hears {
                cut.held.push((index, input.clone()));
            }
            hears
        });
        Self { world, group, cut }
    }

    /// Cuts the room: who has the same number hears each other.
    pub(crate) fn cut(&mut self, parts: &[usize]) {
        self.cut.borrow_mut().parts = parts.to_vec();
    }

    /// The hub answers again.
    pub(crate) fn hub_is_back(&mut self) {
        self.cut.borrow_mut().hub = true;
    }

    /// The parts hear each other again, and what was held comes in an order drawn from the seed.
    pub(crate) fn heal(&mut self, seed: u64) {
        let held = {
            let mut cut = self.cut.borrow_mut();
            cut.parts.clear();
            std::mem::take(&mut cut.held)
        };
        self.world
            .queue
            .extend(held.into_iter().map(|(index, input)| Task::ToMember(index, input)));
        let before = self.world.shuffled.replace(seed);
        self.world.run();
        self.world.shuffled = before;
    }

    /// A node hears what its part kept from it of one sender: the commits, the last first, or all else.
    pub(crate) fn hear(&mut self, index: usize, sender: usize, commits: bool) {
        let (user, group) = (self.world.user(sender), self.group.clone());
        let suite = self.world.nodes[index].member.groups().unwrap()[0].suite;
        let wanted = |(to, input): &mut (usize, Input)| match input {
            Input::Message(message) => {
                let commit = door::commit_from_room(&message.message, &group, suite.into());
                *to == index
                    && message.sender.as_ref() == Some(&user)
                    && commit.unwrap().is_some() == commits
            }
            _ => false,
        };
        let mut heard: Vec<_> = self.cut.borrow_mut().held.extract_if(.., wanted).collect();
        if commits {
            heard.reverse();
        }
        for (index, input) in heard {
            self.world.queue.push_back(Task::ToMember(index, input));
        }
        self.cut.borrow_mut().through = true;
        self.world.run();
        self.cut.borrow_mut().through = false;
    }

    /// What was kept from the first node of what a sender said.
    pub(crate) fn held(&self, sender: usize) -> Vec<Input> {
        let user = self.world.user(sender);
        let of_sender = |input: &&Input| match input {
            Input::Message(message) => message.sender.as_ref() == Some(&user),
            _ => false,
        };
        let cut = self.cut.borrow();
        let to_first = cut.held.iter().filter(|(index, _)| *index == 0);
        to_first.map(|(_, input)| input).filter(of_sender).cloned().collect()
    }

    pub(crate) fn rotate(&mut self, index: usize) -> String {
        self.world.command(index, Command::Rotate(self.group.clone()))
    }

    pub(crate) fn say(&mut self, index: usize, text: &str) -> String {
        let group = self.group.clone();
        self.world.say(index, &group, text)
    }

    pub(crate) fn epoch(&self, index: usize) -> u64 {
        self.world.epoch(index, &self.group).unwrap()
    }

    /// What two members have in common only if they are in the same state.
    pub(crate) fn state(&mut self, index: usize) -> (u64, Vec<u8>) {
        let member = &mut self.world.nodes[index].member;
        let (epoch, secret) = member.epoch_authenticator(&self.group).unwrap().unwrap();
        (epoch, secret.to_vec())
    }

    /// All these are in one state.
    pub(crate) fn assert_agree(&mut self, members: &[usize]) {
        self.world.assert_agree(&self.group, members);
        let first = self.state(members[0]);
        for member in members {
            assert_eq!(self.state(*member), first, "{member} is in another state");
        }
    }

    pub(crate) fn rewound(&self, index: usize) -> usize {
        self.world.count(index, |event| matches!(event, Event::Rewound(_)))
    }
}

/// A group of the first in a Matrix room only, into which it invited all others.
pub(crate) fn one_network(count: usize) -> (World, GroupId) {
    one_network_at(START_MS, count)
}

fn one_network_at(now_ms: u64, count: usize) -> (World, GroupId) {
    let mut world = World::new_at(now_ms, &DEVICES[..count]);
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Verona".to_owned() };
    let id = world.command(0, Command::CreateGroup(rooms));
    world.run();
    let group = match world.result(0, &id) {
        Some(Event::CommandDone(done)) => done.group.clone().unwrap(),
        other => panic!("no group was made: {other:?}"),
    };
    if count > 1 {
        world.invite_all(0, &group);
    }
    world.pass(2);
    (world, group)
}

/// Hands a group over to its room.
pub(crate) fn order_by_room(world: &mut World, index: usize, group: &GroupId) -> String {
    let settings = Settings { order: Some(Order::Room), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    world.command(index, Command::ChangeSettings(command))
}
