//! `mls-bridge`, set up by its own `init` as an operator would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use crate::binaries::program;
use crate::deadline::{START, until};
use crate::domain::Domain;
use crate::error::RigError;
use crate::ports;
use crate::process::{Keeper, Managed, tail};

/// The ports that the bridge has to know.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Synapse's, for clients.
    pub homeserver: u16,
    /// Its own, for Synapse.
    pub listen: u16,
    /// Prosody's, for components.
    pub component: u16,
}

/// Which services a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both.
    Both,
    /// The delivery service, beside an authority.
    Delivery,
    /// The authority, beside a delivery service.
    Authentication,
}

/// The server under test, running or not.
#[derive(Debug)]
pub struct Bridge {
    /// Where it listens for Synapse.
    pub port: u16,
    folder: PathBuf,
    program: PathBuf,
    keeper: Arc<Keeper>,
    process: Option<Managed>,
    log_start: usize,
}

impl Role {
    /// As `init` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Delivery => "delivery",
            Self::Authentication => "authentication",
        }
    }

    /// The folder of such a process, below the keeper's.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Both | Self::Delivery => "bridge",
            Self::Authentication => "authority",
        }
    }
}

impl Bridge {
    /// Runs `mls-bridge init` into a folder below `keeper`'s; starts nothing.
    pub fn init(
        keeper: &Arc<Keeper>,
        ports: Ports,
        role: Role,
        domain: &Domain,
        folder: &str,
    ) -> Result<Self, RigError> {
        let (folder, program) = (keeper.folder().join(folder), program("mls-bridge")?);
        let published = keeper.folder().join(Role::Authentication.folder()).join("published");
        let local = |port| format!("127.0.0.1:{port}");
        let output = keeper
            .program(&program)
            .arg("init")
            .args(["--homeserver-url", &format!("http://{}", local(ports.homeserver))])
            .args(["--server-name", &domain.matrix, "--listen", &local(ports.listen)])
            .args(["--xmpp-domain", &domain.xmpp, "--muc-service", &domain.rooms()])
            .args(["--role", role.name()])
            .arg("--published")
            .arg(published)
            .args(["--component-address", &local(ports.component)])
            .arg("--out")
            .arg(&folder)
            .stdin(Stdio::null())
            .output()
            .map_err(RigError::io("cannot start mls-bridge init"))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            return Err(RigError::Answer(format!("mls-bridge init failed: {said}")));
        }
        let keeper = Arc::clone(keeper);
        Ok(Self { port: ports.listen, folder, program, keeper, process: None, log_start: 0 })
    }

    /// Where its configuration, its database and its log are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its log over all starts.
    pub fn log(&self) -> PathBuf {
        self.folder.join("mls-bridge.log")
    }

    /// Starts it and waits until it says that both networks are connected.
    pub fn start(&mut self) -> Result<(), RigError> {
        self.launch()?;
        self.wait_ready()
    }

    /// Starts it and does not wait.
    pub fn launch(&mut self) -> Result<(), RigError> {
        ports::wait_free(self.port)?;
        let log = self.log();
        self.log_start = fs::read(&log).map(|bytes| bytes.len()).unwrap_or(0);
        let mut command = self.keeper.program(&self.program);
        command.args(["run", "--config"]).arg(self.config()).env("RUST_LOG", "debug");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.process = Some(Managed::start(&self.keeper, "mls-bridge", &mut command, &log)?);
        Ok(())
    }

    /// Waits for the line that says `ready`, of this start.
    pub fn wait_ready(&mut self) -> Result<(), RigError> {
        self.wait_said("mls-bridge is ready", says_ready)
    }

    /// Waits until a line of its log, of this start, has these words.
    pub fn wait_logged(&mut self, words: &str) -> Result<(), RigError> {
        self.wait_said(&format!("mls-bridge says {words:?}"), |line| line.contains(words))
    }

    fn wait_said(&mut self, what: &str, said: impl Fn(&str) -> bool) -> Result<(), RigError> {
        let (log, from) = (self.log(), self.log_start);
        let process = &mut self.process;
        let look = || {
            if let Some(end) = process.as_mut().map(Managed::ended).transpose()?.flatten() {
                return Err(RigError::Answer(format!("{end}\n{}", tail(&log, 30))));
            }
            let bytes = fs::read(&log).map_err(RigError::file("read", &log))?;
            let text = String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned();
            Ok(text.lines().any(&said).then_some(()))
        };
        until(what, START, look, || tail(&log, 30))
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// SIGTERM; an error when it does not end cleanly and soon.
    pub fn stop(&mut self) -> Result<(), RigError> {
        self.process.take().map_or(Ok(()), |mut process| process.terminate())
    }

    /// Stops it in the middle of what it does: connections stay, and nobody is answered.
    pub fn freeze(&self) {
        self.process.iter().for_each(Managed::freeze);
    }

    /// Lets it go on after [`Bridge::freeze`].
    pub fn thaw(&self) {
        self.process.iter().for_each(Managed::thaw);
    }

    /// Fails when it has ended.
    pub fn assert_running(&mut self) -> Result<(), RigError> {
        match self.process.as_mut().map(Managed::ended).transpose()?.flatten() {
            Some(end) => Err(RigError::Answer(format!("{end}\n{}", tail(&self.log(), 30)))),
            None => Ok(()),
        }
    }

    /// Lets it live on when this is dropped.
    pub fn detach(&mut self) {
        self.process.iter_mut().for_each(Managed::detach);
    }

    /// `mls-bridge check`: whether it found no fault, and all that it printed.
    pub fn check(&self) -> Result<(bool, String), RigError> {
        self.command("check", &[])
    }

    /// `mls-bridge revoke`: whether it did that, and all that it printed.
    pub fn revoke(&self, arguments: &[&str]) -> Result<(bool, String), RigError> {
        self.command("revoke", arguments)
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Result<(bool, String), RigError> {
        let output = self
            .keeper
            .program(&self.program)
            .args([name, "--config"])
            .arg(self.config())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(RigError::io(&format!("cannot start mls-bridge {name}")))?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// The token by which Synapse shows that it is Synapse (`hs_token` of registration.yaml).
    pub fn homeserver_token(&self) -> Result<String, RigError> {
        let path = self.folder.join("registration.yaml");
        let text = fs::read_to_string(&path).map_err(RigError::file("read", &path))?;
        text.lines()
            .find_map(|line| line.trim().strip_prefix("hs_token:"))
            .map(|token| token.trim().trim_matches(['"', '\'']).to_owned())
            .ok_or_else(|| RigError::Answer(format!("no hs_token in {}", path.display())))
    }

    fn config(&self) -> PathBuf {
        self.folder.join("mls-bridge.toml")
    }
}

fn says_ready(line: &str) -> bool {
    let words = |text: &str| text.split(|c: char| !c.is_ascii_alphabetic()).any(|w| w == "ready");
    words(line) && !line.contains("not ready") && !line.contains("DEBUG")
}
