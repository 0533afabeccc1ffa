//! What an operator does with `mls-bridge`: in a folder with a configuration, by the program itself.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod authority;
mod revoke;

use std::path::Path;
use std::process::Command;

/// A configuration of one network, whose server is nowhere.
const CONFIG: &str = r#"
database = "mls-bridge.db"
[xmpp]
domain = "example.net"
component = "mls.example.net"
address = "127.0.0.1:1"
secret = "ssssssssssssssssssssssssssssssssssssssss"
muc_service = "rooms.example.net"
"#;

/// Runs `mls-bridge` in a folder: how it ended, and all that it said.
fn bridge(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mls-bridge"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}
