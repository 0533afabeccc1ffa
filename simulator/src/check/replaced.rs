//! After a restart everybody whom its maker knew is in the group that took the place, or somebody is told;
//! and nobody stays in both.

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::policy::LEAF_IDLE_MS;
use mls_core::wire::GroupId;

use super::NO_ADMIN;
use super::groups::View;
use crate::failure::{Failure, Rule};
use crate::record::Restart;
use crate::step::Device;
use crate::world::World;

impl World {
    pub(super) fn check_restarts(&self) -> Result<(), Failure> {
        for (former, restart) in &self.record.restarts {
            let comes_again = self.line_of(&restart.successor).any(|later| later == former);
            Rule::Replaced.holds(!comes_again, || {
                format!("g{} took the place of what took its own", self.ordinal(former))
            })?;
            for device in (0..self.nodes.len()).filter(|device| self.counts(*device)) {
                let both = self.is_in(device, former)? && self.is_in(device, &restart.successor)?;
                Rule::Replaced.holds(!both, || {
                    format!("d{device} is in g{} and in what replaced it", self.ordinal(former))
                })?;
            }
            self.check_restart(former, restart)?;
        }
        Ok(())
    }

    fn check_restart(&self, former: &GroupId, restart: &Restart) -> Result<(), Failure> {
        let made = self.counts(restart.maker) && !self.has_failed(restart);
        let goes_on = !self.staying(self.ordinal(&restart.successor))?.is_empty();
        // A group that its maker did not finish, and one whose rooms nobody is in, brings nobody.
        if !made || !goes_on || self.record.is_replaced(&restart.successor) {
            return Ok(());
        }
        for client in &restart.members {
            let is_in = self.has_come(client, restart) || self.need_not_come(client, restart)?;
            Rule::Replaced.holds(is_in, || {
                let (former, next) = (self.ordinal(former), self.ordinal(&restart.successor));
                format!("{client} was in g{former}, is not in g{next}, and nobody is told")
            })?;
        }
        Ok(())
    }

    fn has_come(&self, client: &ClientId, restart: &Restart) -> bool {
        let device = self.record.clients.iter().position(|one| one == client);
        let seen = device.and_then(|device| self.record.seen.get(&device));
        seen.is_some_and(|seen| seen.joined.contains(&restart.successor))
    }

    /// Whether a device is gone, or its account was put out, or somebody is told why it is not in.
    fn need_not_come(&self, client: &ClientId, restart: &Restart) -> Result<bool, Failure> {
        let Some(device) = self.record.clients.iter().position(|one| one == client) else {
            return Ok(true);
        };
        let rooms = self.rooms_of(&restart.successor);
        let idle = self.now_ms >= self.begins.at_ms().saturating_add(LEAF_IDLE_MS);
        Ok(!self.counts(device)
            || idle
            || !self.stays(device, rooms)
            || rooms.iter().any(|room| self.is_guest(room, &client.user()))
            || self.is_shut_out(device)
            || self.is_to_ask(device)
            || self.is_by_outsider(&restart.successor)?
            || self.is_told_of(restart.maker, client.user().as_str()))
    }

    /// Whether an account was in a group whose place another one took, and was never in that: it stays in
    /// the room, from where it can be invited.
    pub(super) fn is_left_behind(&self, room: &RoomAddress, user: &UserId) -> bool {
        let of_room = self.groups.iter().filter(|(_, rooms)| rooms.contains(room));
        let mut of_room = of_room.map(|(group, _)| group).rev();
        let Some(last) = of_room.next() else { return false };
        let came = |group: &GroupId| {
            self.record.added.iter().any(|(of, client)| of == group && client.user() == *user)
        };
        !came(last) && of_room.any(|former| self.record.is_replaced(former) && came(former))
    }

    /// Whether a device was told that somebody could not be added.
    pub(super) fn is_told_of(&self, device: Device, who: &str) -> bool {
        let told = |text: &String| text.starts_with("not everybody") && text.contains(who);
        self.record.seen.get(&device).is_some_and(|seen| seen.warnings.iter().any(told))
    }

    /// Whether a restart did not come to its end, of which its maker is told.
    fn has_failed(&self, restart: &Restart) -> bool {
        let seen = self.record.seen.get(&restart.maker).zip(restart.command.as_ref());
        seen.is_none_or(|(seen, command)| seen.ended.get(command) != Some(&true))
    }

    /// Whether a device is in a group, as it says.
    pub(super) fn is_in(&self, device: Device, group: &GroupId) -> Result<bool, Failure> {
        let groups = self.see(device)?.member.groups()?;
        Ok(groups.into_iter().any(|summary| summary.group == *group))
    }

    /// Whether a device is in a group that another one replaced, if this one was it or came before it.
    pub(super) fn stays_behind(&self, device: Device, group: &GroupId) -> Result<bool, Failure> {
        let replaced = |group: &&GroupId| self.record.is_replaced(group);
        for former in self.line_of(group).filter(replaced) {
            if self.is_in(device, former)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether somebody who was out of a group, or no admin of it any more, put this one, or one before it, into its
    /// place.
    pub(super) fn is_by_outsider(&self, group: &GroupId) -> Result<bool, Failure> {
        for (former, restart) in &self.record.restarts {
            let leads_here = self.line_of(&restart.successor).any(|later| later == group);
            if leads_here && (restart.by_outsider || self.is_no_admin(former, restart.maker)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a device says that the very one who restarted its group was no admin of it, who was one.
    pub(super) fn refuses_a_maker(&self, warning: &str) -> bool {
        let names = |restart: &&Restart| {
            let maker = self.record.clients.get(restart.maker);
            maker.is_some_and(|maker| warning.contains(&format!("but {maker}, who added")))
        };
        warning.ends_with(NO_ADMIN)
            && self
                .record
                .restarts
                .values()
                .filter(names)
                .any(|restart| !matches!(self.is_by_outsider(&restart.successor), Ok(true)))
    }

    /// Whether those who are in a group have removed a device, or know it as no admin: it may not have heard of that,
    /// and not of its own commit that says so. They are told after a day.
    fn is_no_admin(&self, group: &GroupId, device: Device) -> Result<bool, Failure> {
        let client = self.record.clients.get(device);
        let knows = |view: &View| client.is_some_and(|client| view.admins.contains(client));
        Ok(self.views(group)?.iter().any(|view| !knows(view)))
    }

    /// The group that has a group's place now.
    pub(super) fn latest<'a>(&'a self, group: &'a GroupId) -> &'a GroupId {
        self.line_of(group).last().unwrap_or(group)
    }

    /// A group, and those that took the place one after the other; no more than there are restarts,
    /// whatever they say.
    fn line_of<'a>(&'a self, group: &'a GroupId) -> impl Iterator<Item = &'a GroupId> {
        let next = |group: &&'a GroupId| self.record.restarts.get(*group).map(|r| &r.successor);
        let most = self.record.restarts.len().saturating_add(1);
        std::iter::successors(Some(group), next).take(most)
    }
}
