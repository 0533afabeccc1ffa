//! `mls-bridge check`: faults of the configuration, then whether both servers are there and take us.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use matrix_adapter::appservice;
use mls_core::engine::sha256;
use mls_core::hub::{self, HubSetup};
use mls_core::identity::readable_fingerprint;
use mls_core::store::StoreError;
use storage::{Database, OpenError, Role};
use tokio::net::TcpStream;
use tokio::time::timeout;
use xmpp_adapter::component::Component;

use crate::apart::{Found, publishes};
use crate::authority;
use crate::command_line::Exit;
use crate::config::{AuthorityElsewhere, Config, Fault, Matrix, Roles, Xmpp};
use crate::limits::CHECK_DEADLINE;
use crate::networks::{appservice_setup, component_setup};

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// The key or the section of the configuration that it is about.
    pub key: &'static str,
    /// What was seen and, for a fault, how to mend it.
    pub text: String,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// It cannot be seen from here; people have to look.
    Note,
    /// It does not work.
    Fault,
}

/// Prints what was looked at, what is wrong and how to mend it.
pub fn check(file: &Path) -> Exit {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(faults) => {
            println!("{faults}");
            return Exit::Faulty;
        }
    };
    let findings = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(look(file, &config)),
        Err(error) => vec![Finding::fault("the system", error.to_string())],
    };
    findings.iter().for_each(|finding| println!("{finding}"));
    let faults = findings.iter().filter(|finding| finding.level == Level::Fault).count();
    if faults == 0 {
        println!("No fault found.");
        Exit::Done
    } else {
        println!("Faults found: {faults}.");
        Exit::Failed
    }
}

/// Looks at everything that can be seen from here.
pub async fn look(file: &Path, config: &Config) -> Vec<Finding> {
    let (running, database) = database(&config.database);
    let mut findings = vec![privacy(file), database];
    findings.extend(authority(config, running));
    let roles = &config.roles;
    if let Some(config) = &config.matrix {
        findings.extend(matrix(config, roles).await);
    }
    if let Some(config) = &config.xmpp {
        findings.extend(xmpp(config, running).await);
    }
    findings
}

/// Whether others could read the secrets.
fn privacy(file: &Path) -> Finding {
    match std::fs::metadata(file).map(|metadata| metadata.permissions().mode() & 0o077) {
        Ok(0) => Finding::good("the file", "only its owner may read it"),
        Ok(_) => {
            let text = format!("others may read its secrets; run chmod 600 {}", file.display());
            Finding::fault("the file", text)
        }
        Err(error) => Finding::fault("the file", error.to_string()),
    }
}

/// Whether the database can be used, and whether an mls-bridge is using it right now.
fn database(path: &Path) -> (bool, Finding) {
    if !path.exists() {
        return match path.parent().filter(|folder| folder.is_dir()) {
            Some(_) => (false, Finding::good("database", "will be made at the first start")),
            None => {
                let text = format!("the folder of {} is missing; make it", path.display());
                (false, Finding::fault("database", text))
            }
        };
    }
    match Database::open(path, Role::Hub, None) {
        Ok(_) => (false, Finding::good("database", "opens")),
        Err(OpenError::InUse { .. }) => {
            (true, Finding::good("database", "in use: mls-bridge is running"))
        }
        Err(error) => (false, Finding::fault("database", error.to_string())),
    }
}

/// Whether the hub can sign certificates, and members believe them.
fn authority(config: &Config, running: bool) -> Vec<Finding> {
    let setup = match authority::set_up(config) {
        Ok(setup) => setup,
        Err(Fault { key, problem }) => {
            return vec![Finding::fault("authority", format!("{key}: {problem}"))];
        }
    };
    if let (Roles::Delivery(other), hub::Roles::Delivery { roots, .. }) =
        (&config.roles, &setup.roles)
    {
        return elsewhere(other, roots);
    }
    let mut findings = vec![match running {
        // The root is the one that it was started with, or it would not run.
        true => Finding::note("authority", "members pin the root whose fingerprint its log shows"),
        false => root(&setup, &config.database),
    }];
    findings.push(match &setup.authority {
        None => Finding::good(
            "authority",
            "a key of the hub's own (an offline root is safer: mls-bridge authority --help)",
        ),
        Some(given) => match authority::end_is_near(given) {
            Some(text) => Finding::note("authority", text),
            None => Finding::good(
                "authority",
                format!("signs until {}", authority::date(given.ends_ms())),
            ),
        },
    });
    if let Roles::Authentication(delivery) = &config.roles {
        findings.push(match publishes(&delivery.publish) {
            Ok(text) => Finding::good("delivery.publish", text),
            Err(why) => Finding::fault("delivery.publish", why),
        });
    }
    findings
}

