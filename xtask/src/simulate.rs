//! `cargo xtask simulate`: stories from seeds, played until one fails.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use simulator::{Broken, Campaign, Trace, campaign};
use tests::error::RigError;

use crate::{failed, progress};

pub(crate) const TEACHES: &str = "\
Each run is a story of its own: people make groups, invite, remove, leave, talk and come back, on two
networks with one hub, all in memory; meanwhile things are lost, doubled and overtaken, devices and
networks are cut off, and processes are killed at every point. Then the faults end, and hub and
members must agree, and have lost nothing. The same seed is the same story, but for keys that the crypto library
draws by itself: play a rare failure several times.

Examples:
  cargo xtask simulate                               2,000 runs, as the tests play them
  cargo xtask simulate --seed 90000 --runs 100000    others, for an hour
  cargo xtask simulate --keep-going --seed 90000     others, and all that fail
  cargo xtask simulate --tell --seed 7 --runs 1      one, told step by step
  cargo xtask simulate --members 40 --runs 50        larger groups
  cargo xtask simulate --replay trace.txt            one trace, from a file (`-`: from stdin)

A failure is made small: what is printed then is the least that was found to fail in the same way,
one step a line, with the command that plays it again. It can be pasted into a test
(simulator/tests/regressions.rs). In a debug build a run takes about a tenth of a second.";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The seed of the first run; each next one has the next seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many runs
    #[arg(long, default_value_t = 2000)]
    runs: u64,
    /// Devices in each run [default: 3 to 10, by the seed]
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=500))]
    members: Option<u16>,
    /// Runs at the same time [default: as many as there are processors]
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Plays on after a failure, and names each seed that fails instead of making one small
    #[arg(long)]
    keep_going: bool,
    /// Tells the stories as they are played, on stderr: all that comes to hub and devices, and what they do
    #[arg(long)]
    tell: bool,
    /// Play the one trace in this file instead
    #[arg(long, conflicts_with_all = ["seed", "runs", "members", "threads", "keep_going"])]
    replay: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), RigError> {
    if arguments.tell {
        let plain = tracing_subscriber::fmt().without_time().with_level(false).with_target(false);
        plain.with_writer(std::io::stderr).with_max_level(tracing::Level::TRACE).init();
    }
    if let Some(file) = &arguments.replay {
        return replay(file);
    }
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok());
    let all = Campaign {
        seed: arguments.seed,
        runs: arguments.runs,
        members: arguments.members.map(usize::from),
        threads: threads.map_or(1, NonZero::get),
        keep_going: arguments.keep_going,
    };
    let start = Instant::now();
    progress::begin(all.runs, &format!("simulating from seed {}", all.seed));
    let (figures, broken) = campaign(&all, |figures, broken| {
        if let Some(Broken { seed, failure }) = broken.filter(|_| all.keep_going) {
            progress::print(&format!("seed {seed}: {failure}"));
        }
        progress::reached(figures.runs);
    });
    progress::end();
    if let Some(first) = broken.first().filter(|_| !all.keep_going) {
        let found = first.made_small(all.members);
        progress::print(&format!("{found}\n{}", how_to_replay(&found.trace)));
    }
    let (seconds, failures) = (start.elapsed().as_secs(), broken.len());
    progress::print(&format!("{figures}, {failures} failures, in {seconds} s"));
    match broken.first() {
        Some(first) => Err(failed(format!("seed {} breaks a promise", first.seed))),
        None => Ok(()),
    }
}

fn how_to_replay(trace: &Trace) -> String {
    format!("Play it again:\ncargo xtask simulate --replay - <<'TRACE'\n{trace}\nTRACE\n")
}

fn replay(file: &PathBuf) -> Result<(), RigError> {
    let text = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(file),
    };
    let text = text.map_err(|e| failed(format!("{} cannot be read: {e}", file.display())))?;
    let trace: Trace = text.parse().map_err(|e| failed(format!("{}: {e}", file.display())))?;
    let run = trace.play();
    progress::print(&run.figures.to_string());
    match run.failure {
        Some(failure) => Err(failed(failure.to_string())),
        None => Ok(()),
    }
}
