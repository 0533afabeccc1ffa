//! Cargo, called by cargo: the same cargo, in the workspace's folder.

use std::path::Path;
use std::process::Command;

use tests::binaries::{FOLDER_VARIABLE, profile_folder};
use tests::error::RigError;

use crate::{failed, progress};

/// `cargo` with arguments, in the root of the workspace.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root);
    command
}

/// Runs `cargo` with arguments and an environment variable; fails when it does.
pub(crate) fn run(arguments: &[&str], variable: Option<(&str, &str)>) -> Result<(), RigError> {
    let shown = format!("cargo {}", arguments.join(" "));
    let status = command(arguments)
        .envs(variable)
        .status()
        .map_err(|e| failed(format!("cannot start {shown}: {e}")))?;
    if status.success() { Ok(()) } else { Err(failed(format!("`{shown}` failed"))) }
}

/// Builds the programs that the rig drives, and returns the folder they are in; both, unless the
/// caller has built them and names their folder in `MLS_BRIDGE_BINARIES`.
pub(crate) fn build_programs() -> Result<std::path::PathBuf, RigError> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        return Ok(folder.into());
    }
    progress::step("Compiling mls-bridge and mls-bot (minutes, the first time)");
    run(&["build", "--quiet", "--workspace", "--bins"], None)?;
    profile_folder()
}
