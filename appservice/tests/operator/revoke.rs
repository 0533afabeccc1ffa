//! `mls-bridge revoke` by the program itself, where no server runs.

use std::fs;

use storage::{Database, Role};
use tempfile::TempDir;

use crate::{CONFIG, bridge};

/// An operator's folder.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mls-bridge.toml"), CONFIG).unwrap();
    folder
}

/// Runs `mls-bridge revoke`: how it must end, and what it must say.
fn assert_ends(folder: &TempDir, arguments: &[&str], code: i32, words: &str) {
    let arguments = [&["revoke", "--config", "mls-bridge.toml"], arguments].concat();
    let (ended, said) = bridge(folder.path(), &arguments);
    assert!(ended == Some(code) && said.contains(words), "{code}, {words}: {ended:?}, {said}");
}

#[test]
fn an_account_is_revoked_listed_and_given_back_while_the_server_is_stopped() {
    let folder = folder();
    assert_ends(&folder, &["--list"], 0, "Nobody is revoked");
    assert_ends(&folder, &["Bob@Example.net"], 0, "mls-bridge does not run");
    assert_ends(&folder, &["--list"], 0, "xmpp:bob@example.net  since ");
    assert_ends(&folder, &["--list", "--json"], 0, r#""user":"xmpp:bob@example.net""#);
    assert_ends(&folder, &["--undo", "bob@example.net"], 0, "may ask again");
    assert_ends(&folder, &["--list"], 0, "Nobody is revoked");
}

#[test]
fn what_cannot_be_done_is_said_with_the_next_step_and_an_exit_code() {
    let folder = folder();
    assert_ends(&folder, &["bob"], 2, "@alice:example.org/QWERTYUIOP");
    assert_ends(&folder, &[], 2, "CLIENT|USER");
    assert_ends(&folder, &["--list", "bob@example.net"], 2, "cannot be used with");
    assert_ends(&folder, &["eve@elsewhere.org"], 1, "an admin of its groups can remove it");
    let unknown = "bob@example.net/00112233445566ff";
    assert_ends(&folder, &[unknown], 1, "look at its id again");
    assert_ends(&folder, &["--undo", unknown], 1, "`mls-bridge revoke --list`");
    // Somebody holds the database, and does not listen.
    let path = folder.path().join("mls-bridge.db");
    let _held = Database::open(&path, Role::Hub, None).unwrap();
    assert_ends(&folder, &["--list"], 3, "database");
}
