//! A clock that a test moves for the project's programs of a rig at once: the bridge and the bots.
//!
//! libfaketime stands between them and the system's clock. What counts time (timeouts, pauses) goes on at its
//! own pace; what asks for the date is told another one. Synapse and Prosody go by the system's clock: they
//! judge no certificate, and a Python that is told another date does not wait as it should (libfaketime 0.9.10).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::RigError;
use crate::packages;

/// For programs with threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The date of a rig.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    /// What to add to the system's clock.
    offset: PathBuf,
}

impl Clock {
    /// One that shows the system's time, with its file in `folder`.
    pub fn start(folder: &Path) -> Result<Self, RigError> {
        packages::install("libfaketime", "faketime", || library().is_some())?;
        let missing = || RigError::Machine(format!("there is no {LIBRARY} below /usr/lib"));
        let library = library().ok_or_else(missing)?;
        let clock = Self { library, offset: folder.join("clock") };
        clock.go_to(0)?;
        Ok(clock)
    }

    /// Shows the system's time and so many hours more.
    pub fn go_to(&self, hours: u32) -> Result<(), RigError> {
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("+{hours}h\n")).map_err(RigError::file("write", &new))?;
        fs::rename(&new, &self.offset).map_err(RigError::file("replace", &self.offset))
    }

    /// A program that is to go by this clock.
    pub(crate) fn give_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// `/usr/lib/x86_64-linux-gnu/faketime/...` on Debian, `/usr/lib/faketime/...` elsewhere.
fn library() -> Option<PathBuf> {
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = [PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")].into_iter().chain(below);
    folders.map(|folder| folder.join(LIBRARY)).find(|library| library.is_file())
}
