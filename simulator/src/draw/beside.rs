//! What some stories have beside: a group that its room orders, fresh signature keys in a group, and
//! seasons in which certificates grow old. Drawn from a stream of its own, so that a story that has
//! none of it does not depend on it.

use mls_core::bridge_group::Order;

use super::{Drawing, WORK_MAX};
use crate::dice::Dice;
use crate::operation::Operation;
use crate::step::{Device, Group, Step};
use crate::trace::Cast;

/// Makes another stream of a seed.
const STREAM: u64 = 0x6265_7369_6465;
/// A certificate is renewed after 60 days, and over after 90.
const SEASONS_DAYS: [u64; 3] = [61, 70, 95];
const DAY_S: u64 = 24 * 3600;

/// Whether a story has each of it.
pub(super) struct Beside {
    dice: Dice,
    /// Its groups are in one network each, and their rooms order them for a while.
    pub(super) without_hub: bool,
    /// Which network, then.
    matrix: bool,
    changes_keys: bool,
    has_seasons: bool,
}

impl Beside {
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ STREAM);
        let (without_hub, matrix) = (dice.one_in(4), dice.one_in(2));
        let (changes_keys, has_seasons) = (dice.one_in(3), dice.one_in(40));
        Self { dice, without_hub, matrix, changes_keys, has_seasons }
    }

    /// The same accounts, all on one network: accounts without a device stand between them.
    pub(super) fn in_one_network(&self, cast: &Cast) -> Cast {
        let spread = |devices: &usize| if self.matrix { [*devices, 0] } else { [0, *devices] };
        Cast(cast.0.iter().flat_map(spread).collect())
    }
}

impl Drawing {
    /// The first group goes over to its room, in most stories in which one does.
    pub(super) fn hand_over_first(&mut self, founder: Device, calm: bool) {
        if !self.beside.without_hub {
            return;
        }
        self.swap_dice();
        if self.dice.one_in(2) {
            let operation = Operation::Admin(self.account());
            self.steps.push(Step::Operate { device: founder, group: 0, operation });
            self.work(WORK_MAX, calm);
        }
        if !self.dice.one_in(6) {
            self.order(founder, 0, Order::Room);
        }
        self.swap_dice();
    }

    /// Some of it after a turn.
    pub(super) fn turn_beside(&mut self, group: Group) {
        self.swap_dice();
        if self.beside.without_hub {
            self.turn_without_hub(group);
        }
        if self.beside.changes_keys && self.dice.one_in(8) {
            let device = self.device();
            self.steps.push(Step::Operate { device, group, operation: Operation::ChangeKey });
        }
        if self.beside.has_seasons && self.dice.one_in(15) {
            self.season();
        }
        self.swap_dice();
    }

    fn turn_without_hub(&mut self, group: Group) {
        if self.dice.one_in(3) {
            // Who is away for long cannot be followed any more: that is for few.
            let device = self.device();
            self.steps.push(Step::Back { device });
        }
        if self.dice.one_in(6) {
            let device = self.device();
            self.steps.push(Step::Rotate { device, group });
        }
        if self.dice.one_in(9) {
            let admin = self.admin(group);
            let order = if self.dice.one_in(2) { Order::Room } else { Order::Hub };
            self.order(admin, group, order);
        }
    }

    /// The hub may be away while the room orders the group, and is mostly there again for going back.
    fn order(&mut self, device: Device, group: Group, order: Order) {
        let matrix = self.beside.matrix;
        if order == Order::Hub && !self.dice.one_in(4) {
            self.steps.push(Step::Mend { matrix });
        }
        let operation = Operation::Order(order);
        self.steps.push(Step::Operate { device, group, operation });
        if !self.dice.one_in(3) {
            self.work(WORK_MAX, false);
        }
        if order == Order::Room && self.dice.one_in(3) {
            self.steps.push(Step::Part { matrix });
        }
    }

    /// So long that certificates are renewed, or end where a device was away.
    fn season(&mut self) {
        for device in 0..self.users.len() {
            if !self.dice.one_in(6) {
                self.steps.push(Step::Back { device });
            }
        }
        let days = self.dice.pick(&SEASONS_DAYS).copied().unwrap_or(0);
        self.steps.push(Step::Time { seconds: days * DAY_S });
    }

    fn swap_dice(&mut self) {
        std::mem::swap(&mut self.dice, &mut self.beside.dice);
    }
}
