//! `mls-bridge check`: faults of the configuration, and whether both servers are there.

use std::path::Path;

use crate::command_line::Exit;
use crate::config::Config;

/// Prints what is wrong and how to mend it, or that nothing is.
pub fn check(file: &Path) -> Exit {
    match Config::load(file) {
        Ok(_) => Exit::Done,
        Err(faults) => {
            println!("{faults}");
            Exit::Faulty
        }
    }
}