/// What comes from an authority that is another process.
fn elsewhere(other: &AuthorityElsewhere, roots: &[Vec<u8>]) -> Vec<Finding> {
    let fingerprints = roots.iter().map(|root| sha256(root).to_string());
    let fingerprints: Vec<_> = fingerprints.map(|hex| readable_fingerprint(&hex)).collect();
    let text = format!(
        "at {}; members compare its root's fingerprint: {}",
        other.address,
        fingerprints.join(" and ")
    );
    let found = Found::look(&other.revoked, roots);
    let list = match (found.fault(), found) {
        (Some(why), _) => Finding::fault("authority.revoked", why),
        (None, Found::List(list)) => {
            let text = format!("who is revoked is known: {} entries", list.entries.len());
            Finding::good("authority.revoked", text)
        }
        (None, Found::Fault(why)) => Finding::fault("authority.revoked", why),
    };
    vec![Finding::good("authority", text), list]
}

/// Which root members pin.
fn root(setup: &HubSetup, database: &Path) -> Finding {
    let opened = database.exists().then(|| Database::open(database, Role::Hub, None));
    // A database that does not open is a finding of its own.
    let found = opened.and_then(Result::ok).map(|database| {
        let other = authority::other_root(setup, &database)?;
        Ok::<_, StoreError>((other, authority::root_fingerprint(&database)?))
    });
    match found {
        Some(Ok((Some(other), _))) => Finding::fault("authority", other),
        Some(Ok((None, Some(root)))) => {
            Finding::good("authority", format!("members compare its root's fingerprint: {root}"))
        }
        Some(Err(error)) => Finding::fault("authority", error.to_string()),
        Some(Ok((None, None))) | None => {
            Finding::good("authority", "no member has pinned a root yet")
        }
    }
}

async fn matrix(config: &Matrix, roles: &Roles) -> Vec<Finding> {
    let found = appservice::check(&appservice_setup(config, roles)).await;
    let faults = found.into_iter().map(|appservice::Finding { fault, mend }| {
        Finding::fault("matrix", format!("{fault}; to mend it: {mend}"))
    });
    let mut findings: Vec<Finding> = faults.collect();
    if findings.is_empty() {
        let text = format!("{} knows {} and reaches us", config.homeserver, config.hub());
        findings.push(Finding::good("matrix", text));
    }
    findings.push(Finding::note(
        "matrix",
        "rc_invites cannot be seen from here; without the lines of the snippet homeserver.yaml \
         the hub takes 5 new clients at once, then one in 333 seconds",
    ));
    findings
}

/// A second connection of a component would put out the first, so a running mls-bridge is left
/// alone.
async fn xmpp(config: &Xmpp, running: bool) -> Vec<Finding> {
    if running {
        return vec![port(config).await];
    }
    match Component::check(&component_setup(config)).await {
        Ok(notes) => {
            let text = format!("{} takes us as {}", config.address, config.component);
            let notes = notes.into_iter().map(|note| Finding::note("xmpp", note));
            std::iter::once(Finding::good("xmpp", text)).chain(notes).collect()
        }
        Err(error) => vec![Finding::fault("xmpp", error.to_string())],
    }
}

async fn port(config: &Xmpp) -> Finding {
    let address = &config.address;
    let why = match timeout(CHECK_DEADLINE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => {
            let text = "the component port answers; to try more, stop mls-bridge for a moment";
            return Finding::good("xmpp.address", text);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    let text = format!("{address} does not answer ({why}); is the XMPP server running?");
    Finding::fault("xmpp.address", text)
}

impl Finding {
    fn good(key: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Good, key, text: text.into() }
    }

    fn note(key: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, key, text: text.into() }
    }

    fn fault(key: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Fault, key, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Good => "good ",
            Level::Note => "note ",
            Level::Fault => "FAULT",
        };
        write!(f, "{level} {}: {}", self.key, self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::net::TcpListener;

    use super::*;
    use crate::command_line::InitArguments;
    use crate::init::{CONFIG, Terminal, init};

    #[tokio::test]
    async fn servers_that_are_away_and_secrets_that_others_may_read_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let away = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let arguments = InitArguments {
            homeserver_url: Some(format!("http://{}", away())),
            server_name: Some("example.org".to_owned()),
            listen: Some(away()),
            xmpp_domain: Some("example.net".to_owned()),
            component_address: Some(away()),
            component_domain: Some("mls.example.net".to_owned()),
            muc_service: Some("rooms.example.net".to_owned()),
            out: folder.path().to_owned(),
            ..InitArguments::default()
        };
        init(&arguments, &mut Terminal).unwrap();
        let file = folder.path().join(CONFIG);
        let config = Config::load(&file).unwrap();
        let faults = |findings: Vec<Finding>| -> Vec<&'static str> {
            let faults = findings.into_iter().filter(|finding| finding.level == Level::Fault);
            faults.map(|finding| finding.key).collect()
        };
        assert_eq!(faults(look(&file, &config).await), ["matrix", "xmpp"]);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(faults(look(&file, &config).await), ["the file", "matrix", "xmpp"]);
        assert!(!config.database.exists());
        // With a running mls-bridge, only its port is tried.
        let _running = Database::open(&config.database, Role::Hub, None).unwrap();
        assert_eq!(faults(look(&file, &config).await), ["the file", "matrix", "xmpp.address"]);
    }
}
