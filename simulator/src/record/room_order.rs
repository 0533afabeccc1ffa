//! Groups that their rooms order: where each device was when, and what came to it too late.
//!
//! A commit can take epochs back for 5 epochs and 48 hours (decision 16). What is promised of such a
//! group is excused by the first commit that comes to somebody later, and by nothing else.

use std::collections::{BTreeMap, BTreeSet};

use mls_core::address::ClientId;
use mls_core::bridge_group::Order;
use mls_core::limits::{FUTURE_KEEP_MS, HANDED_BACK_WAIT_MS};
use mls_core::member::{Command, CommandId};
use mls_core::policy::{ROOM_REWIND_EPOCHS, ROOM_REWIND_MS};
use mls_core::wire::{Digest, GroupId};

use super::{Given, Record, Sent, State};
use crate::figures::Figures;
use crate::step::Device;

/// One device in one group.
pub(crate) struct Followed {
    /// The epoch in which the room's order began, while it lasts.
    pub(crate) by_room_since: Option<u64>,
    /// When it was first in each epoch.
    entered: BTreeMap<u64, u64>,
    /// The epoch in which it is, and what that is to it.
    pub(crate) epoch: u64,
    pub(crate) state: State,
}

impl Followed {
    /// Whether what was made in an epoch comes too late to be followed.
    fn is_late(&self, epoch: u64, now_ms: u64) -> bool {
        let far = self
            .entered
            .keys()
            .next_back()
            .is_some_and(|highest| epoch.saturating_add(ROOM_REWIND_EPOCHS) < *highest);
        far || self.went_on_long_ago(epoch, now_ms)
    }

    /// Whether the device went further than an epoch so long ago that states of beside its way are deleted.
    fn went_on_long_ago(&self, epoch: u64, now_ms: u64) -> bool {
        let mut later = self.entered.range(epoch.saturating_add(1)..);
        later.any(|(_, at_ms)| at_ms.saturating_add(ROOM_REWIND_MS) <= now_ms)
    }

    /// Who is in it.
    pub(crate) fn clients(&self) -> BTreeSet<ClientId> {
        self.state.members.iter().map(|(client, ..)| client.clone()).collect()
    }

    /// The leaf of a client: its place and its signature key.
    pub(crate) fn leaf(&self, of: Option<&ClientId>) -> Option<(u32, Vec<u8>)> {
        let found = self.state.members.iter().find(|(client, ..)| Some(client) == of);
        found.map(|(_, index, key)| (*index, key.clone()))
    }
}

impl Record {
    /// What can be counted once a run is over.
    pub(crate) fn figures(&self) -> Figures {
        let count = |wanted: &dyn Fn(&Command) -> bool| {
            let done = |(id, given): &(&CommandId, &Given)| {
                let seen = self.seen.get(&given.device);
                wanted(&given.command) && seen.is_some_and(|s| s.ended.get(*id) == Some(&true))
            };
            u64::try_from(self.commands.iter().filter(done).count()).unwrap_or(u64::MAX)
        };
        let order = |command: &Command| match command {
            Command::ChangeSettings(change) => change.settings.order,
            _ => None,
        };
        let commits = self.messages.values().filter(|sent| sent.commit).count();
        let again: usize = self.seen.values().map(super::Seen::done_again).sum();
        let anew =
            self.started_anew.values().filter(|anew| self.epochs.contains_key(&anew.successor));
        Figures {
            handed_over: count(&|command| order(command) == Some(Order::Room)),
            handed_back: count(&|command| order(command) == Some(Order::Hub)),
            keys_changed: count(&|command| matches!(command, Command::ChangeKey(_))),
            room_commits: u64::try_from(commits).unwrap_or(u64::MAX),
            restarted: u64::try_from(self.restarts.len()).unwrap_or(u64::MAX),
            started_anew: u64::try_from(anew.count()).unwrap_or(u64::MAX),
            branched: count(&|command| matches!(command, Command::Branch(_))),
            knocks: count(&|command| matches!(command, Command::Knock(_))),
            denied: count(&|command| matches!(command, Command::DenyKnock(_))),
            done_again: u64::try_from(again).unwrap_or(u64::MAX),
            rewound: self.seen.values().map(|seen| seen.rewound).sum(),
            apart: u64::try_from(self.apart.len()).unwrap_or(u64::MAX),
            ..Figures::default()
        }
    }

    /// A device is in this state of a group.
    pub(super) fn follows(
        &mut self,
        device: Device,
        group: &GroupId,
        (order, epoch): (Order, u64),
        state: &State,
        now_ms: u64,
    ) {
        let known = self.followed.entry((device, group.clone()));
        let followed = known.or_insert_with(|| Followed {
            by_room_since: None,
            entered: BTreeMap::new(),
            epoch,
            state: state.clone(),
        });
        let was = followed.by_room_since;
        followed.by_room_since = match order {
            Order::Room => followed.by_room_since.or(Some(epoch)),
            Order::Hub => None,
        };
        followed.entered.entry(epoch).or_insert(now_ms);
        (followed.epoch, followed.state) = (epoch, state.clone());
        let begins = was.is_none() && followed.by_room_since.is_some();
        if order == Order::Room {
            self.rooms_ordered.insert(group.clone());
        }
        if begins && self.waited_too_long(device, group, epoch, now_ms) {
            self.apart.insert(group.clone());
        }
    }

