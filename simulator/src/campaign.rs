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
    /// Whether runs begin when one has failed.
    pub keep_going: bool,
}

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its seed.
    pub seed: u64,
    /// How it failed.
    pub failure: Failure,
}

/// A run that failed, made small.
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

/// Plays the runs of a campaign, and calls `progress` after each with all figures so far, and with how it
/// failed if it did. What failed comes back, the lowest seed first.
pub fn campaign(
    campaign: &Campaign,
    progress: impl Fn(&Figures, Option<&Broken>) + Sync,
) -> (Figures, Vec<Broken>) {
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new((Figures::default(), Vec::new()));
    let work = || {
        while campaign.keep_going || !failed.load(Ordering::SeqCst) {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= campaign.runs {
                return;
            }
            let seed = campaign.seed.wrapping_add(number);
            let run = draw(seed, campaign.members).play();
            let broken = run.failure.map(|failure| Broken { seed, failure });
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.0 += run.figures;
            progress(&total.0, broken.as_ref());
            if let Some(broken) = broken {
                failed.store(true, Ordering::SeqCst);
                total.1.push(broken);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..campaign.threads.max(1) {
            scope.spawn(work);
        }
    });
    let (figures, mut all) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|broken| broken.seed);
    (figures, all)
}

impl Broken {
    /// The smallest trace that fails like this; all of it where it does not always fail.
    pub fn made_small(&self, members: Option<usize>) -> Found {
        let seed = self.seed;
        let whole = draw(seed, members);
        let trace = shrink(&whole);
        match trace.play().failure {
            Some(failure) => Found { seed, failure, trace },
            None => Found { seed, failure: self.failure.clone(), trace: whole },
        }
    }
}
