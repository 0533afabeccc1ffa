//! What is on the disk stays readable: databases that an earlier version wrote are opened with
//! today's code, and the conversation that was under way in them goes on. What was deleted is not on it any more.
//!
//! README.md beside this file says how a fixture is made, docs/storage.md how a format changes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod files;
mod people;
mod servers;
mod stolen;
mod story;
mod world;

use std::path::PathBuf;

#[test]
fn what_earlier_versions_wrote_is_read_and_goes_on() {
    let fixtures = files::fixtures();
    assert!(!fixtures.is_empty(), "no fixture was found");
    for fixture in fixtures {
        println!("the fixture {}", fixture.display());
        let copy = tempfile::tempdir().unwrap();
        files::copy(&fixture, copy.path());
        story::goes_on(copy.path());
    }
}

#[test]
fn what_this_version_writes_is_read_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    story::is_interrupted(folder.path());
    if let Some(kept) = std::env::var_os("MAKE_STORAGE_FIXTURE") {
        files::copy(folder.path(), &PathBuf::from(kept));
    }
    story::goes_on(folder.path());
}

/// The first test opens what it says: a database whose values are of another form is refused.
#[test]
fn a_record_of_another_form_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    story::is_interrupted(folder.path());
    let why = story::error_with_a_longer_record(folder.path());
    assert!(why.contains("an entry of group_record"), "{why}");
}
