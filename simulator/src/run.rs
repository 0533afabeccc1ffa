//! One run: a trace from its first step to the last check.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mls_core::engine::sha256;
use mls_core::wire::Digest;

use crate::failure::{Failure, Rule};
use crate::figures::Figures;
use crate::stage::Stage;
use crate::trace::Trace;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What happened, until the failure if there was one.
    pub figures: Figures,
    /// The promise that was broken, if one was.
    pub failure: Option<Failure>,
}

impl Trace {
    /// Plays the trace, lets the faults end, and checks every promise.
    pub fn play(&self) -> Run {
        let mut figures = Figures { runs: 1, ..Figures::default() };
        let played = catch_unwind(AssertUnwindSafe(|| self.try_play(&mut figures)));
        let failure = match played {
            Ok(result) => result.err(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
                Some(Rule::NeverFails.broken(format!("panic: {}", text.unwrap_or_default())))
            }
        };
        Run { figures, failure }
    }

    /// Names the story to its chances: the same trace has the same.
    fn story(&self) -> u64 {
        let Digest(hash) = sha256(self.to_string().as_bytes());
        hash.iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)).max(1)
    }

    fn try_play(&self, figures: &mut Figures) -> Result<(), Failure> {
        let mut world = Stage::of(self.begins, &self.cast)?.world(self.story())?;
        let mut play = || {
            self.steps.iter().try_for_each(|step| world.step(step))?;
            world.heal()?;
            world.probe()?;
            world.heal()?;
            world.check()
        };
        let played = play();
        *figures = Figures { runs: 1, ..world.figures };
        *figures += world.record.figures();
        played
    }
}
