//! `mls-bot --json`: one process, one device; JSON lines in, JSON lines out.

mod events;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::binaries::program;
use crate::deadline::{START, STEP, STOP, until};
use crate::error::RigError;
use crate::process::{Keeper, Managed, tail};

pub use events::{Events, Message};

/// An account of either network.
#[derive(Clone, Debug)]
pub struct Account {
    /// As its network writes it: `@alice:matrix.localhost` or `bob@xmpp.localhost`.
    pub address: String,
    /// Its password.
    pub password: String,
    /// The arguments of `mls-bot login` that say which network, which server and which account.
    pub login: Vec<String>,
}

impl Account {
    /// The part before the domain.
    pub fn localpart(&self) -> &str {
        let address = self.address.trim_start_matches('@');
        address.split([':', '@']).next().unwrap_or(address)
    }

    /// How the identities of its devices begin: `matrix:u/alice:matrix.localhost/`.
    pub fn identity_prefix(&self) -> String {
        match self.address.strip_prefix('@').and_then(|user| user.split_once(':')) {
            // A port is behind a colon, which a URI has escaped there.
            Some((local, domain)) => format!("matrix:u/{local}:{}/", domain.replace(':', "%3A")),
            None => format!("xmpp:{}/", self.address),
        }
    }
}

/// One device of one account, running or not; its profile lives in the rig's folder.
#[derive(Debug)]
pub struct Bot {
    /// For error messages and for its folder.
    pub name: String,
    /// Its account.
    pub account: Account,
    /// All that it has said, over all its starts.
    pub events: Arc<Events>,
    folder: PathBuf,
    program: PathBuf,
    keeper: Arc<Keeper>,
    plaintexts: Arc<Mutex<Vec<String>>>,
    running: Mutex<Option<Running>>,
    next_id: AtomicU64,
}

#[derive(Debug)]
struct Running {
    process: Managed,
    stdin: ChildStdin,
}

impl Bot {
    /// Logs a new device of `account` in; starts nothing. What it sends is put into `plaintexts`.
    pub fn login(
        keeper: &Arc<Keeper>,
        name: &str,
        account: &Account,
        plaintexts: &Arc<Mutex<Vec<String>>>,
    ) -> Result<Self, RigError> {
        let folder = keeper.folder().join("bots").join(name);
        fs::create_dir_all(&folder).map_err(RigError::file("make", &folder))?;
        let bot = Self {
            name: name.to_owned(),
            account: account.clone(),
            events: Arc::default(),
            folder,
            program: program("mls-bot")?,
            keeper: Arc::clone(keeper),
            plaintexts: Arc::clone(plaintexts),
            running: Mutex::default(),
            next_id: AtomicU64::new(1),
        };
        bot.run_login()?;
        Ok(bot)
    }

