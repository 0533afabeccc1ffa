//! What came of the vectors, by file and suite.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};
use std::path::{Path, PathBuf};

use crate::run::Failure;

/// What came of one case.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    /// The crypto provider lacks its suite.
    Skipped,
    Failed(Failure),
}

/// What came of one file.
pub(crate) enum FileReport {
    /// Each case with its suite, which is not known of a case that could not be read.
    Vectors(String, Vec<(Option<u16>, Outcome)>),
    /// A file of another schema.
    Other(String),
    /// Not JSON, or not readable.
    Broken(String, String),
}

/// What came of a folder.
pub(crate) struct Report {
    folder: PathBuf,
    files: Vec<FileReport>,
}

#[derive(Default)]
struct Counts {
    passed: usize,
    skipped: usize,
    failed: usize,
}

impl Report {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: Vec::new() }
    }

    pub(crate) fn add(&mut self, file: FileReport) {
        self.files.push(file);
    }

    /// Cases that were run and led where they should.
    pub(crate) fn passed(&self) -> usize {
        self.counts().passed
    }

    /// Cases that failed, and files that could not be read.
    pub(crate) fn failed(&self) -> usize {
        let broken = self.files.iter().filter(|f| matches!(f, FileReport::Broken(..))).count();
        self.counts().failed + broken
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for file in &self.files {
            if let FileReport::Vectors(_, outcomes) = file {
                outcomes.iter().for_each(|(_, outcome)| counts.add(outcome));
            }
        }
        counts
    }
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} passed, {} skipped, {} failed", self.passed, self.skipped, self.failed)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "MLS test vectors in {}", self.folder.display())?;
        for file in &self.files {
            write!(f, "{file}")?;
        }
        write!(f, "all: {}", self.counts())
    }
}

impl Display for FileReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Other(name) => writeln!(f, "  {name}: not a passive-client file"),
            Self::Broken(name, why) => writeln!(f, "  {name}: FAILED, cannot be read: {why}"),
            Self::Vectors(name, outcomes) => {
                writeln!(f, "  {name}")?;
                let mut suites = BTreeMap::<_, Counts>::new();
                for (suite, outcome) in outcomes {
                    suites.entry(*suite).or_default().add(outcome);
                }
                for (suite, counts) in suites {
                    let lacking = if counts.skipped > 0 { ": the provider lacks it" } else { "" };
                    writeln!(f, "    {}: {counts}{lacking}", suite_name(suite))?;
                }
                outcomes.iter().enumerate().try_for_each(|(place, outcome)| match outcome {
                    (suite, Outcome::Failed(failure)) => {
                        let suite = suite_name(*suite);
                        writeln!(f, "    FAILED {name}, case {place}, {suite}, {failure}")
                    }
                    _ => Ok(()),
                })
            }
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.after {
            Some(after) => write!(f, "epoch {after} of the vector: {}", self.why),
            None => write!(f, "joining: {}", self.why),
        }
    }
}

/// RFC 9420 17.1.
fn suite_name(suite: Option<u16>) -> String {
    let name = match suite {
        Some(1) => "X25519, AES-128-GCM, SHA-256, Ed25519",
        Some(2) => "P-256, AES-128-GCM, SHA-256, ECDSA P-256",
        Some(3) => "X25519, ChaCha20-Poly1305, SHA-256, Ed25519",
        Some(4) => "X448, AES-256-GCM, SHA-512, Ed448",
        Some(5) => "P-521, AES-256-GCM, SHA-512, ECDSA P-521",
        Some(6) => "X448, ChaCha20-Poly1305, SHA-512, Ed448",
        Some(7) => "P-384, AES-256-GCM, SHA-384, ECDSA P-384",
        Some(_) => "a suite that RFC 9420 does not name",
        None => return "a case that cannot be read".to_owned(),
    };
    format!("suite {:#06x} ({name})", suite.unwrap_or_default())
}
