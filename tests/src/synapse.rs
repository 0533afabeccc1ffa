//! A real Synapse: installed from PyPI under `target/servers`, with SQLite, on 127.0.0.1.

mod config;
mod install;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::bot::Account;
use crate::deadline::{START, until};
use crate::domain::Domain;
use crate::error::RigError;
use crate::http::{Answer, Request};
use crate::matrix_session::MatrixSession;
use crate::ports;
use crate::process::{Keeper, Managed, tail};
use crate::secret::random_hex;

pub use install::{VERSION, install};

/// The server name in user ids.
pub const SERVER_NAME: &str = "matrix.localhost";

/// How often clients may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimits {
    /// Synapse's own, untouched.
    Default,
    /// Synapse's own, and the snippet that `mls-bridge init` writes for the hub.
    HubSnippet,
    /// As good as none, for clients too, so that tests are fast.
    #[default]
    Lifted,
}

/// Where a homeserver is, and whose.
#[derive(Debug)]
pub struct Place<'a> {
    /// The port of the client-server API.
    pub port: u16,
    /// The domain that it serves.
    pub domain: Domain,
    /// Its folder, below the keeper's.
    pub folder: &'a str,
}

/// A homeserver with its data, running or not.
#[derive(Debug)]
pub struct Synapse {
    /// The port of the client-server API.
    pub port: u16,
    /// Its domain.
    pub domain: Domain,
    folder: PathBuf,
    configs: Vec<PathBuf>,
    secret: String,
    python: PathBuf,
    keeper: Arc<Keeper>,
    process: Option<Managed>,
}

impl Synapse {
    /// Writes configuration and data folder into `keeper`'s folder; starts nothing.
    ///
    /// `bridges` are the folders that `mls-bridge init` wrote, the delivery service's first.
    pub fn prepare(
        keeper: &Arc<Keeper>,
        place: Place<'_>,
        bridges: &[&Path],
        limits: RateLimits,
        python: PathBuf,
    ) -> Result<Self, RigError> {
        let Place { port, domain, folder } = place;
        let folder = keeper.folder().join(folder);
        let secret = random_hex(16)?;
        let mut configs = vec![config::write(&folder, port, &domain, bridges, &secret)?];
        match limits {
            RateLimits::Default => {}
            RateLimits::HubSnippet => {
                configs.extend(bridges.first().map(|it| it.join("homeserver.yaml")))
            }
            RateLimits::Lifted => configs.push(config::write_lifted_limits(&folder)?),
        }
        let keeper = Arc::clone(keeper);
        Ok(Self { port, domain, folder, configs, secret, python, keeper, process: None })
    }

    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its database and logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it and waits until it is healthy.
    pub fn start(&mut self) -> Result<(), RigError> {
        self.launch()?;
        self.wait_healthy()
    }

    /// Starts it and does not wait.
    pub fn launch(&mut self) -> Result<(), RigError> {
        ports::wait_free(self.port)?;
        let mut command = Command::new(&self.python);
        command.args(["-m", "synapse.app.homeserver"]).current_dir(&self.folder);
        for config in &self.configs {
            command.arg("-c").arg(config);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let log = self.output_log();
        self.process = Some(Managed::start(&self.keeper, "Synapse", &mut command, &log)?);
        Ok(())
    }

    /// Waits until `/health` answers.
    pub fn wait_healthy(&mut self) -> Result<(), RigError> {
        let (port, log) = (self.port, self.output_log());
        let process = &mut self.process;
        let look = || {
            if let Some(end) = process.as_mut().map(Managed::ended).transpose()?.flatten() {
                return Err(RigError::Answer(format!("{end}\n{}", tail(&log, 30))));
            }
            let request = Request { port, method: "GET", path: "/health", token: None, body: b"" };
            Ok(request.send().ok().filter(|answer| answer.status == 200))
        };
        until("Synapse answers /health", START, look, || tail(&log, 30)).map(drop)
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

    /// Makes an account (through the admin API of the shared secret).
    pub fn register(&self, localpart: &str, password: &str) -> Result<(), RigError> {
        self.register_as("notadmin", localpart, password).map(drop)
    }

    /// An account, with what a bot needs to log in; its devices go by the hub at `hub`.
    pub fn account(&self, local: &str, password: String, hub: &str) -> Account {
        let address = format!("@{local}:{}", self.domain.matrix);
        let url = self.url();
        let login = ["matrix", "--homeserver", &url, "--user", &address, "--hub", hub];
        let login = login.map(str::to_owned).to_vec();
        Account { address, password, login }
    }

    /// Makes an account that may use the admin API, and logs in.
    pub fn operator(&self, localpart: &str) -> Result<MatrixSession, RigError> {
        let made = self.register_as("admin", localpart, &random_hex(16)?)?;
        let token = made["access_token"].as_str().unwrap_or_default();
        Ok(MatrixSession::with_token(self.port, token))
    }

    fn register_as(&self, kind: &str, localpart: &str, password: &str) -> Result<Value, RigError> {
        let path = "/_synapse/admin/v1/register";
        let nonce = self.request("GET", path, b"")?.json["nonce"].as_str().map(str::to_owned);
        let nonce = nonce.ok_or_else(|| RigError::Answer("Synapse gave no nonce".to_owned()))?;
        let message = [&nonce, localpart, password, kind].join("\0");
        let body = serde_json::json!({
            "nonce": nonce, "username": localpart, "password": password, "admin": kind == "admin",
            "mac": hex::encode(hmac_sha1(self.secret.as_bytes(), message.as_bytes())),
        });
        let answer = self.request("POST", path, body.to_string().as_bytes())?;
        if answer.status == 200 {
            Ok(answer.json)
        } else {
            Err(RigError::Answer(format!("Synapse did not register {localpart}: {answer:?}")))
        }
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, RigError> {
        Request { port: self.port, method, path, token: None, body }.send()
    }

    fn output_log(&self) -> PathBuf {
        self.folder.join("output.log")
    }
}

fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    // Keys of ours are shorter than a block (64 bytes), so RFC 2104's first step falls away.
    let mut block = [0u8; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let inner = Sha1::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha1::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn hmac_sha1_gives_the_digest_of_rfc_2202_test_case_2() {
        let digest = super::hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex::encode(digest), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }
}
