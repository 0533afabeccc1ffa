//! The end of a run: faults end, everything arrives, and time passes until nothing is left to do.

use crate::dice::Dice;
use crate::failure::{Failure, Rule};
use crate::step::Step;
use crate::weather::Weather;
use crate::world::World;

/// Seconds that pass at once, by turns: ranks and races need short times, waits that double need
/// longer ones, and each hour a new connection asks for the newest handshakes.
const SHORT_S: u64 = 20;
const LONG_S: u64 = 300;
const HOUR_S: u64 = 3700;
const DAY_S: u64 = 24 * 3600;
/// Rounds of an hour until everything must be quiet.
const ROUNDS_MAX: usize = 6;
/// Things that may move in one moment.
const MOVES_MAX: usize = 20_000;

impl World {
    /// One message more in each group, by which whoever cannot follow notices it.
    pub(crate) fn probe(&mut self) -> Result<(), Failure> {
        for group in 0..self.groups.len() {
            if self.group(group).is_some_and(|group| self.record.is_replaced(&group)) {
                continue;
            }
            if let Some(device) = self.staying(group)?.first() {
                self.step(&Step::Send { device: *device, group, count: 1 })?;
            }
        }
        Ok(())
    }

    /// Ends all faults and waits.
    pub(crate) fn heal(&mut self) -> Result<(), Failure> {
        self.healed_ms = self.healed_ms.min(self.now_ms);
        self.hub.parted.clear();
        self.hub.armed = None;
        self.nodes.iter_mut().for_each(|node| node.armed = None);
        let refused = std::mem::take(&mut self.authority);
        let mut dice = Dice::new(0);
        for round in 0..ROUNDS_MAX {
            for device in 0..self.nodes.len() {
                if !self.see(device)?.buried {
                    self.back(device)?;
                }
            }
            self.settle(&mut dice)?;
            for seconds in [SHORT_S; 8].into_iter().chain([LONG_S, SHORT_S, SHORT_S]) {
                self.pass(seconds)?;
                self.settle(&mut dice)?;
            }
            if round == 0 && !refused.is_empty() {
                // Who was refused a certificate asks again a day later.
                self.pass(DAY_S)?;
                self.settle(&mut dice)?;
                continue;
            }
            // The newest handshake may have been lost: that shows an hour later at the earliest.
            if round > 0 && self.is_quiet()? {
                return Ok(());
            }
            self.pass(HOUR_S)?;
            self.settle(&mut dice)?;
        }
        let waiting = self.waiting()?;
        Err(Rule::ComesToRest.broken(format!("after {ROUNDS_MAX} hours: {waiting:?}")))
    }

    /// Everything that is on its way arrives.
    pub(crate) fn settle(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        for _ in 0..MOVES_MAX {
            if !self.move_one(dice, Weather::default())? {
                return Ok(());
            }
        }
        Err(Rule::ComesToRest.broken(format!("in one moment, of {:?}", self.places())))
    }

    fn is_quiet(&self) -> Result<bool, Failure> {
        Ok(self.places().is_empty() && self.waiting()?.is_empty())
    }

    /// What members still want done.
    fn waiting(&self) -> Result<Vec<String>, Failure> {
        let mut waiting = Vec::new();
        for (device, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.buried) {
            for output in node.member.pending()? {
                let text: String = format!("{output:?}").chars().take(80).collect();
                waiting.push(format!("d{device}: {text}"));
            }
        }
        Ok(waiting)
    }
}
