//! `cargo xtask test`: the programs, the servers, then `cargo test`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use ::tests::binaries::FOLDER_VARIABLE;
use ::tests::error::RigError;
use ::tests::{prosody, synapse};
use clap::Args;

use crate::{cargo, failed, progress};

pub(crate) const TEACHES: &str = "\
Examples:
  cargo xtask test                          everything
  cargo xtask test kick                     tests with `kick` in their name
  cargo xtask test -- --test-threads 1      arguments for the test programs

Each program in tests/tests starts its own Synapse, Prosody and mls-bridge on free ports; all of it
is gone when the program ends. The folder of a flow that failed (configurations, databases, logs) is
left, and the failure says where; MLS_BRIDGE_KEEP=1 leaves all of them.";

#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Only tests whose names hold this text
    filter: Option<String>,
    /// Arguments for the test programs themselves
    #[arg(last = true)]
    rest: Vec<String>,
}

/// What the test programs said in their closing lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    programs: usize,
    passed: u64,
    failed: u64,
    ignored: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), RigError> {
    let programs = cargo::build_programs()?;
    progress::step("Looking for Prosody, and installing it where it is missing");
    prosody::install()?;
    progress::step("Looking for Synapse, and installing it where it is missing (a minute)");
    synapse::install()?;
    progress::step("Running the tests");
    progress::end();
    let mut words = vec!["test", "--workspace", "--no-fail-fast", "--locked"];
    words.extend(arguments.filter.as_deref());
    words.push("--");
    words.extend(arguments.rest.iter().map(String::as_str));
    let mut child = cargo::command(&words)
        .env(FOLDER_VARIABLE, programs)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot start cargo test: {e}")))?;
    let mut totals = Totals::default();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line.map_err(|e| failed(format!("cannot read from cargo test: {e}")))?;
        totals.count(&line);
        progress::print(&line);
    }
    let status = child.wait().map_err(|e| failed(format!("cannot wait for cargo test: {e}")))?;
    let Totals { programs, passed, failed: not_passed, ignored } = totals;
    let sum = format!(
        "{passed} tests passed, {not_passed} failed, {ignored} were ignored, in {programs} programs"
    );
    progress::print(&sum);
    if status.success() && not_passed == 0 { Ok(()) } else { Err(failed("cargo test failed")) }
}

impl Totals {
    /// Adds a line such as `test result: ok. 8 passed; 0 failed; 0 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        let words: Vec<&str> = rest.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            if let [number, what] = pair {
                let number: u64 = number.parse().unwrap_or(0);
                match *what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.ignored += number,
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn closing_lines_are_added_up() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test result: ok. 8 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 5 filtered out",
        ] {
            totals.count(line);
        }
        assert_eq!(totals, Totals { programs: 2, passed: 10, failed: 3, ignored: 1 });
    }
}
