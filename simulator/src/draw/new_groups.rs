//! Groups that branch from others, and groups that are started anew where that leads on, in some stories.
//! Drawn from a stream of its own, as [`super::beside`].

use super::{Drawing, WORK_MAX};
use crate::begins::Begins;
use crate::dice::Dice;
use crate::operation::Operation;
use crate::step::{Device, Group, Step};

/// Makes another stream of a seed.
const STREAM: u64 = 0x6272_616e_6368;

/// Whether a story has them.
pub(super) struct NewGroups {
    dice: Dice,
    pub(super) begins: Begins,
    branches: bool,
    starts_anew: bool,
    /// Commands for them so far, each of which may have made a group.
    wanted: usize,
}

impl NewGroups {
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ STREAM);
        let branches = dice.one_in(6);
        let lead_on = dice.one_in(4);
        let begins = if lead_on { Begins::BeforeToday } else { Begins::In2040 };
        let branches = branches || lead_on && dice.one_in(2);
        let starts_anew = lead_on && dice.one_in(2);
        Self { dice, begins, branches, starts_anew, wanted: 0 }
    }
}

impl Drawing {
    /// The first branch when the first group stands.
    pub(super) fn begin_new_groups(&mut self, founder: Device) {
        if self.new_groups.branches {
            self.swap_new_groups();
            self.branch(founder);
            self.branch(founder);
            self.swap_new_groups();
        }
    }

    /// Perhaps two of a group make one of their own after a turn, or an admin starts one anew, and mostly something
    /// is said or done in that.
    pub(super) fn turn_new_groups(&mut self) {
        self.swap_new_groups();
        if self.new_groups.branches && self.dice.one_in(6) {
            let device = self.device();
            self.branch(device);
        }
        if self.new_groups.starts_anew && self.dice.one_in(10) {
            self.start_anew();
        }
        if self.new_groups.starts_anew && self.dice.one_in(20) {
            let (device, operation) = (self.device(), Operation::RotateEverywhere);
            self.steps.push(Step::Operate { device, group: 0, operation });
        }
        if self.new_groups.wanted > 0 && self.dice.one_in(4) {
            self.live_in_new_group();
        }
        self.swap_new_groups();
    }

    /// A device makes a branch, mostly of the first group, with somebody who is mostly in that.
    fn branch(&mut self, device: Device) {
        let group = self.any_group();
        let operation = Operation::Branch(self.account());
        self.steps.push(Step::Operate { device, group, operation });
        self.new_groups.wanted += 1;
        if !self.dice.one_in(3) {
            self.work(WORK_MAX, false);
        }
    }

    /// An admin starts a group anew, or two do at once, and mostly somebody says something before all have come.
    fn start_anew(&mut self) {
        let group = self.any_group();
        let makers = if self.dice.one_in(4) { 2 } else { 1 };
        for maker in 0..makers {
            let device = if maker > 0 { self.device() } else { self.admin(group) };
            let suite = u16::try_from(self.dice.between(1, 3)).unwrap_or(1);
            let operation = Operation::ReInit { suite, opens: self.dice.one_in(4) };
            self.steps.push(Step::Operate { device, group, operation });
        }
        self.new_groups.wanted += 1;
        if !self.dice.one_in(3) {
            let device = self.device();
            self.steps.push(Step::Send { device, group, count: self.dice.between(1, 2) });
            self.work(WORK_MAX, false);
        }
    }

    /// Mostly the first.
    fn any_group(&mut self) -> Group {
        let groups = self.creators.len() + self.new_groups.wanted;
        if self.dice.one_in(3) { self.dice.below(groups) } else { 0 }
    }

    fn live_in_new_group(&mut self) {
        let group = self.creators.len() + self.dice.below(self.new_groups.wanted);
        let device = self.device();
        let step = match self.dice.below(6) {
            0 => Step::Rotate { device, group },
            1 => Step::Invite { device, group, users: vec![self.account()] },
            2 => Step::Leave { device, group },
            3 => Step::Rejoin { device, group },
            _ => Step::Send { device, group, count: self.dice.between(1, 2) },
        };
        self.steps.push(step);
    }

    fn swap_new_groups(&mut self) {
        std::mem::swap(&mut self.dice, &mut self.new_groups.dice);
    }
}
