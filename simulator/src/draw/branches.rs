//! Groups that branch from others, in some stories. Drawn from a stream of its own, as [`super::beside`].

use super::{Drawing, WORK_MAX};
use crate::dice::Dice;
use crate::operation::Operation;
use crate::step::{Device, Step};

/// Makes another stream of a seed.
const STREAM: u64 = 0x6272_616e_6368;

/// Whether a story has them.
pub(super) struct Branches {
    dice: Dice,
    drawn: bool,
    /// Branches so far, each of which may have made a group.
    made: usize,
}

impl Branches {
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ STREAM);
        let drawn = dice.one_in(6);
        Self { dice, drawn, made: 0 }
    }
}

impl Drawing {
    /// The first branch when the first group stands.
    pub(super) fn begin_branches(&mut self, founder: Device) {
        if self.branches.drawn {
            std::mem::swap(&mut self.dice, &mut self.branches.dice);
            self.branch(founder);
            self.branch(founder);
            std::mem::swap(&mut self.dice, &mut self.branches.dice);
        }
    }

    /// Perhaps two of a group make one of their own after a turn, and mostly something is said or done in that.
    pub(super) fn turn_branches(&mut self) {
        if !self.branches.drawn {
            return;
        }
        std::mem::swap(&mut self.dice, &mut self.branches.dice);
        if self.dice.one_in(6) {
            let device = self.device();
            self.branch(device);
        }
        if self.branches.made > 0 && self.dice.one_in(4) {
            self.live_in_branch();
        }
        std::mem::swap(&mut self.dice, &mut self.branches.dice);
    }

    /// A device makes a branch, mostly of the first group, with somebody who is mostly in that.
    fn branch(&mut self, device: Device) {
        let groups = self.creators.len() + self.branches.made;
        let group = if self.dice.one_in(3) { self.dice.below(groups) } else { 0 };
        let operation = Operation::Branch(self.account());
        self.steps.push(Step::Operate { device, group, operation });
        self.branches.made += 1;
        if !self.dice.one_in(3) {
            self.work(WORK_MAX, false);
        }
    }

    fn live_in_branch(&mut self) {
        let group = self.creators.len() + self.dice.below(self.branches.made);
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
}
