//! Prosody from the system's packages, where this process may install them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::RigError;

/// What a person with root has to run, where we may not.
const BY_HAND: &str = "apt-get update && apt-get install -y prosody lua-unbound";

/// Makes sure that `prosody` and `prosodyctl` can be started.
pub fn install() -> Result<(), RigError> {
    // Not by `prosody --version`: that starts a server.
    if on_path("prosody") && on_path("prosodyctl") {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !on_path("apt-get") {
        return Err(RigError::Machine(format!(
            "Prosody is needed and not installed. As root: `{BY_HAND}`, then \
             `systemctl disable --now prosody` (only its program is used)"
        )));
    }
    let _guard = NoServerStart::put()?;
    let status = Command::new("sh")
        .args(["-c", BY_HAND])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(RigError::io("cannot start sh"))?;
    if status.success() && on_path("prosody") {
        Ok(())
    } else {
        Err(RigError::Machine(format!("`{BY_HAND}` failed: install Prosody by hand")))
    }
}

fn on_path(program: &str) -> bool {
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
