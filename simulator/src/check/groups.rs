//! Hub, members and rooms end with the same group.

use std::collections::BTreeSet;

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::limits::HANDSHAKE_KEEP_MS;
use mls_core::wire::GroupId;

use crate::failure::{Failure, Rule};
use crate::step::{Device, Group};
use crate::world::World;

/// A device that is in a group, as it sees it.
pub(super) struct View {
    pub(super) device: Device,
    pub(super) epoch: u64,
    pub(super) members: BTreeSet<ClientId>,
    pub(super) admins: BTreeSet<ClientId>,
}

impl World {
    pub(super) fn check_groups(&self) -> Result<(), Failure> {
        self.groups.iter().try_for_each(|(group, rooms)| self.check_group(group, rooms))
    }

    fn check_group(&self, group: &GroupId, rooms: &[RoomAddress]) -> Result<(), Failure> {
        if self.record.is_excused(group) || self.record.is_replaced(group) {
            return Ok(());
        }
        let views = self.views(group)?;
        if views.iter().any(|view| self.is_by_room(view.device, group)) {
            return self.check_group_of_room(group, rooms, &views);
        }
        let hub_epoch = self.record.epochs.get(group).copied().unwrap_or(0);
        let ordinal = self.ordinal(group);
        for view in &views {
            Rule::Agreement.holds(view.epoch == hub_epoch, || {
                let (device, epoch) = (view.device, view.epoch);
                format!("d{device} has g{ordinal} in epoch {epoch}, the hub in {hub_epoch}")
            })?;
        }
        let Some(first) = views.first() else { return Ok(()) };
        Rule::Agreement.holds(first.members.len() > self.to_go(group, first), || {
            format!("everybody in g{ordinal} is to be removed, and it has not ended")
        })?;
        // Of those who are to be removed and those who are gone for ever nobody commits.
        if self.staying(ordinal)?.is_empty() {
            return Ok(());
        }
        let live: BTreeSet<ClientId> = views.iter().filter_map(|v| self.client(v.device)).collect();
        let expected = first.members.iter().filter(|client| !self.is_buried(client));
        let waits = |client: &ClientId| {
            let device = self.record.clients.iter().position(|one| one == client);
            device.is_some_and(|device| self.waits_for_new_keys(device) || self.is_to_ask(device))
        };
        let gone = |client: &ClientId| self.is_gone_by_room(client, group) || waits(client);
        let absent: Vec<_> = expected.filter(|c| !live.contains(c) && !gone(c)).collect();
        // Who lacks a PSK that a group asks for cannot come back, and is told so.
        let asks_psk = self.record.asks_psk || self.record.shut_out;
        let excused = asks_psk || self.is_by_outsider(group)?;
        Rule::Agreement.holds(absent.is_empty() || excused, || {
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
        let may_stay = |user: &UserId| self.is_guest(room, user) || self.is_left_behind(room, user);
        let guests = known.listed.difference(&own).all(may_stay);
        Rule::RoomsFollow.holds(own.is_subset(&known.listed) && guests, || {
            format!("{room} lists {:?}, the group holds {own:?}", known.listed)
        })?;
        let left = known.ghosts.difference(&others).all(|user| self.is_left_behind(room, user));
        Rule::RoomsFollow.holds(others.is_subset(&known.ghosts) && left, || {
            format!("in {room} stand ghosts of {:?}, the group holds {others:?}", known.ghosts)
        })
    }

    /// Devices that are in a group and whose accounts nobody put out of its rooms: somebody to
    /// commit what is proposed.
    pub(crate) fn staying(&self, group: Group) -> Result<Vec<Device>, Failure> {
        let Some((group, rooms)) = self.groups.get(group) else { return Ok(Vec::new()) };
        let views = self.views(group)?;
        let nobody = |view: &View| {
            let silent = |c: &&ClientId| self.is_buried(c) || self.is_gone_by_room(c, group);
            let silent = view.members.iter().filter(silent).count();
            let to_go = self.to_go(group, view);
            to_go > 0 && to_go + silent >= view.members.len()
        };
        if views.iter().any(nobody) {
            return Ok(Vec::new());
        }
        let devices = views.into_iter().map(|view| view.device);
        Ok(devices.filter(|device| self.stays(*device, rooms)).collect())
    }

    /// How many members the hub has proposed to remove.
    fn to_go(&self, group: &GroupId, view: &View) -> usize {
        let proposals = self.record.proposals.get(&(group.clone(), view.epoch));
        proposals.map_or(0, crate::record::Proposals::of_hub)
    }

    pub(super) fn views(&self, group: &GroupId) -> Result<Vec<View>, Failure> {
        let mut views = Vec::new();
        for (device, node) in self.nodes.iter().enumerate().filter(|(d, _)| self.counts(*d)) {
            let summaries = node.member.groups()?.into_iter();
            if self.is_shut_out(device) || self.is_told_that_it_is_over(device, group) {
                continue;
            }
            for summary in summaries.filter(|summary| summary.group == *group) {
                let admins = summary.members.iter().filter(|member| member.admin);
                let admins = admins.map(|member| member.client.clone()).collect();
                let members = summary.members.into_iter().map(|member| member.client).collect();
                views.push(View { device, epoch: summary.epoch, members, admins });
            }
        }
        Ok(views)
    }

    /// Whether nobody put the device's account out of the group's rooms.
    pub(super) fn stays(&self, device: Device, rooms: &[RoomAddress]) -> bool {
        let Ok(node) = self.see(device) else { return false };
        let user = node.user();
        rooms.iter().all(|room| {
            self.rooms.get(room).is_some_and(|known| match room.network == node.network() {
                true => known.listed.contains(&user),
                false => known.ghosts.contains(&user),
            })
        })
    }

    /// Whether somebody used a PSK on purpose that the device lacks, which may have kept it out for
    /// ever: a commit that it cannot process hides its own removal from it.
    pub(super) fn is_shut_out(&self, device: Device) -> bool {
        let told = |seen: &crate::record::Seen| {
            seen.warnings.iter().any(|warning| warning.starts_with("a commit (seq "))
        };
        self.record.shut_out && self.record.seen.get(&device).is_some_and(told)
    }

    /// Whether only the hub's word could tell the device that the group is over, as the handshakes that prove it
    /// are not kept any more: it keeps what it has.
    fn is_told_that_it_is_over(&self, device: Device, group: &GroupId) -> bool {
        // So long a hub keeps the handshake that removed a device.
        let forgotten = self.now_ms >= self.begins.at_ms().saturating_add(HANDSHAKE_KEEP_MS);
        self.record.seen.get(&device).is_some_and(|seen| {
            seen.told_ended.contains(group) || forgotten && seen.told_out.contains(group)
        })
    }

    fn client(&self, device: Device) -> Option<ClientId> {
        self.record.clients.get(device).cloned()
    }

    pub(super) fn is_buried(&self, client: &ClientId) -> bool {
        self.record.buried.iter().any(|device| self.client(*device).as_ref() == Some(client))
    }

    /// The rooms of a group.
    pub(super) fn rooms_of(&self, group: &GroupId) -> &[RoomAddress] {
        let found = self.groups.iter().find(|(id, _)| id == group);
        found.map(|(_, rooms)| rooms.as_slice()).unwrap_or_default()
    }
}
