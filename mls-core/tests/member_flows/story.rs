//! What a test says: short words for commands, and questions about what members saw.

use mls_core::content::{Content, decode, encode_text};
use mls_core::member::{Command, Event, MembersCommand, MessageEvent, SendCommand};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;

use crate::network::World;

pub(crate) const ALICE: (&str, &str) = ("@alice:a.org", "PHONE");
pub(crate) const ALICE_LAPTOP: (&str, &str) = ("@alice:a.org", "LAPTOP");
pub(crate) const BOB: (&str, &str) = ("@bob:a.org", "DESK");
pub(crate) const JULIET: (&str, &str) = ("juliet@x.org", "0011223344556677");
pub(crate) const ROMEO: (&str, &str) = ("romeo@x.org", "8899aabbccddeeff");

/// Alice with two devices, Bob and Juliet, in one group, at the time that the machine shows: where a
/// group is made with everybody at once, the engine looks at that.
pub(crate) fn four() -> (World, GroupId) {
    let mut world = World::new_at(today_ms(), &[ALICE, ALICE_LAPTOP, BOB, JULIET]);
    let group = world.found(0);
    let users = [0, 2, 3].map(|index| world.user(index)).to_vec();
    let invite = world.invite(0, &group, users);
    world.run();
    world.assert_done(0, &invite);
    world.assert_agree(&group, &[0, 1, 2, 3]);
    (world, group)
}

pub(crate) fn today_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "what is tested looks at it, too")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

impl World {
    /// Node 0 makes a group in both networks and invites all other accounts; all is at rest.
    pub(crate) fn group(devices: &[(&str, &str)]) -> (Self, GroupId) {
        let mut world = Self::new(devices);
        let group = world.found(0);
        world.invite_all(0, &group);
        (world, group)
    }

    /// These devices, and a group of the first in both networks, into which it invited `others` only.
    pub(crate) fn group_with(devices: &[(&str, &str)], others: &[usize]) -> (Self, GroupId) {
        let mut world = Self::new(devices);
        let group = world.found(0);
        let users = others.iter().map(|index| world.user(*index)).collect();
        let invite = world.invite(0, &group, users);
        world.run();
        world.assert_done(0, &invite);
        (world, group)
    }

    /// Makes a group in both networks.
    pub(crate) fn found(&mut self, index: usize) -> GroupId {
        let rooms = CreateRoom { matrix: true, xmpp: true, name: "Verona".to_owned() };
        let id = self.command(index, Command::CreateGroup(rooms));
        self.run();
        self.group_of(index, &id)
    }

    /// Invites everybody else.
    pub(crate) fn invite_all(&mut self, index: usize, group: &GroupId) {
        let own = self.user(index);
        let mut users: Vec<_> = (0..self.nodes.len()).map(|i| self.user(i)).collect();
        users.retain(|user| *user != own);
        users.dedup();
        let id = self.invite(index, group, users);
        self.run();
        self.assert_done(index, &id);
    }

    pub(crate) fn invite(
        &mut self,
        index: usize,
        group: &GroupId,
        users: Vec<mls_core::address::UserId>,
    ) -> String {
        self.command(index, Command::Invite(MembersCommand { group: group.clone(), users }))
    }

    pub(crate) fn remove(&mut self, index: usize, group: &GroupId, other: usize) -> String {
        let users = vec![self.user(other)];
        self.command(index, Command::Remove(MembersCommand { group: group.clone(), users }))
    }

    pub(crate) fn say(&mut self, index: usize, group: &GroupId, text: &str) -> String {
        let content = encode_text(text, [7; 16]).unwrap();
        self.command(index, Command::Send(SendCommand { group: group.clone(), content }))
    }

    /// The result of a command, exactly one or none yet.
    pub(crate) fn result(&self, index: usize, id: &str) -> Option<&Event> {
        let results: Vec<_> = self.nodes[index]
            .events
            .iter()
            .filter(|event| match event {
                Event::CommandDone(done) => done.id == id,
                Event::CommandFailed(failed) => failed.id == id,
                _ => false,
            })
            .collect();
        assert!(results.len() <= 1, "{id} ended more than once: {results:?}");
        results.first().copied()
    }

    pub(crate) fn assert_done(&self, index: usize, id: &str) {
        let result = self.result(index, id);
        assert!(
            matches!(result, Some(Event::CommandDone(_))),
            "{id} of {index} is not done but {result:?}; events: {:#?}",
            self.nodes[index].events
        );
    }

    /// The group that a command made or changed.
    pub(crate) fn group_of(&self, index: usize, id: &str) -> GroupId {
        match self.result(index, id) {
            Some(Event::CommandDone(done)) => done.group.clone().unwrap(),
            other => panic!("{id} of {index}: {other:?}; {:?}", self.warnings(index)),
        }
    }

    /// Each of these members heard this once.
    pub(crate) fn assert_heard(&self, members: &[usize], text: &str) {
        for index in members {
            let heard = self.heard(*index);
            let times = heard.iter().filter(|t| t.ends_with(text)).count();
            assert_eq!(times, 1, "{index} and {text}: {heard:?}, {:?}", self.warnings(*index));
        }
    }

    pub(crate) fn failure(&self, index: usize, id: &str) -> String {
        match self.result(index, id) {
            Some(Event::CommandFailed(failed)) => failed.why.clone(),
            other => panic!("{id} did not fail: {other:?}"),
        }
    }

    /// The texts that a member saw, in order, with the device that the leaf names.
    pub(crate) fn heard(&self, index: usize) -> Vec<String> {
        let text = |message: &MessageEvent| match decode(&message.content).unwrap() {
            Content::Text(text) => format!("{}: {text}", message.sender.client.device()),
            other => panic!("{other:?} was sent by nobody"),
        };
        let messages = self.nodes[index].events.iter().filter_map(|event| match event {
            Event::Message(message) => Some(text(message)),
            _ => None,
        });
        messages.collect()
    }

    pub(crate) fn count(&self, index: usize, what: impl Fn(&Event) -> bool) -> usize {
        self.nodes[index].events.iter().filter(|event| what(event)).count()
    }

    pub(crate) fn warnings(&self, index: usize) -> Vec<String> {
        let warnings = self.nodes[index].events.iter().filter_map(|event| match event {
            Event::Warning(warning) => Some(warning.text.clone()),
            Event::Undecryptable(message) => Some(message.why.clone()),
            _ => None,
        });
        warnings.collect()
    }

    pub(crate) fn epoch(&self, index: usize, group: &GroupId) -> Option<u64> {
        let groups = self.nodes[index].member.groups().unwrap();
        groups.iter().find(|summary| summary.group == *group).map(|summary| summary.epoch)
    }

    /// All these members are in the group, in one epoch, with one list of members.
    pub(crate) fn assert_agree(&self, group: &GroupId, members: &[usize]) {
        let view = |index: &usize| {
            let groups = self.nodes[*index].member.groups().unwrap();
            let summary = groups.into_iter().find(|s| s.group == *group);
            let summary = summary.unwrap_or_else(|| panic!("{index} is not in the group"));
            let clients: Vec<_> = summary.members.into_iter().map(|m| m.client).collect();
            (summary.epoch, clients)
        };
        let first = view(&members[0]);
        assert_eq!(first.1.len(), members.len(), "{:?}", first.1);
        for member in members {
            assert_eq!(view(member), first, "{member} disagrees with {}", members[0]);
        }
    }
}
