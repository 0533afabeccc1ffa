//! Groups whose place another one took: by a restart, which nobody but its maker decides, and what each
//! device had of the former then.

use std::collections::BTreeSet;

use mls_core::address::{ClientId, RoomAddress};
use mls_core::member::{Command, CommandId, Restarted};
use mls_core::receipt::ReceiptTbs;
use mls_core::wire::GroupId;

use super::Record;
use crate::failure::{Failure, Rule};
use crate::step::Device;

/// A restart, as its maker saw it.
pub(crate) struct Restart {
    pub(crate) maker: Device,
    /// The command that made it. Another one that is given after that ends at once, as the group has its place.
    pub(crate) command: Option<CommandId>,
    pub(crate) successor: GroupId,
    /// Who was in the maker's last state of the former.
    pub(crate) members: BTreeSet<ClientId>,
    /// Whether its maker had been removed by then, which the hub of a group that its room orders cannot know:
    /// others do not come until they have asked.
    pub(crate) by_outsider: bool,
}

impl Record {
    /// A room has a group from now on: what it had before takes nothing any more.
    pub(crate) fn bound(
        &mut self,
        group: &GroupId,
        room: &RoomAddress,
        groups: &[(GroupId, Vec<RoomAddress>)],
        now_ms: u64,
    ) {
        let before = groups.iter().filter(|(known, rooms)| known != group && rooms.contains(room));
        for (former, _) in before {
            self.ended.entry(former.clone()).or_insert(now_ms);
        }
    }

    /// The hub has signed for a handshake of a group that takes none.
    pub(super) fn check_ended(&self, tbs: &ReceiptTbs) -> Result<(), Failure> {
        Rule::EndedStays.holds(!self.ended.contains_key(&tbs.group), || {
            format!("seq {} of a group that another one has replaced is signed", tbs.seq)
        })
    }

    /// A device is told that a group took another's place.
    pub(super) fn restarted(&mut self, device: Device, told: Restarted) -> Result<(), Failure> {
        let Restarted { group, successor, by, changed, .. } = told;
        Rule::NoFalseAlarm.holds(changed.is_empty() || self.refused_any(&changed), || {
            format!("d{device} is told that {changed:?} have other keys than before a restart")
        })?;
        self.leaves_for_next(device, &group);
        let followed = self.followed.get(&(device, group.clone()));
        let since = self.seen.get(&device).and_then(|seen| seen.since.get(&group).copied());
        let known = self.restarts.get(&group).map(|restart| restart.successor.clone());
        // Who was not in that one when it was replaced in turn comes into the next at once.
        let same = |known: &GroupId| *known == successor || self.restarts.contains_key(known);
        Rule::OneWinner.holds(known.as_ref().is_none_or(same), || {
            format!("d{device} is told of another group in a place than others")
        })?;
        if self.clients.get(device) == Some(&by) {
            let members = followed.map(|followed| followed.clients()).unwrap_or_default();
            let by_outsider = since.is_none();
            let command = self.restarting(device, &group);
            let restart = Restart { maker: device, command, successor, members, by_outsider };
            self.restarts.entry(group).or_insert(restart);
        }
        Ok(())
    }

    /// A device is told that a group has ended, and goes on to another from the epoch that it has.
    pub(super) fn leaves_for_next(&mut self, device: Device, group: &GroupId) {
        let followed = self.followed.get(&(device, group.clone()));
        let since = self.seen.get(&device).and_then(|seen| seen.since.get(group).copied());
        if let Some(left_at) = followed.map(|followed| followed.epoch).max(since) {
            self.left_at.insert((device, group.clone()), left_at);
        }
    }

    /// The first command of a device to restart a group that has not ended.
    fn restarting(&self, device: Device, former: &GroupId) -> Option<CommandId> {
        let wanted = Command::Restart(former.clone());
        let ended =
            |id: &CommandId| self.seen.get(&device).is_some_and(|seen| seen.ended.contains_key(id));
        let given = self.commands.iter();
        let given = given.filter(|(_, it)| it.device == device && it.command == wanted);
        let open = given.filter(|(id, _)| !ended(id));
        open.min_by_key(|(_, given)| given.number).map(|(id, _)| id.clone())
    }

    /// Whether somebody put another group into the place of this one, by no commit in it.
    pub(crate) fn is_replaced(&self, group: &GroupId) -> bool {
        self.restarts.contains_key(group)
            || self.ended.contains_key(group) && !self.started_anew.contains_key(group)
    }

    /// Whether a device had gone on to the group that took another's place when somebody sent something in
    /// this epoch of the former, which it had not reached.
    pub(crate) fn went_before(&self, device: Device, group: &GroupId, epoch: u64) -> bool {
        let left_at = self.left_at.get(&(device, group.clone()));
        left_at.is_some_and(|left_at| epoch > *left_at)
    }

    /// Whether a device has gone on to the group that took another's place.
    pub(super) fn has_left(&self, device: Device, group: &GroupId) -> bool {
        self.left_at.contains_key(&(device, group.clone()))
    }

    fn refused_any(&self, clients: &[ClientId]) -> bool {
        let refused = |client: &ClientId| {
            let device = self.clients.iter().position(|one| one == client);
            device.is_some_and(|device| self.refused.contains(&device))
        };
        clients.iter().all(refused)
    }
}
