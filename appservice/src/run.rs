//! `mls-bridge run`: connects everything, serves until a signal, stops in order.

use crate::command_line::{Exit, RunArguments};
use crate::config::Config;

/// Serves.
pub fn run(arguments: &RunArguments) -> Exit {
    match Config::load(&arguments.config.config) {
        Ok(_) => Exit::Failed,
        Err(faults) => {
            eprintln!("mls-bridge: {faults}");
            Exit::Faulty
        }
    }
}