    /// Whether commits of a room came to a device so long before it heard that the room orders the group that it
    /// keeps them no more.
    fn waited_too_long(&self, device: Device, group: &GroupId, since: u64, now_ms: u64) -> bool {
        let of_room = |sent: &Sent| sent.commit && sent.group == *group && sent.epoch >= since;
        let came = self.came.range((device, Digest([0; 32]))..=(device, Digest([u8::MAX; 32])));
        came.filter(|(_, came_ms)| came_ms.saturating_add(ROOM_REWIND_MS) <= now_ms)
            .any(|((_, message), _)| self.messages.get(message).is_some_and(of_room))
    }

    /// A device is out of a group. Without a hub, others may not hear of it.
    pub(super) fn follows_no_more(&mut self, device: Device, group: &GroupId) {
        let was = self.followed.remove(&(device, group.clone()));
        self.lineage.begins_anew(device, group);
        self.changing.retain(|(of, from, _)| (*of, from) != (device, group));
        // It may have heard of the handing over and of its removal at once.
        let by_room = |followed: &Followed| followed.by_room_since.is_some();
        let others = self.followed.iter().any(|((_, of), it)| of == group && by_room(it));
        if was.is_some_and(|was| by_room(&was) || others) {
            self.gone_by_room.insert((device, group.clone()));
        }
    }

    /// Whether nothing is promised of a group: it fell apart, or somebody shut out others in its room,
    /// who have no way back.
    pub(crate) fn is_excused(&self, group: &GroupId) -> bool {
        self.apart.contains(group) || self.shut_out && self.rooms_ordered.contains(group)
    }

    /// What was posted comes to a device, perhaps again.
    pub(crate) fn comes(&mut self, device: Device, message: Digest, now_ms: u64) {
        if self.came.contains_key(&(device, message)) {
            return;
        }
        self.came.insert((device, message), now_ms);
        let Some(sent) = self.messages.get(&message) else { return };
        let Some(followed) = self.followed.get(&(device, sent.group.clone())) else { return };
        // A message of a branch is read with the states of that, of which the first is as old as the ways apart.
        let parted = self.parted_from(device, sent).filter(|_| !sent.commit);
        let deleted = parted.is_some_and(|epoch| followed.went_on_long_ago(epoch, now_ms));
        if !deleted && !followed.is_late(sent.epoch, now_ms) {
            return;
        }
        match sent.commit {
            true if followed.by_room_since.is_some() => {
                self.apart.insert(sent.group.clone());
            }
            // Where the hub has the group again, what is said on that branch is not read any more.
            true => {
                let place = (device, sent.group.clone());
                let first = self.late_branches.entry(place).or_insert(u64::MAX);
                *first = sent.epoch.saturating_add(1).min(*first);
            }
            false => {
                self.late.insert((device, message));
            }
        }
    }

    /// A device comes into a group: what came to it more than a day before waits for that no more.
    pub(super) fn came_long_before(&mut self, device: Device, group: &GroupId, now_ms: u64) {
        let came = self.came.range((device, Digest([0; 32]))..=(device, Digest([u8::MAX; 32])));
        let long = came.filter(|(_, came_ms)| came_ms.saturating_add(FUTURE_KEEP_MS) <= now_ms);
        let of_group =
            long.filter(|((_, id), _)| self.messages.get(id).is_some_and(|s| s.group == *group));
        self.late.extend(of_group.map(|(place, _)| *place));
    }

    /// Whether the hub has had a group back for so long that a device is told so, if it has not heard from which
    /// state.
    pub(super) fn has_waited(&self, device: Device, group: &GroupId, now_ms: u64) -> bool {
        let followed = self.followed.get(&(device, group.clone()));
        let since = followed.and_then(|followed| followed.by_room_since);
        let back = since.and_then(|since| {
            self.ends.range((group.clone(), since)..=(group.clone(), u64::MAX)).next()
        });
        back.is_some_and(|(_, end)| end.at_ms.saturating_add(HANDED_BACK_WAIT_MS) <= now_ms)
    }

    /// A device does something: where the hub has taken the group back, and it has not heard of that,
    /// it may be too far by now.
    pub(crate) fn waits_for_hub(&mut self, device: Device, now_ms: u64) {
        let Self { followed, ends, apart, .. } = self;
        for ((_, group), followed) in followed.iter().filter(|((of, _), _)| *of == device) {
            let Some(since) = followed.by_room_since else { continue };
            let back = ends.range((group.clone(), since)..=(group.clone(), u64::MAX)).next();
            if back.is_some_and(|((_, epoch), _)| followed.is_late(*epoch, now_ms)) {
                apart.insert(group.clone());
            }
        }
    }
}
