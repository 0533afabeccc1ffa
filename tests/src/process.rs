//! Processes that end when the program that started them ends, however it ends.
//!
//! Each program runs in its own process group. A *keeper* (a shell of ten lines) holds the reading
//! end of a pipe from us; when we drop it, exit, are interrupted or killed, the pipe closes, and
//! the keeper kills every group that is still in its list and removes the rig's folder.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::Clock;
use crate::deadline::{STOP, until};
use crate::error::RigError;

const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r line
[ "$line" = detach ] && exit 0
if [ -e "$1/.groups" ]; then
  while read -r group; do kill -s KILL -- "-$group" 2>/dev/null; done <"$1/.groups"
fi
[ -e "$1/.keep" ] || rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
"#;

/// Owns a folder and the processes that work in it.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    /// What the project's programs go by, if not the system's clock.
    clock: Option<Clock>,
    shell: Mutex<Child>,
    groups: Mutex<Vec<u32>>,
}

impl Keeper {
    /// Makes a new folder in the system's temporary folder, and its keeper, with a clock that tests move or
    /// without.
    pub fn start(moving_clock: bool) -> Result<Arc<Self>, RigError> {
        let folder = tempfile::Builder::new()
            .prefix("mls-bridge-")
            .tempdir()
            .map_err(RigError::io("cannot make a temporary folder"))?
            .keep();
        let clock = moving_clock.then(|| Clock::start(&folder)).transpose()?;
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "keeper"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(RigError::io("cannot start sh"))?;
        let keeper = Self { folder, clock, shell: Mutex::new(shell), groups: Mutex::default() };
        if std::env::var_os("MLS_BRIDGE_KEEP").is_some() {
            keeper.keep_folder()?;
        }
        Ok(Arc::new(keeper))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The clock that a test may move.
    pub fn clock(&self) -> Result<&Clock, RigError> {
        let none = || RigError::Answer("this rig goes by the system's clock".to_owned());
        self.clock.as_ref().ok_or_else(none)
    }

    /// A program of the project, by the rig's clock.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.clock.iter().for_each(|clock| clock.give_to(&mut command));
        command
    }

    /// Leaves the folder for somebody to look at; its processes still end.
    pub fn keep_folder(&self) -> Result<(), RigError> {
        let path = self.folder.join(".keep");
        File::create(&path).map(drop).map_err(RigError::file("write", &path))
    }

    /// Lets folder and processes live on; `kill -s KILL -- -GROUP` of each number returned ends them.
    pub fn detach(&self) -> Result<Vec<u32>, RigError> {
        self.keep_folder()?;
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut pipe) = shell.stdin.take() {
            pipe.write_all(b"detach\n").map_err(RigError::io("cannot reach the keeper"))?;
        }
        shell.wait().map_err(RigError::io("cannot wait for the keeper"))?;
        Ok(std::mem::take(&mut *self.groups.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u32>)) -> Result<(), RigError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut groups);
        let text: String = groups.iter().map(|group| format!("{group}\n")).collect();
        let (path, new) = (self.folder.join(".groups"), self.folder.join(".groups.new"));
        fs::write(&new, text).map_err(RigError::file("write", &new))?;
        fs::rename(&new, &path).map_err(RigError::file("replace", &path))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        drop(shell.stdin.take());
        let _already_gone = shell.wait();
    }
}

/// One running program.
#[derive(Debug)]
pub struct Managed {
    name: String,
    /// The program; its pipes may be taken.
    pub child: Child,
    keeper: Arc<Keeper>,
    detached: bool,
}

impl Managed {
    /// Starts `command` in its own process group. What it does not pipe goes to `log`, appended.
    pub fn start(
        keeper: &Arc<Keeper>,
        name: &str,
        command: &mut Command,
        log: &Path,
    ) -> Result<Self, RigError> {
        let open = || OpenOptions::new().create(true).append(true).open(log);
        let file = open().map_err(RigError::file("open", log))?;
        let child = command
            .stderr(file)
            .process_group(0)
            .spawn()
            .map_err(RigError::io(format!("cannot start {name} ({command:?})")))?;
        let id = child.id();
        keeper.change(|groups| groups.push(id))?;
        Ok(Self { name: name.to_owned(), child, keeper: Arc::clone(keeper), detached: false })
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<String>, RigError> {
        let status = self.child.try_wait().map_err(RigError::io("cannot look at a process"))?;
        Ok(status.map(|status| format!("{} ended: {status}", self.name)))
    }

    /// `kill -9` of the whole process group.
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.signal(Signal::KILL);
        self.child.wait().map_err(RigError::io("cannot wait for a process"))?;
        let id = self.child.id();
        self.keeper.change(|groups| groups.retain(|group| *group != id))
    }

    /// Stops it in the middle of what it does; it lives and holds its connections.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Managed::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM, then waits for the end; an error when it does not come or is not clean.
    pub fn terminate(&mut self) -> Result<(), RigError> {
        self.signal(Signal::TERM);
        self.wait(STOP)
    }

    /// Waits for the program to end by itself, with success.
    pub fn wait(&mut self, limit: Duration) -> Result<(), RigError> {
        let what = format!("{} ends", self.name);
        let child = &mut self.child;
        let look = || child.try_wait().map_err(RigError::io("cannot look at a process"));
        let status = until(&what, limit, look, String::new)?;
        let id = self.child.id();
        self.keeper.change(|groups| groups.retain(|group| *group != id))?;
        if status.success() {
            Ok(())
        } else {
            Err(RigError::Answer(format!("{} ended with {status}", self.name)))
        }
    }

    /// Lets the program live on when this is dropped.
    pub fn detach(&mut self) {
        self.detached = true;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _already_gone = kill_process_group(group, signal);
        }
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let running = matches!(self.child.try_wait(), Ok(None));
        if running && !self.detached {
            let _keeper_does_it = self.kill();
        }
    }
}

/// The last lines of a log, for an error message.
pub fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    let end = all.get(from..).unwrap_or_default().join("\n");
    format!("end of {}:\n{end}", log.display())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use super::{Keeper, Managed};
    use crate::deadline::{STOP, until};

    #[test]
    fn dropping_the_keeper_ends_its_processes_and_removes_its_folder() {
        let keeper = Keeper::start(false).unwrap();
        let folder = keeper.folder().to_owned();
        let mut sleep = Command::new("sh");
        sleep.args(["-c", "sleep 600 & sleep 600"]).stdout(Stdio::null()).stdin(Stdio::null());
        let mut managed =
            Managed::start(&keeper, "sleep", &mut sleep, &folder.join("log")).unwrap();
        // As after a kill -9 of this process: nobody drops `managed`, only the pipe closes.
        managed.detach();
        drop(managed.keeper.shell.lock().unwrap().stdin.take());
        let ended = || managed.child.try_wait().map_err(crate::error::RigError::io("wait"));
        until("the keeper kills", STOP, ended, String::new).unwrap();
        until("the folder goes", STOP, || Ok((!folder.exists()).then_some(())), String::new)
            .unwrap();
        drop(Arc::clone(&keeper));
    }
}
