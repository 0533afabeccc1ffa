//! What a test says: short words for commands, and what it asks of both kinds of members.

use mls_core::address::UserId;
use mls_core::content::{Content, decode, encode_text};
use mls_core::member::{
    Command, CreateGroupWith, Event, Input, MembersCommand, ProposeCommand, SendCommand, Wish,
};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;
use openmls::prelude::Ciphersuite;

use super::World;
use crate::peer::{Change, OpenMlsPeer};

pub(crate) const ALICE: (&str, &str) = ("@alice:a.org", "PHONE");
pub(crate) const BOB: (&str, &str) = ("@bob:a.org", "DESK");
pub(crate) const JULIET: (&str, &str) = ("juliet@x.org", "0011223344556677");
pub(crate) const ROMEO: (&str, &str) = ("romeo@x.org", "8899aabbccddeeff");
/// What is exported from a group.
const LABEL: &str = "openmls and mls-rs";
const CONTEXT: &[u8] = b"context";
const LENGTH: usize = 42;
/// On OpenMLS.
pub(crate) const PETRA: (&str, &str) = ("petra@x.org", "00000000000000a1");
/// On OpenMLS.
pub(crate) const OTTO: (&str, &str) = ("@otto:a.org", "OPENMLS");

impl World {
    /// A peer on OpenMLS, which has published key packages.
    pub(crate) fn peer(&mut self, device: (&str, &str), suite: u16) -> OpenMlsPeer {
        self.peer_with(device, suite, 5)
    }

    /// A peer on OpenMLS with so many one-time packages, and a last resort.
    pub(crate) fn peer_with(
        &mut self,
        device: (&str, &str),
        suite: u16,
        one_time: usize,
    ) -> OpenMlsPeer {
        let client = UserId::from_human(device.0).unwrap().device(device.1).unwrap();
        let suite = Ciphersuite::try_from(suite).unwrap();
        let mut peer = OpenMlsPeer::new(client, suite).unwrap();
        self.place(&peer.client);
        peer.publish(&mut self.at(&peer.client.clone()), one_time).unwrap();
        peer
    }

    /// Gives a command under a fresh id, which is returned.
    pub(crate) fn command(&mut self, index: usize, command: Command) -> String {
        self.numbers += 1;
        let id = format!("c{}", self.numbers);
        self.give(index, Input::Command(id.clone(), command));
        id
    }

    /// A member makes a group of the first suite in both networks.
    pub(crate) fn found(&mut self, index: usize) -> GroupId {
        self.found_with(index, 1)
    }

    /// A member makes a group in both networks.
    pub(crate) fn found_with(&mut self, index: usize, suite: u16) -> GroupId {
        let rooms = both_rooms();
        let create = Command::CreateGroupWith(CreateGroupWith { rooms, suite });
        let id = self.command(index, create);
        self.run();
        match self.result(index, &id) {
            Some(Event::CommandDone(done)) => done.group.clone().unwrap(),
            other => panic!("no group was made: {other:?}"),
        }
    }

    /// A member invites users, and has done so.
    pub(crate) fn invite(&mut self, index: usize, group: &GroupId, users: Vec<UserId>) {
        let members = MembersCommand { group: group.clone(), users };
        self.done(index, Command::Invite(members));
    }

    /// A member removes a user, and has done so.
    pub(crate) fn remove(&mut self, index: usize, group: &GroupId, user: UserId) {
        let members = MembersCommand { group: group.clone(), users: vec![user] };
        self.done(index, Command::Remove(members));
    }

    /// A member says something.
    pub(crate) fn say(&mut self, index: usize, group: &GroupId, text: &str) {
        let content = encode_text(text, [7; 16]).unwrap();
        self.done(index, Command::Send(SendCommand { group: group.clone(), content }));
    }

    /// The epoch authenticator of a member.
    pub(crate) fn epoch_authenticator(&mut self, index: usize, group: &GroupId) -> Vec<u8> {
        let (_, secret) =
            self.nodes[index].member.epoch_authenticator(group).unwrap().expect("a live group");
        secret.to_vec()
    }

    /// A secret that a member derives from the group.
    fn exported(&mut self, index: usize, group: &GroupId) -> Vec<u8> {
        let member = &mut self.nodes[index].member;
        let exported = member.export_secret(group, LABEL.as_bytes(), CONTEXT, LENGTH).unwrap();
        exported.expect("a live group").1.to_vec()
    }

    /// A member proposes something by reference, and has done so.
    pub(crate) fn propose(&mut self, index: usize, group: &GroupId, wish: Wish) {
        self.done(index, Command::Propose(ProposeCommand { group: group.clone(), wish }));
    }

    /// Gives a command and sees it fulfilled.
    pub(crate) fn done(&mut self, index: usize, command: Command) {
        let id = self.command(index, command);
        self.run();
        self.assert_done(index, &id);
    }

