//! Many runs, side by side, until one fails.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::draw::draw;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::shrink::shrink;
use crate::trace::Trace;

/// Which runs.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The seed of the first; each next one has the next seed.
    pub seed: u64,
    /// How many.
    pub runs: u64,
    /// Devices in each; nothing leaves that to the seed.
    pub members: Option<usize>,
    /// Runs at the same time.
    pub threads: usize,
}

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its seed.
    pub seed: u64,
    /// How the shrunk trace fails.
    pub failure: Failure,
    /// The smallest trace that was found to fail so.
    pub trace: Trace,
}

/// How it failed, the trace, and how to play it again.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, failure, trace } = self;
        write!(
            f,
            "seed {seed}: {failure}\n\nThe smallest trace that fails so, for `Trace::play`:\n{trace}\n"
        )
    }
}

/// Plays the runs of a campaign and calls `progress` after each with all figures so far. After the
/// first failure no more begin; the one with the lowest seed is shrunk.
pub fn campaign(
    campaign: &Campaign,
    progress: impl Fn(&Figures) + Sync,
) -> (Figures, Option<Found>) {
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new((Figures::default(), None::<(u64, Failure)>));
    let work = || {
        while !failed.load(Ordering::SeqCst) {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= campaign.runs {
                return;
            }
            let seed = campaign.seed.wrapping_add(number);
            let run = draw(seed, campaign.members).play();
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.0 += run.figures;
            if let Some(failure) = run.failure {
                failed.store(true, Ordering::SeqCst);
                let first = total.1.as_ref().is_none_or(|(other, _)| seed < *other);
                if first {
                    total.1 = Some((seed, failure));
                }
            }
            progress(&total.0);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..campaign.threads.max(1) {
            scope.spawn(work);
        }
    });
    let (figures, first) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    (figures, first.map(|(seed, failure)| find(seed, failure, campaign.members)))
}

/// The smallest trace that fails like this; all of it where it does not always fail.
fn find(seed: u64, failure: Failure, members: Option<usize>) -> Found {
    let whole = draw(seed, members);
    let trace = shrink(&whole);
    match trace.play().failure {
        Some(failure) => Found { seed, failure, trace },
        None => Found { seed, failure, trace: whole },
    }
}
