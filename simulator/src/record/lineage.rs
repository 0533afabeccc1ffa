//! Which state of a group came from which, on all its branches, and which of them each device was in.

use std::collections::{BTreeMap, BTreeSet};

use mls_core::member::{Event, Output};
use mls_core::wire::{Digest, GroupId};

use super::{Record, Sent};
use crate::step::Device;

/// A state of a group: its epoch and authenticator.
pub(crate) type Point = (u64, Vec<u8>);

#[derive(Default)]
pub(crate) struct Lineage {
    ways: BTreeMap<(Device, GroupId), Way>,
    /// The state before each one, as somebody went; epochs may be left out.
    before: BTreeMap<(GroupId, Point), Point>,
}

/// The way of a device in a group since it came in.
#[derive(Default)]
struct Way {
    /// How it came to where it is.
    now: BTreeMap<u64, Vec<u8>>,
    /// And all that it was in, also what was taken back.
    been: BTreeSet<Point>,
}

impl Lineage {
    /// A device is in a state, after those of lower epochs.
    pub(super) fn enters(&mut self, device: Device, group: &GroupId, point: Point) {
        let way = self.ways.entry((device, group.clone())).or_default();
        way.now.split_off(&point.0);
        if let Some((epoch, authenticator)) = way.now.last_key_value() {
            let known = self.before.entry((group.clone(), point.clone()));
            known.or_insert_with(|| (*epoch, authenticator.clone()));
        }
        way.now.insert(point.0, point.1.clone());
        way.been.insert(point);
    }

    /// A device takes back what came after an epoch.
    pub(super) fn rewinds(&mut self, device: Device, group: &GroupId, to_epoch: u64) {
        if let Some(way) = self.ways.get_mut(&(device, group.clone())) {
            way.now.split_off(&to_epoch.saturating_add(1));
        }
    }

    /// A device is out of a group, or comes in by another door.
    pub(super) fn begins_anew(&mut self, device: Device, group: &GroupId) {
        self.ways.remove(&(device, group.clone()));
    }

    /// In which state a device is, or was on the way to it, in an epoch.
    pub(super) fn point(&self, device: Device, group: &GroupId, epoch: u64) -> Option<Point> {
        let way = self.ways.get(&(device, group.clone()))?;
        way.now.get(&epoch).map(|authenticator| (epoch, authenticator.clone()))
    }

    /// A state, and those before it. Epochs only fall on the way.
    fn way_back<'a>(&'a self, group: &GroupId, from: &'a Point) -> impl Iterator<Item = &'a Point> {
        let before = |point: &Point| self.before.get(&(group.clone(), point.clone()));
        std::iter::successors(Some(from), move |point| before(point))
    }

    fn was_in(&self, device: Device, group: &GroupId, point: &Point) -> bool {
        let way = self.ways.get(&(device, group.clone()));
        way.is_some_and(|way| way.been.contains(point))
    }
}

impl Record {
    /// A member decided: what it takes back of a group.
    pub(crate) fn takes_back(&mut self, device: Device, outputs: &[Output]) {
        for output in outputs {
            if let Output::Event(record) = output
                && let Event::Rewound(rewound) = &record.event
            {
                self.lineage.rewinds(device, &rewound.group, rewound.to_epoch);
            }
        }
    }

    /// Whether a device was in no state from which it could go to that in which something was sent: it came
    /// into another branch, or it went to the group that took this one's place.
    pub(crate) fn is_on_another_branch(&self, device: Device, sent: &Sent) -> bool {
        let Some(point) = &sent.point else { return sent.leaf_by_room.is_some() };
        if self.has_left(device, &sent.group) {
            return !self.lineage.was_in(device, &sent.group, point);
        } else if sent.leaf_by_room.is_none() {
            // The hub's order has one.
            return false;
        }
        let late = self.late_branches.get(&(device, sent.group.clone()));
        if late.is_some_and(|first| *first <= sent.epoch) {
            return !self.lineage.was_in(device, &sent.group, point);
        }
        let mut way_back = self.lineage.way_back(&sent.group, point);
        !way_back.any(|point| self.lineage.was_in(device, &sent.group, point))
    }

    /// The last epoch that a device has now with a state on another branch, in which something was sent by a room's
    /// order: it may have been in that, and taken it back.
    pub(super) fn parted_from(&self, device: Device, sent: &Sent) -> Option<u64> {
        let point = sent.point.as_ref().filter(|_| sent.leaf_by_room.is_some())?;
        let mut way_back = self.lineage.way_back(&sent.group, point);
        let on_the_way = |point: &&Point| {
            self.lineage.point(device, &sent.group, point.0).as_ref() == Some(*point)
        };
        way_back.find(on_the_way).map(|point| point.0)
    }

    /// Whether a room took back the state in which the one was sent before the other was: then each comes when
    /// its branch is known.
    pub(crate) fn are_on_two_branches(&self, one: &Digest, other: &Digest) -> bool {
        let (Some(one), Some(other)) = (self.messages.get(one), self.messages.get(other)) else {
            return false;
        };
        let by_room = one.leaf_by_room.is_some() || other.leaf_by_room.is_some();
        let (Some(from), Some(to)) = (&one.point, &other.point) else { return by_room };
        by_room && !self.lineage.way_back(&other.group, to).any(|point| point == from)
    }
}
