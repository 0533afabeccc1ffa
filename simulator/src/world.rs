//! Everything that there is in one run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::hub;
use mls_core::wire::{Digest, GroupId, RequestId};

use crate::authority::Authority;
use crate::begins::Begins;
use crate::failure::{Failure, Rule};
use crate::figures::Figures;
use crate::hub_node::HubNode;
use crate::member_node::{Mailbox, MemberNode};
use crate::record::Record;
use crate::room::Rooms;
use crate::step::{Device, Group, User};

/// Two networks, a hub and its members. Time stands still but for [`World::pass`].
pub(crate) struct World {
    pub(crate) begins: Begins,
    pub(crate) now_ms: u64,
    /// When the faults ended.
    pub(crate) healed_ms: u64,
    pub(crate) hub: HubNode,
    pub(crate) nodes: Vec<MemberNode>,
    pub(crate) users: Vec<UserId>,
    pub(crate) rooms: Rooms,
    /// What rooms tell the hub, by network, in order.
    pub(crate) from_rooms: BTreeMap<Network, VecDeque<hub::Input>>,
    /// Requests on their way to the hub, by device.
    pub(crate) asked: BTreeMap<Device, VecDeque<hub::RequestInput>>,
    /// Requests that publish uploads of key packages.
    pub(crate) uploads: BTreeMap<RequestId, Digest>,
    pub(crate) mailboxes: BTreeMap<Device, Mailbox>,
    /// How the authority treats devices; it signs for all others.
    pub(crate) authority: BTreeMap<Device, Authority>,
    /// Groups in the order in which the hub took them, and their rooms.
    pub(crate) groups: Vec<(GroupId, Vec<RoomAddress>)>,
    /// Rooms made so far.
    pub(crate) rooms_made: BTreeSet<RoomAddress>,
    pub(crate) record: Record,
    pub(crate) figures: Figures,
}

impl World {
    pub(crate) fn node(&mut self, device: Device) -> Result<&mut MemberNode, Failure> {
        self.nodes.get_mut(device).ok_or_else(|| no(format!("device d{device}")))
    }

    pub(crate) fn see(&self, device: Device) -> Result<&MemberNode, Failure> {
        self.nodes.get(device).ok_or_else(|| no(format!("device d{device}")))
    }

    pub(crate) fn mailbox(&mut self, device: Device) -> &mut Mailbox {
        self.mailboxes.entry(device).or_default()
    }

    /// Devices of an account.
    pub(crate) fn devices(&self, user: &UserId) -> Vec<Device> {
        let devices = self.nodes.iter().enumerate();
        devices.filter(|(_, node)| node.user() == *user).map(|(device, _)| device).collect()
    }

    pub(crate) fn user(&self, user: User) -> Option<UserId> {
        self.users.get(user).cloned()
    }

    pub(crate) fn group(&self, group: Group) -> Option<GroupId> {
        self.groups.get(group).map(|(id, _)| id.clone())
    }

    pub(crate) fn ordinal(&self, group: &GroupId) -> usize {
        self.groups.iter().position(|(id, _)| id == group).unwrap_or(usize::MAX)
    }

    /// The group's room on one of the networks.
    pub(crate) fn room_of(&self, group: Group, network: Network) -> Option<RoomAddress> {
        let (_, rooms) = self.groups.get(group)?;
        rooms.iter().find(|room| room.network == network).cloned()
    }
}

/// The simulation itself is wrong; never a member's or the hub's fault.
fn no(what: String) -> Failure {
    Rule::NeverFails.broken(format!("the simulator has no {what}"))
}
