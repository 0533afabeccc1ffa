//! `cargo xtask`: the one entry to the demo, the tests and what CI runs.

mod bench;
mod cargo;
mod ci;
mod demo;
mod progress;
mod simulate;
mod test;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::error::RigError;

const NEEDS: &str = "\
Needs Rust, a C compiler and Python 3 with venv. Synapse is installed from PyPI under target/servers
(pinned, once, about a minute). Prosody is taken from PATH; where it is missing, root on Debian or
Ubuntu gets it by apt-get, and everybody else the command to run.";

/// Everything that a developer of mls-bridge runs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = NEEDS)]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show one group on a real Synapse and a real Prosody at once, and that the bridge is blind
    #[command(after_help = demo::TEACHES)]
    Demo(demo::Arguments),
    /// Build everything, set the servers up and run every test
    #[command(after_help = test::TEACHES)]
    Test(test::Arguments),
    /// What CI runs: rustfmt, clippy, rustdoc (warnings are errors), then every test
    Ci,
    /// Run the passive-client test vectors of the MLS working group
    #[command(after_help = vectors::TEACHES)]
    Vectors(vectors::Arguments),
    /// Play groups of many members with faults drawn from a seed, in memory
    #[command(after_help = simulate::TEACHES)]
    Simulate(simulate::Arguments),
    /// Measure messages, relay, memory and latency, beside bare mls-rs, in release builds
    #[command(after_help = bench::TEACHES)]
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().task {
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Ci => ci::run(),
        Task::Vectors(arguments) => vectors::run(&arguments),
        Task::Simulate(arguments) => simulate::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::fail(&error);
            ExitCode::FAILURE
        }
    }
}

/// A failure in words.
fn failed(text: impl Into<String>) -> RigError {
    RigError::Answer(text.into())
}