    pub(crate) fn assert_done(&self, index: usize, id: &str) {
        let result = self.result(index, id);
        let events = &self.nodes[index].events;
        assert!(matches!(result, Some(Event::CommandDone(_))), "{id}: {result:?}; {events:#?}");
    }

    /// Why a command failed.
    pub(crate) fn failure(&self, index: usize, id: &str) -> String {
        match self.result(index, id) {
            Some(Event::CommandFailed(failed)) => failed.why.clone(),
            other => panic!("{id} did not fail: {other:?}"),
        }
    }

    /// The result of a command, or none yet.
    pub(crate) fn result(&self, index: usize, id: &str) -> Option<&Event> {
        self.nodes[index].events.iter().find(|event| match event {
            Event::CommandDone(done) => done.id == id,
            Event::CommandFailed(failed) => failed.id == id,
            _ => false,
        })
    }

    pub(crate) fn user(&self, index: usize) -> UserId {
        self.nodes[index].client.user()
    }

    /// The texts that a member saw, in order, with the device that the leaf names.
    pub(crate) fn heard(&self, index: usize) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Message(message) => match decode(&message.content).unwrap() {
                Content::Text(text) => Some(format!("{}: {text}", message.sender.client.device())),
                other => panic!("{other:?} was sent by nobody"),
            },
            _ => None,
        };
        self.nodes[index].events.iter().filter_map(text).collect()
    }

    /// All that a member warned of.
    pub(crate) fn warnings(&self, index: usize) -> Vec<String> {
        let warning = |event: &Event| match event {
            Event::Warning(warning) => Some(warning.text.clone()),
            Event::Undecryptable(message) => Some(message.why.clone()),
            _ => None,
        };
        self.nodes[index].events.iter().filter_map(warning).collect()
    }

    /// Whether a member is in the group.
    pub(crate) fn is_in(&self, index: usize, group: &GroupId) -> bool {
        let groups = self.nodes[index].member.groups().unwrap();
        groups.iter().any(|summary| summary.group == *group)
    }
}

/// Rooms on both networks.
pub(crate) fn both_rooms() -> CreateRoom {
    CreateRoom { matrix: true, xmpp: true, name: "Verona".to_owned() }
}

/// Member 0 makes a group with all other members and these peers.
pub(crate) fn group_with(world: &mut World, peers: &mut [&mut OpenMlsPeer]) -> GroupId {
    let suite = peers.first().map_or(1, |peer| peer.suite());
    let group = world.found_with(0, suite);
    let mut users: Vec<UserId> = (1..world.nodes.len()).map(|index| world.user(index)).collect();
    users.extend(peers.iter().map(|peer| peer.client.user()));
    world.invite(0, &group, users);
    let members: Vec<usize> = (0..world.nodes.len()).collect();
    everybody_agrees(world, &members, peers);
    group
}

/// A peer makes a group with these members.
pub(crate) fn group_of(world: &mut World, peer: &mut OpenMlsPeer, members: &[usize]) -> GroupId {
    let client = peer.client.clone();
    peer.create(&mut world.at(&client), both_rooms()).unwrap();
    let users = members.iter().map(|index| world.user(*index)).collect();
    peer.commit(&mut world.at(&client), &Change::Add(users)).unwrap();
    peer.group_id().unwrap()
}

/// The members and the peers are in one epoch with the same members, the same authenticator and
/// the same exported secret (RFC 9420 8.5 and 8.7), and without a warning.
pub(crate) fn everybody_agrees(
    world: &mut World,
    members: &[usize],
    peers: &mut [&mut OpenMlsPeer],
) {
    world.run();
    // What one peer does on what it gets may be for those before it.
    for _ in 0..peers.len() {
        for peer in peers.iter_mut() {
            world.deliver(peer).unwrap();
            assert_eq!(peer.unread, Vec::<String>::new(), "{}", peer.client);
        }
    }
    world.run();
    let group = peers[0].group_id().unwrap();
    let (epoch, roster) = (peers[0].epoch().unwrap(), peers[0].members().unwrap());
    let authenticator = peers[0].epoch_authenticator().unwrap();
    let exported = peers[0].export(LABEL, CONTEXT, LENGTH).unwrap();
    for peer in &peers[1..] {
        assert_eq!(peer.epoch().unwrap(), epoch);
        assert_eq!(peer.members().unwrap(), roster);
        assert_eq!(peer.epoch_authenticator().unwrap(), authenticator);
    }
    for index in members {
        let groups = world.nodes[*index].member.groups().unwrap();
        let summary = groups.into_iter().find(|summary| summary.group == group).unwrap();
        let clients: Vec<_> = summary.members.into_iter().map(|member| member.client).collect();
        assert_eq!((summary.epoch, clients), (epoch, roster.clone()), "member {index}");
        assert_eq!(world.epoch_authenticator(*index, &group), authenticator, "member {index}");
        assert_eq!(world.exported(*index, &group), exported, "member {index}");
        assert_eq!(world.warnings(*index), Vec::<String>::new(), "member {index}");
    }
    assert_eq!(roster.len(), members.len() + peers.len());
}
