//! What an operator has: a configuration, a folder, and the program in it.

use std::path::Path;
use std::process::Command;

/// A configuration of one network, whose server is nowhere.
pub(crate) const CONFIG: &str = r#"
database = "mls-bridge.db"
[xmpp]
domain = "example.net"
component = "mls.example.net"
address = "127.0.0.1:1"
secret = "ssssssssssssssssssssssssssssssssssssssss"
muc_service = "rooms.example.net"
"#;

/// Runs `mls-bridge` in a folder: how it ended, and all that it said.
pub(crate) fn bridge(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mls-bridge"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}
