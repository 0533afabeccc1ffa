//! `mls-bridge revoke` by the program itself, where no server runs.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::process::{Command, Output};

use storage::{Database, Role};
use tempfile::TempDir;

const CONFIG: &str = r#"
database = "mls-bridge.db"
[xmpp]
domain = "example.net"
component = "mls.example.net"
address = "127.0.0.1:1"
secret = "ssssssssssssssssssssssssssssssssssssssss"
muc_service = "rooms.example.net"
"#;

/// An operator's folder.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mls-bridge.toml"), CONFIG).unwrap();
    folder
}

fn revoke(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mls-bridge"));
    command.args(["revoke", "--config", "mls-bridge.toml"]).args(arguments);
    command.current_dir(folder.path()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn assert_ends(output: &Output, code: i32, words: &str) {
    let said = said(output);
    assert!(output.status.code() == Some(code) && said.contains(words), "{code}, {words}: {said}");
}

#[test]
fn an_account_is_revoked_listed_and_given_back_while_the_server_is_stopped() {
    let folder = folder();
    assert_ends(&revoke(&folder, &["--list"]), 0, "Nobody is revoked");
    assert_ends(&revoke(&folder, &["Bob@Example.net"]), 0, "mls-bridge does not run");
    let listed = revoke(&folder, &["--list"]);
    assert_ends(&listed, 0, "xmpp:bob@example.net  since ");
    assert_ends(&revoke(&folder, &["--list", "--json"]), 0, r#""user":"xmpp:bob@example.net""#);
    assert_ends(&revoke(&folder, &["--undo", "bob@example.net"]), 0, "may ask again");
    assert_ends(&revoke(&folder, &["--list"]), 0, "Nobody is revoked");
}

#[test]
fn what_cannot_be_done_is_said_with_the_next_step_and_an_exit_code() {
    let folder = folder();
    assert_ends(&revoke(&folder, &["bob"]), 2, "@alice:example.org/QWERTYUIOP");
    assert_ends(&revoke(&folder, &[]), 2, "CLIENT|USER");
    assert_ends(&revoke(&folder, &["--list", "bob@example.net"]), 2, "cannot be used with");
    assert_ends(
        &revoke(&folder, &["eve@elsewhere.org"]),
        1,
        "an admin of its groups can remove it",
    );
    let unknown = "bob@example.net/00112233445566ff";
    assert_ends(&revoke(&folder, &[unknown]), 1, "look at its id again");
    assert_ends(&revoke(&folder, &["--undo", unknown]), 1, "`mls-bridge revoke --list`");
    // Somebody holds the database, and does not listen.
    let path = folder.path().join("mls-bridge.db");
    let _held = Database::open(&path, Role::Hub, None).unwrap();
    assert_ends(&revoke(&folder, &["--list"]), 3, "database");
}
