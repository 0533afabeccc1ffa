//! What some stories have further: groups that are restarted, accounts that knock, an authority that
//! refuses, and commands that are given again. Drawn from a stream of its own, as [`super::beside`].

use super::{Drawing, WORK_MAX};
use crate::authority::Authority;
use crate::dice::Dice;
use crate::operation::Operation;
use crate::step::{Device, Group, Step};

/// Makes another stream of a seed.
const STREAM: u64 = 0x0066_7572_7468_6572;
const DAY_S: u64 = 24 * 3600;
/// Certificates are renewed at 60 days, end after 90, and a leaf goes 7 days before where its group asks
/// for one.
const SEASONS_DAYS: [u64; 4] = [30, 61, 70, 85];
const REFUSALS: [Authority; 5] = [
    Authority::Refuses,
    Authority::Refuses,
    Authority::Rations,
    Authority::Away,
    Authority::Silent,
];

/// Whether a story has each of it.
pub(super) struct Further {
    dice: Dice,
    restarts: bool,
    knocks: bool,
    refuses: bool,
    repeats: bool,
    /// Restarts so far, each of which may have made a group.
    restarted: usize,
    /// One is enough: it costs more than all else.
    had_season: bool,
}

impl Further {
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ STREAM);
        let (restarts, knocks) = (dice.one_in(4), dice.one_in(4));
        let (refuses, repeats) = (dice.one_in(25), dice.one_in(3));
        Self { dice, restarts, knocks, refuses, repeats, restarted: 0, had_season: false }
    }
}

impl Drawing {
    /// Some of it when the first group stands.
    pub(super) fn begin_further(&mut self, founder: Device) {
        self.swap_further();
        if self.further.restarts || self.further.knocks {
            let operation = Operation::Admin(self.account());
            self.steps.push(Step::Operate { device: founder, group: 0, operation });
            self.work(WORK_MAX, false);
        }
        if self.further.refuses && !self.dice.one_in(3) {
            let operation = Operation::Certified(true);
            self.steps.push(Step::Operate { device: founder, group: 0, operation });
            self.work(WORK_MAX, false);
        }
        self.swap_further();
    }

    /// Some of it after a turn.
    pub(super) fn turn_further(&mut self) {
        self.swap_further();
        if self.further.restarts && self.dice.one_in(12) {
            self.restart();
        }
        if self.further.knocks && self.dice.one_in(6) {
            self.knock();
        }
        if self.further.refuses && self.dice.one_in(8) {
            self.refuse();
        }
        if self.further.repeats && self.dice.one_in(6) {
            let (device, count) = (self.device(), self.dice.between(1, 4));
            self.steps.push(Step::Again { device, count });
        }
        self.swap_further();
    }

    /// An admin restarts a group, or two do at once, and mostly some people say something after it.
    fn restart(&mut self) {
        let group = self.dice.below(self.creators.len() + self.further.restarted);
        let matrix = self.dice.one_in(2);
        let parted = self.dice.one_in(5);
        if parted {
            self.steps.push(Step::Part { matrix });
        }
        let makers = if self.dice.one_in(3) { 2 } else { 1 };
        for _ in 0..makers {
            let device = if makers > 1 { self.device() } else { self.admin(group) };
            self.steps.push(Step::Operate { device, group, operation: Operation::Restart });
        }
        self.further.restarted += 1;
        if parted && !self.dice.one_in(3) {
            self.work(WORK_MAX, false);
            self.steps.push(Step::Mend { matrix });
        }
        if !self.dice.one_in(3) {
            self.work(WORK_MAX, false);
            let device = self.device();
            self.steps.push(Step::Send { device, group, count: self.dice.between(1, 2) });
        }
    }

    /// Somebody knocks, or somebody answers, or two do.
    fn knock(&mut self) {
        let group: Group = self.dice.below(self.creators.len());
        if self.dice.one_in(2) {
            let device = self.device();
            self.steps.push(Step::Operate { device, group, operation: Operation::Knock });
            if self.dice.one_in(2) {
                self.work(WORK_MAX, false);
            }
        }
        for _ in 0..self.dice.below(3) {
            let device = if self.dice.one_in(2) { self.admin(group) } else { self.device() };
            self.steps.push(Step::Answer { device, lets_in: self.dice.one_in(2) });
        }
    }

    /// The authority treats a device in another way, perhaps for a season.
    fn refuse(&mut self) {
        let device = self.device();
        let authority = match self.dice.one_in(3) {
            true => Authority::Signs,
            false => self.dice.pick(&REFUSALS).copied().unwrap_or(Authority::Signs),
        };
        self.steps.push(Step::Authority { device, authority });
        if !self.further.had_season && self.dice.one_in(3) {
            self.further.had_season = true;
            for device in 0..self.users.len() {
                if !self.dice.one_in(6) {
                    self.steps.push(Step::Back { device });
                }
            }
            let days = self.dice.pick(&SEASONS_DAYS).copied().unwrap_or(0);
            self.steps.push(Step::Time { seconds: days * DAY_S });
        }
    }

    fn swap_further(&mut self) {
        std::mem::swap(&mut self.dice, &mut self.further.dice);
    }
}
