//! A real Prosody from the system's packages, with its data in the rig's folder, on 127.0.0.1.

mod config;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::deadline::{START, until};
use crate::domain::Domain;
use crate::error::RigError;
use crate::packages::{self, on_path};
use crate::ports;
use crate::process::{Keeper, Managed, tail};
use crate::xmpp_session;

/// The domain in accounts' addresses.
pub const DOMAIN: &str = "xmpp.localhost";
/// The domain of the multi-user chats.
pub const ROOMS: &str = "rooms.xmpp.localhost";
/// The domain of the component, the hub's address.
pub const HUB: &str = "mls.xmpp.localhost";

/// Makes sure that `prosody` and `prosodyctl` can be started.
pub fn install() -> Result<(), RigError> {
    // Not by `prosody --version`: that starts a server.
    packages::install("Prosody", "prosody lua-unbound", || {
        on_path("prosody") && on_path("prosodyctl")
    })
}

/// The ports of one Prosody.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// For clients.
    pub client: u16,
    /// For the component.
    pub component: u16,
}

/// An XMPP server with its data, running or not.
#[derive(Debug)]
pub struct Prosody {
    /// Its ports.
    pub ports: Ports,
    folder: PathBuf,
    config: PathBuf,
    keeper: Arc<Keeper>,
    process: Option<Managed>,
}

impl Prosody {
    /// Writes configuration and data folder into `keeper`'s folder; starts nothing.
    ///
    /// It serves all `domains`; `bridges` are the folders that `mls-bridge init` wrote.
    pub fn prepare(
        keeper: &Arc<Keeper>,
        ports: Ports,
        domains: &[&Domain],
        bridges: &[&Path],
    ) -> Result<Self, RigError> {
        let folder = keeper.folder().join("prosody");
        let config = config::write(&folder, ports, domains, bridges)?;
        Ok(Self { ports, folder, config, keeper: Arc::clone(keeper), process: None })
    }

    /// Where clients reach it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.client)
    }

    /// Where its data and logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it and waits until it serves clients.
    pub fn start(&mut self) -> Result<(), RigError> {
        self.launch()?;
        self.wait_serving()
    }

    /// Starts it and does not wait.
    pub fn launch(&mut self) -> Result<(), RigError> {
        ports::wait_free(self.ports.client)?;
        ports::wait_free(self.ports.component)?;
        let mut command = Command::new("prosody");
        command.arg("--config").arg(&self.config).arg("-F").current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let log = self.output_log();
        self.process = Some(Managed::start(&self.keeper, "Prosody", &mut command, &log)?);
        Ok(())
    }

    /// Waits until it answers a stream header for the domain.
    pub fn wait_serving(&mut self) -> Result<(), RigError> {
        let port = self.ports.client;
        let log = self.folder.join("prosody.log");
        let output = self.output_log();
        let process = &mut self.process;
        let look = || {
            if let Some(end) = process.as_mut().map(Managed::ended).transpose()?.flatten() {
                let logs = [tail(&output, 10), tail(&log, 20)].join("\n");
                return Err(RigError::Answer(format!("{end}\n{logs}")));
            }
            Ok(xmpp_session::serves(port).then_some(()))
        };
        until("Prosody serves clients", START, look, || tail(&log, 30))
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> Result<(), RigError> {
        self.process.take().map_or(Ok(()), |mut process| process.terminate())
    }

    /// Lets it live on when this is dropped.
    pub fn detach(&mut self) {
        self.process.iter_mut().for_each(Managed::detach);
    }

    /// Makes an account, or gives it a new password.
    pub fn register(&self, local: &str, password: &str) -> Result<(), RigError> {
        self.control(&["register", local, DOMAIN, password])
    }

    /// Loads a module of the chats (`load`), or takes it away (`unload`), while Prosody runs.
    pub fn rooms_module(&self, change: &str, module: &str) -> Result<(), RigError> {
        self.control(&["shell", &format!("module:{change}(\"{module}\", \"{ROOMS}\")")])
    }

    fn control(&self, arguments: &[&str]) -> Result<(), RigError> {
        let output = Command::new("prosodyctl")
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(RigError::io("cannot start prosodyctl"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        Err(RigError::Answer(format!("prosodyctl {arguments:?} failed: {said}")))
    }

    fn output_log(&self) -> PathBuf {
        self.folder.join("output.log")
    }
}
