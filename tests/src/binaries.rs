//! Where the programs under test are: beside the running executable, in cargo's target folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::error::RigError;

/// Set by `cargo xtask` once it has built the programs: the folder that holds them.
pub const FOLDER_VARIABLE: &str = "MLS_BRIDGE_BINARIES";

/// Cargo's target folder: `…/target` of `…/target/debug/xtask` and `…/target/debug/deps/test-1a2b`.
pub fn target_folder() -> Result<PathBuf, RigError> {
    let folder = profile_folder()?;
    let target = folder.parent().unwrap_or(&folder);
    Ok(target.to_owned())
}

/// The path of `mls-bridge` or `mls-bot`. Builds both first, unless `cargo xtask` has.
pub fn program(name: &str) -> Result<PathBuf, RigError> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let folder = match std::env::var_os(FOLDER_VARIABLE) {
        Some(folder) => PathBuf::from(folder),
        None => {
            BUILT.get_or_init(build).clone().map_err(RigError::Machine)?;
            profile_folder()?
        }
    };
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        let shown = path.display();
        Err(RigError::Machine(format!("{shown} is missing: run `cargo build --workspace --bins`")))
    }
}

/// `cargo build` of all programs of the workspace: a test never drives yesterday's.
pub fn build() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--bins"])
        .current_dir(root)
        .status()
        .map_err(|e| format!("cannot start cargo: {e}; build with `cargo xtask test`"))?;
    if status.success() { Ok(()) } else { Err("`cargo build --workspace --bins` failed".into()) }
}

/// `…/target/debug`, where cargo puts programs.
pub fn profile_folder() -> Result<PathBuf, RigError> {
    let executable =
        std::env::current_exe().map_err(RigError::io("cannot find the running executable"))?;
    let folder = executable.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}
