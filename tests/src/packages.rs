//! What comes from the system's packages, where this process may install them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::RigError;

/// Makes sure that what `is_there` looks for is there, and installs these packages where it is not.
pub fn install(what: &str, packages: &str, is_there: impl Fn() -> bool) -> Result<(), RigError> {
    if is_there() {
        return Ok(());
    }
    // What a person with root has to run, where we may not.
    let by_hand = format!("apt-get update && apt-get install -y {packages}");
    if !rustix::process::geteuid().is_root() || !on_path("apt-get") {
        return Err(RigError::Machine(format!(
            "{what} is needed and not installed. As root: `{by_hand}` (only its programs are used: disable a \
             service that comes with it)"
        )));
    }
    let _guard = NoServerStart::put()?;
    let status = Command::new("sh")
        .args(["-c", &by_hand])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(RigError::io("cannot start sh"))?;
    if status.success() && is_there() {
        Ok(())
    } else {
        Err(RigError::Machine(format!("`{by_hand}` failed: install {what} by hand")))
    }
}

/// Whether a program can be started by its name.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// While it lives, Debian's packages start no service (`man invoke-rc.d`, policy-rc.d).
struct NoServerStart(Option<PathBuf>);

impl NoServerStart {
    fn put() -> Result<Self, RigError> {
        let path = Path::new("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(Self(None));
        }
        fs::write(path, "#!/bin/sh\nexit 101\n").map_err(RigError::file("write", path))?;
        let guard = Self(Some(path.to_owned()));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .map_err(RigError::file("make executable", path))?;
        Ok(guard)
    }
}

impl Drop for NoServerStart {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _nothing_to_do = fs::remove_file(path);
        }
    }
}
