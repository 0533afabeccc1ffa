//! The passive-client vectors of the MLS working group, run on the member's engine and storage.
//!
//! The vectors are not part of this repository: `cargo xtask vectors --help` says where they are
//! looked for. A vector is a client's private keys and what it receives; the client must reach
//! the epoch authenticators that the implementation that made the vector reached.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod case;
mod folder;
mod made;
mod report;
mod run;
mod runner;

use std::io::Write;

use folder::Found;
use report::Report;

#[test]
fn every_vector_leads_to_its_epoch_authenticators() {
    let folder = match folder::find() {
        Found::Named(folder) | Found::Sibling(folder) => folder,
        Found::Nowhere(looked_at) => {
            say(&format!("MLS test vectors: skipped, there is no {}", looked_at.display()));
            return;
        }
    };
    let mut report = Report::new(&folder);
    for file in folder::json_files(&folder) {
        report.add(run::file(&file));
    }
    say(&format!("\n{report}"));
    assert_eq!(report.failed(), 0, "vectors failed, see above");
    // A folder of other files, or of suites that the provider lacks, would else show as a success.
    assert!(report.passed() > 0, "no passive-client vector passed in {}", folder.display());
}

/// To the standard output itself: what a passed test prints is hidden.
fn say(text: &str) {
    std::io::stdout().write_all(format!("{text}\n").as_bytes()).unwrap();
}
