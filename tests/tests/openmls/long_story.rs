//! A long story of chance: whoever does whatever, after each step all who are in agree.

use std::collections::BTreeSet;

use mls_core::address::UserId;
use mls_core::member::{Command, MembersCommand, ProposeCommand, Wish};
use mls_core::policy::CIPHER_SUITES;

use crate::memory::{ALICE, BOB, JULIET, OTTO, PETRA, ROMEO, World, both_rooms, everybody_agrees};
use crate::peer::{Change, OpenMlsPeer};

const STEPS: usize = 40;
const PAULA: (&str, &str) = ("paula@x.org", "00000000000000a2");
const OLGA: (&str, &str) = ("@olga:a.org", "OPENMLS2");
const MEMBERS: [(&str, &str); 4] = [ALICE, BOB, JULIET, ROMEO];
const PEERS: [(&str, &str); 4] = [PETRA, OTTO, PAULA, OLGA];

struct Story {
    world: World,
    peers: Vec<OpenMlsPeer>,
    /// Who is in the group.
    members_in: BTreeSet<usize>,
    peers_in: BTreeSet<usize>,
    seed: u64,
}

impl Story {
    /// Peer 0 makes a group with half of all, to which everybody may add.
    fn begin(suite: u16, seed: u64) -> Self {
        let mut world = World::new(&MEMBERS);
        let mut peers: Vec<_> = PEERS.iter().map(|peer| world.peer(*peer, suite)).collect();
        let client = peers[0].client.clone();
        peers[0].create(&mut world.at(&client), both_rooms()).unwrap();
        peers[0].commit(&mut world.at(&client), &Change::MembersMayAdd).unwrap();
        let add = Change::Add(vec![world.user(0), world.user(2), peers[1].client.user()]);
        peers[0].commit(&mut world.at(&client), &add).unwrap();
        let (members_in, peers_in) = (BTreeSet::from([0, 2]), BTreeSet::from([0, 1]));
        Self { world, peers, members_in, peers_in, seed }
    }

    fn chance(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        usize::try_from(self.seed >> 33).unwrap() % below
    }

    fn one_of(&mut self, set: &BTreeSet<usize>) -> usize {
        let chosen = self.chance(set.len());
        *set.iter().nth(chosen).unwrap()
    }

    fn settle(&mut self) {
        let members: Vec<usize> = self.members_in.iter().copied().collect();
        let inside = &self.peers_in;
        let mut peers: Vec<&mut OpenMlsPeer> = self
            .peers
            .iter_mut()
            .enumerate()
            .filter_map(|(index, peer)| inside.contains(&index).then_some(peer))
            .collect();
        everybody_agrees(&mut self.world, &members, &mut peers);
        // All of them go on from what they have stored.
        self.world.restart();
        peers.iter_mut().for_each(|peer| peer.reload().unwrap());
    }

    fn step(&mut self) -> String {
        let group = self.peers[0].group_id().unwrap();
        let (members_in, peers_in) = (self.members_in.clone(), self.peers_in.clone());
        let member = self.one_of(&members_in);
        let peer = self.one_of(&peers_in);
        let client = self.peers[peer].client.clone();
        let (world, by) = (&mut self.world, &mut self.peers[peer]);
        let what = ["rotates", "updates", "proposes", "says", "returns", "adds", "removes"];
        let chosen = (self.seed >> 40) as usize % what.len();
        match chosen {
            0 => world.done(member, Command::Rotate(group)),
            1 => by.commit(&mut world.at(&client), &Change::Update).unwrap(),
            2 => {
                by.propose_update(&mut world.at(&client)).unwrap();
                // It comes too late for the peer's, and is made anew a moment later.
                let wish = Wish::Update;
                let id = world.command(member, Command::Propose(ProposeCommand { group, wish }));
                world.run();
                world.pass(120);
                world.assert_done(member, &id);
            }
            3 => {
                by.say(&mut world.at(&client), "a word").unwrap();
                world.run();
                world.say(member, &group, "another");
            }
            4 => {
                by.rejoin(&mut world.at(&client), &group).unwrap();
                world.run();
                world.done(member, Command::Rejoin(group));
            }
            5 => self.add(member, peer),
            _ => self.remove(member, peer),
        }
        format!("{} (member {member}, peer {peer})", what[chosen])
    }

    /// A member adds a peer that is out, and a peer a member.
    fn add(&mut self, member: usize, peer: usize) {
        let group = self.peers[0].group_id().unwrap();
        if let Some(other) = (0..PEERS.len()).find(|index| !self.peers_in.contains(index)) {
            let users: Vec<UserId> = vec![self.peers[other].client.user()];
            self.world.done(member, Command::Invite(MembersCommand { group, users }));
            self.peers_in.insert(other);
            self.settle();
        }
        if let Some(other) = (0..MEMBERS.len()).find(|index| !self.members_in.contains(index)) {
            let add = Change::Add(vec![self.world.user(other)]);
            let client = self.peers[peer].client.clone();
            self.peers[peer].commit(&mut self.world.at(&client), &add).unwrap();
            self.members_in.insert(other);
        }
    }

    /// The one admin removes a member and a peer, but for the last of each kind and itself.
    fn remove(&mut self, member: usize, peer: usize) {
        let mut gone = Vec::new();
        if self.members_in.len() > 1 {
            gone.push(self.world.nodes[member].client.clone());
            self.members_in.remove(&member);
        }
        if peer != 0 {
            gone.push(self.peers[peer].client.clone());
            self.peers_in.remove(&peer);
        }
        let client = self.peers[0].client.clone();
        self.peers[0].commit(&mut self.world.at(&client), &Change::Remove(gone)).unwrap();
        self.world.run();
        self.world.deliver(&mut self.peers[peer]).unwrap();
    }
}

#[test]
fn whatever_members_of_both_engines_do_all_who_are_in_agree() {
    for (seed, suite) in CIPHER_SUITES.into_iter().map(u16::from).enumerate() {
        let mut story = Story::begin(suite, seed as u64 + 1);
        story.settle();
        let mut told = Vec::new();
        for number in 0..STEPS {
            told.push(story.step());
            println!("suite {suite}, step {number}: {}", told.last().unwrap());
            story.settle();
        }
    }
}
