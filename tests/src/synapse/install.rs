//! Synapse from PyPI into a virtual environment under `target/servers`, once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::target_folder;
use crate::error::RigError;

/// The version that everything here was measured against.
pub const VERSION: &str = "1.163.2";

/// The virtual environment's Python; installs Synapse first where it is missing (a minute).
pub fn install() -> Result<PathBuf, RigError> {
    let servers = target_folder()?.join("servers");
    fs::create_dir_all(&servers).map_err(RigError::file("make", &servers))?;
    let lock_path = servers.join("install.lock");
    let lock = File::create(&lock_path).map_err(RigError::file("write", &lock_path))?;
    lock.lock().map_err(RigError::file("lock", &lock_path))?;
    let folder = servers.join(format!("synapse-{VERSION}"));
    let python = folder.join("bin/python");
    let complete = folder.join(".complete");
    if complete.is_file() && python.exists() {
        return Ok(python);
    }
    make(&folder, &python)?;
    File::create(&complete).map_err(RigError::file("write", &complete))?;
    Ok(python)
}

fn make(folder: &Path, python: &Path) -> Result<(), RigError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(RigError::file("remove", folder))?;
    }
    run(
        Command::new("python3").args(["-m", "venv"]).arg(folder),
        "Python 3 with its venv module is needed: as root, \
         `apt-get install -y python3 python3-venv`",
    )?;
    run(
        Command::new(python).args(["-m", "pip", "install", "--quiet"]).args([
            "--disable-pip-version-check",
            "--no-input",
            &format!("matrix-synapse=={VERSION}"),
        ]),
        "Synapse could not be installed from PyPI (is the network there?)",
    )
}

fn run(command: &mut Command, otherwise: &str) -> Result<(), RigError> {
    let output = command.output().map_err(|e| RigError::Machine(format!("{otherwise}\n{e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(RigError::Machine(format!("{otherwise}\n{}", String::from_utf8_lossy(&said))))
}