    fn run_login(&self) -> Result<(), RigError> {
        let mut command = self.keeper.program(&self.program);
        command.arg("--profile").arg(self.profile()).arg("login").args(&self.account.login);
        command.args(["--password-file", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let what = format!("login of {}", self.name);
        let mut process = Managed::start(&self.keeper, &what, &mut command, &self.log())?;
        if let Some(mut stdin) = process.child.stdin.take() {
            let line = format!("{}\n", self.account.password);
            stdin.write_all(line.as_bytes()).map_err(RigError::io(what))?;
        }
        process.wait(START).map_err(|e| RigError::Answer(format!("{e}\n{}", tail(&self.log(), 20))))
    }

    /// Starts it and waits until it is ready and its first key packages are published.
    pub fn start(&self) -> Result<(), RigError> {
        let from = self.events.count();
        self.launch(&[])?;
        let named = |name: &'static str| move |event: &Value| event["event"] == name;
        self.wait_for_after(from, "ready", named("ready"))?;
        self.wait_for("its key packages are published", named("key_packages_published"))?;
        Ok(())
    }

    /// Starts it with more arguments for `run` (`--echo`), and does not wait.
    pub fn launch(&self, arguments: &[&str]) -> Result<(), RigError> {
        let mut command = self.keeper.program(&self.program);
        command.arg("--profile").arg(self.profile()).args(["run", "--json"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Managed::start(&self.keeper, &self.name, &mut command, &self.log())?;
        let pipes = process.child.stdin.take().zip(process.child.stdout.take());
        let (stdin, stdout) =
            pipes.ok_or_else(|| RigError::Answer("no pipes to mls-bot".to_owned()))?;
        let events = Arc::clone(&self.events);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                events.push(&line);
            }
        });
        *self.running() = Some(Running { process, stdin });
        Ok(())
    }

    /// Writes one command and returns its id; `id` is set here.
    pub fn post(&self, mut command: Value) -> Result<String, RigError> {
        let id = format!("rig-{}", self.next_id.fetch_add(1, Ordering::Relaxed));
        command["id"] = json!(id);
        if let Some(text) = command["text"].as_str() {
            let mut all = self.plaintexts.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(text.to_owned());
        }
        let mut running = self.running();
        let stdin = running.as_mut().map(|running| &mut running.stdin);
        let stdin = stdin.ok_or_else(|| RigError::Answer(format!("{} is not on", self.name)))?;
        let doing = format!("cannot write to {}", self.name);
        stdin.write_all(format!("{command}\n").as_bytes()).map_err(RigError::io(doing))?;
        Ok(id)
    }

    /// Waits for the end of the command `id`: its `command_done`, or an error that says why not.
    pub fn finish(&self, id: &str) -> Result<Value, RigError> {
        let ends = [
            "command_done",
            "command_failed",
            "groups",
            "authorities",
            "certificates",
            "identity",
            "identity_request",
            "identity_statement",
            "verification",
        ];
        let quoted = format!("\"id\":\"{id}\"");
        let end = self.wait_for(&format!("command {id} ends"), |event| {
            let named = |name: &&str| event["event"] == **name;
            // A line that was not understood comes back in an `error`.
            let not_understood = event["line"].as_str().is_some_and(|line| line.contains(&quoted));
            (event["id"] == id && ends.iter().any(named)) || not_understood
        })?;
        if end["event"] != "command_failed" && end["event"] != "error" {
            return Ok(end);
        }
        Err(RigError::Refused {
            who: self.name.clone(),
            command: id.to_owned(),
            why: end["why"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// One command and its end.
    pub fn command(&self, command: Value) -> Result<Value, RigError> {
        let name = command["command"].as_str().unwrap_or_default().to_owned();
        let id = self.post(command)?;
        self.finish(&id).map_err(|error| match error {
            RigError::Refused { who, why, .. } => RigError::Refused { who, command: name, why },
            RigError::Deadline { what, seconds, seen } => {
                RigError::Deadline { what: format!("{what} ({name})"), seconds, seen }
            }
            other => other,
        })
    }

    /// The first event, of all there ever were, that `wanted` accepts.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, RigError> {
        self.wait_for_after(0, what, wanted)
    }

    /// The first event after the `from` first ones that `wanted` accepts.
    pub fn wait_for_after(
        &self,
        from: usize,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, RigError> {
        let look = || {
            // Asked before the events are read, so that its last words are not missed.
            let end = self.ended()?;
            match (self.events.find(from, &wanted), end) {
                (None, Some(end)) => Err(RigError::Answer(format!("{end}\n{}", self.seen()))),
                (found, _) => Ok(found),
            }
        };
        until(&format!("{}: {what}", self.name), STEP, look, || self.seen())
    }

    /// `kill -9`.
    pub fn kill(&self) -> Result<(), RigError> {
        self.running().take().map_or(Ok(()), |mut running| running.process.kill())
    }

    /// Asks it to quit, and waits for a clean end.
    pub fn quit(&self) -> Result<(), RigError> {
        self.post(json!({"command": "quit"}))?;
        let running = self.running().take();
        running.map_or(Ok(()), |mut running| running.process.wait(STOP))
    }

    /// Waits until it has ended by itself, and gives how, with the last lines of its log.
    pub fn wait_ended(&self) -> Result<String, RigError> {
        let what = format!("{} ends by itself", self.name);
        let end = until(&what, STEP, || self.ended(), || self.seen())?;
        Ok(format!("{end}\n{}", tail(&self.log(), 15)))
    }

    /// Its profile folder.
    pub fn profile(&self) -> PathBuf {
        self.folder.join("profile")
    }

    /// The client that it is, as it said when it was ready.
    pub fn client(&self) -> Result<String, RigError> {
        let ready = self.wait_for("ready", |event| event["event"] == "ready")?;
        Ok(ready["client"].as_str().unwrap_or_default().to_owned())
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("mls-bot.log")
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    fn ended(&self) -> Result<Option<String>, RigError> {
        self.running()
            .as_mut()
            .map(|running| running.process.ended())
            .transpose()
            .map(Option::flatten)
    }

    fn seen(&self) -> String {
        let last = self.events.last(12);
        format!("last events of {}:\n{last}\n{}", self.name, tail(&self.log(), 15))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
