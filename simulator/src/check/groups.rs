//! Hub, members and rooms end with the same group.

use std::collections::BTreeSet;

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::wire::GroupId;

use crate::failure::{Failure, Rule};
use crate::step::{Device, Group};
use crate::world::World;

/// A device that is in a group, as it sees it.
struct View {
    device: Device,
    epoch: u64,
    members: BTreeSet<ClientId>,
}

impl World {
    pub(super) fn check_groups(&self) -> Result<(), Failure> {
        self.groups.iter().try_for_each(|(group, rooms)| self.check_group(group, rooms))
    }

    fn check_group(&self, group: &GroupId, rooms: &[RoomAddress]) -> Result<(), Failure> {
        let views = self.views(group)?;
        let hub_epoch = self.record.epochs.get(group).copied().unwrap_or(0);
        let ordinal = self.ordinal(group);
        for view in &views {
            Rule::Agreement.holds(view.epoch == hub_epoch, || {
                let (device, epoch) = (view.device, view.epoch);
                format!("d{device} has g{ordinal} in epoch {epoch}, the hub in {hub_epoch}")
            })?;
        }
        let Some(first) = views.first() else { return Ok(()) };
        // Where everybody is to be removed, nobody is left to commit that.
        if self.staying(ordinal)?.is_empty() {
            return Ok(());
        }
        let live: BTreeSet<ClientId> = views.iter().filter_map(|v| self.client(v.device)).collect();
        let expected = first.members.iter().filter(|client| !self.is_buried(client));
        let absent: Vec<_> = expected.filter(|client| !live.contains(client)).collect();
        Rule::Agreement.holds(absent.is_empty(), || {
            format!("{absent:?} have leaves in g{ordinal} and do not know it")
        })?;
        let users: BTreeSet<UserId> = first.members.iter().map(ClientId::user).collect();
        rooms.iter().try_for_each(|room| self.check_room(room, &users))
    }

    fn check_room(&self, room: &RoomAddress, users: &BTreeSet<UserId>) -> Result<(), Failure> {
        let at_hub: BTreeSet<UserId> = self.hub.hub.users_in(room)?.into_iter().collect();
        Rule::Agreement.holds(at_hub == *users, || {
            format!("the hub counts {at_hub:?} in {room}, members {users:?}")
        })?;
        let Some(known) = self.rooms.get(room) else { return Ok(()) };
        let (own, others): (BTreeSet<UserId>, BTreeSet<UserId>) =
            users.iter().cloned().partition(|user| user.network() == room.network);
        Rule::RoomsFollow.holds(known.listed == own, || {
            format!("{room} lists {:?}, the group holds {own:?}", known.listed)
        })?;
        Rule::RoomsFollow.holds(known.ghosts == others, || {
            format!("in {room} stand ghosts of {:?}, the group holds {others:?}", known.ghosts)
        })
    }

    /// Devices that are in a group and whose accounts nobody put out of its rooms: somebody to
    /// commit what is proposed.
    pub(crate) fn staying(&self, group: Group) -> Result<Vec<Device>, Failure> {
        let Some((group, rooms)) = self.groups.get(group) else { return Ok(Vec::new()) };
        let views = self.views(group)?;
        let proposed = |view: &View| {
            let proposals = self.record.proposals.get(&(group.clone(), view.epoch));
            proposals.is_some_and(|proposals| *proposals >= view.members.len())
        };
        if views.iter().any(proposed) {
            return Ok(Vec::new());
        }
        let devices = views.into_iter().map(|view| view.device);
        Ok(devices.filter(|device| self.stays(*device, rooms)).collect())
    }

    fn views(&self, group: &GroupId) -> Result<Vec<View>, Failure> {
        let mut views = Vec::new();
        for (device, node) in self.nodes.iter().enumerate().filter(|(d, _)| self.counts(*d)) {
            let summaries = node.member.groups()?.into_iter();
            for summary in summaries.filter(|summary| summary.group == *group) {
                let members = summary.members.into_iter().map(|member| member.client).collect();
                views.push(View { device, epoch: summary.epoch, members });
            }
        }
        Ok(views)
    }

    /// Whether nobody put the device's account out of the group's rooms.
    fn stays(&self, device: Device, rooms: &[RoomAddress]) -> bool {
        let Ok(node) = self.see(device) else { return false };
        let user = node.user();
        rooms.iter().all(|room| {
            self.rooms.get(room).is_some_and(|known| match room.network == node.network() {
                true => known.listed.contains(&user),
                false => known.ghosts.contains(&user),
            })
        })
    }

    fn client(&self, device: Device) -> Option<ClientId> {
        self.record.clients.get(device).cloned()
    }

    fn is_buried(&self, client: &ClientId) -> bool {
        self.record.buried.iter().any(|device| self.client(*device).as_ref() == Some(client))
    }

    /// The rooms of a group.
    pub(super) fn rooms_of(&self, group: &GroupId) -> &[RoomAddress] {
        let found = self.groups.iter().find(|(id, _)| id == group);
        found.map(|(_, rooms)| rooms.as_slice()).unwrap_or_default()
    }
}
