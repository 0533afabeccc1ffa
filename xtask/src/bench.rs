//! `cargo xtask bench`: release builds of the programs, then the figures of tests/benches.

use clap::Args;
use tests::binaries::{FOLDER_VARIABLE, target_folder};
use tests::error::RigError;
use tests::{prosody, synapse};

use crate::{cargo, progress};

pub(crate) const TEACHES: &str = "\
Figures:
  messages   encrypt and decrypt with durable state at 10 and 1,000 members, beside bare mls-rs
  relay      messages a second through the hub, with stand-in servers that cost nothing
  memory     of mls-bridge with 10 groups of 1,000 members
  latency    that the hub adds to a message, with Synapse and Prosody

docs/performance.md says what each of them includes. Nothing else should run on the machine.";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these figures (all of them, if none is named)
    figures: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), RigError> {
    let programs: std::path::PathBuf = match std::env::var_os(FOLDER_VARIABLE) {
        Some(folder) => folder.into(),
        None => {
            progress::step("Compiling mls-bridge and mls-bot in release (10 minutes, once)");
            cargo::run(&["build", "--quiet", "--release", "--workspace", "--bins"], None)?;
            target_folder()?.join("release")
        }
    };
    progress::step("Looking for Prosody, and installing it where it is missing");
    prosody::install()?;
    progress::step("Looking for Synapse, and installing it where it is missing (a minute)");
    synapse::install()?;
    progress::step("Compiling the figures, and measuring");
    progress::end();
    let mut words = vec!["bench", "--quiet", "-p", "tests", "--bench", "figures", "--locked", "--"];
    words.extend(arguments.figures.iter().map(String::as_str));
    let shown = programs.to_string_lossy();
    cargo::run(&words, Some((FOLDER_VARIABLE, &shown)))
}
