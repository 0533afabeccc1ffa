//! The authority's log of certificates on the command line: what to show others of a fork, whether what they show
//! holds, and going on after one.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use mls_core::identity::{FINGERPRINT_DIGITS, readable_fingerprint};
use mls_core::member::{Command, LogSummary};
use mls_core::transparency::{LogError, LogEvidence, LogEvidenceError};

use crate::exit::Exit;
use crate::identity_text::Carried;

/// What to do beside listing.
#[derive(Debug, Default, Args)]
#[command(group(clap::ArgGroup::new("about").multiple(false)))]
pub struct Certificates {
    /// Write the two heads of the log's last fork into a new file, for others to check
    #[arg(long, group = "about", value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Say whether what somebody wrote by --evidence holds; needs no profile and no connection
    #[arg(long, group = "about", value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// Follow the log that came where the known one forked: ROOT is what this command shows of it
    #[arg(long, group = "about", value_name = "ROOT")]
    pub accept_log: Option<String>,
}

/// Writes the evidence of the last fork.
pub(crate) fn write_evidence(file: &Path, log: Option<&LogSummary>) -> Result<(), Exit> {
    let Some(fork) = log.and_then(|log| log.forks.last()) else {
        return Err(Exit::Failed("this device has seen no fork of the log".to_owned()));
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .and_then(|mut file| writeln!(file, "{}", fork.evidence.to_line()));
    written.map_err(|error| cannot(file, error))
}

/// The sentence that says that the evidence in a file holds; the error says why not.
pub(crate) fn check(file: &Path) -> Result<String, Exit> {
    let length = fs::metadata(file).map_err(|error| cannot(file, error))?.len();
    if length > LogEvidence::LINE_BYTES_MAX as u64 {
        return Err(cannot(file, format!("longer than {} bytes", LogEvidence::LINE_BYTES_MAX)));
    }
    let line = fs::read_to_string(file).map_err(|error| cannot(file, error))?;
    let evidence = LogEvidence::from_line(&line).map_err(|why| cannot(file, why))?;
    let (first, second) = (&evidence.first.head.head, &evidence.second.head.head);
    let both = format!("{}; and {}", first.in_words(), second.in_words());
    match evidence.verify() {
        Ok(()) => Ok(format!(
            "the evidence holds: {} signed two logs that cannot both be true: {both}. Compare the root's \
             fingerprint with what `authorities` shows, or its operator",
            signers(&evidence)
        )),
        Err(LogEvidenceError::Head(LogError::NoContradiction)) => Err(Exit::Failed(format!(
            "this proves nothing by itself: {} signed both, and both can be true: {both}. Only it can prove \
             that the larger log begins with the smaller: ask it",
            signers(&evidence)
        ))),
        Err(error) => Err(Exit::Failed(format!("the evidence does not hold: {error}"))),
    }
}

/// The command by which the log that came is followed, whose root was typed.
pub(crate) fn accept(typed: &str, log: Option<&LogSummary>) -> Result<Command, Exit> {
    let Some(two) = log.and_then(|log| log.fork.as_ref()) else {
        return Err(Exit::Usage("the log has not forked: there is nothing to accept".to_owned()));
    };
    let digits: String =
        typed.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    let root = two.second.head.root;
    if digits.len() < FINGERPRINT_DIGITS || !root.to_string().starts_with(&digits) {
        let shown = two.second.head.in_words();
        return Err(Exit::Usage(format!("{typed} is not the root of the log that came: {shown}")));
    }
    Ok(Command::AcceptLog(root))
}

/// Who signed, for people.
fn signers(evidence: &LogEvidence) -> String {
    let roots = evidence.roots().into_iter().map(|root| readable_fingerprint(&root.to_string()));
    let roots = roots.collect::<Vec<_>>().join(" and ");
    let domain: String = evidence.domain.chars().filter(|c| !c.is_control()).collect();
    format!("the authority of {domain} (root {roots})")
}

fn cannot(file: &Path, why: impl std::fmt::Display) -> Exit {
    Exit::Failed(format!("{}: {why}", file.display()))
}

#[cfg(test)]
mod tests;
