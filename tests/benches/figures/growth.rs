//! Groups of any size: created by a member, grown by Invite with bare clients on XMPP.

use mls_core::address::{RoomAddress, UserId};
use mls_core::member::{Command, MembersCommand};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Answer, GroupId, Request};

use crate::peer::Peer;
use crate::world::World;

/// Clients that one commit adds.
pub(crate) const SLICE: usize = mls_core::limits::ADDS_BY_VALUE_PER_COMMIT_MAX;

impl World {
    /// The first node makes a group with a room and a multi-user chat.
    pub(crate) fn create_group(&mut self) -> GroupId {
        let create = CreateRoom { matrix: true, xmpp: true, name: "Tea".to_owned() };
        self.command(0, Command::CreateGroup(create)).unwrap()
    }

    /// Bare clients publish `each` key packages.
    pub(crate) fn publish(&mut self, peers: &[Peer], each: usize) {
        for peer in peers {
            let package = || KeyPackageBytes(peer.key_package(self.now_ms).to_bytes().unwrap());
            let publish = PublishKeyPackages {
                device: peer.id.device(),
                one_time: std::iter::repeat_with(package).take(each).collect(),
                last_resort: None,
            };
            match self.request(peer.id.user(), Request::PublishKeyPackages(publish)) {
                Answer::KeyPackageCount(count) => {
                    assert_eq!(usize::try_from(count.one_time).unwrap(), each);
                }
                other => panic!("not a count: {other:?}"),
            }
        }
    }

    /// The first node invites users, a commit at a time.
    pub(crate) fn invite(&mut self, group: &GroupId, users: &[UserId]) {
        for users in users.chunks(SLICE) {
            let command = MembersCommand { group: group.clone(), users: users.to_vec() };
            self.command(0, Command::Invite(command));
        }
    }

    /// The rooms of a group: on Matrix, on XMPP.
    pub(crate) fn rooms(&self, group: &GroupId) -> (RoomAddress, RoomAddress) {
        let summaries = self.nodes[0].member.groups().unwrap();
        let summary = summaries.into_iter().find(|summary| summary.group == *group).unwrap();
        let mut rooms = summary.rooms;
        rooms.sort_by_key(|room| room.network.name());
        match <[RoomAddress; 2]>::try_from(rooms) {
            Ok([matrix, xmpp]) => (matrix, xmpp),
            Err(rooms) => panic!("not two rooms: {rooms:?}"),
        }
    }

    /// How many leaves the first node sees in a group.
    pub(crate) fn members(&self, group: &GroupId) -> usize {
        let summaries = self.nodes[0].member.groups().unwrap();
        summaries.iter().find(|summary| summary.group == *group).unwrap().members.len()
    }
}
