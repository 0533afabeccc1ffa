//! `mls-bridge check`: faults of the configuration, then whether both servers are there and take us.

mod component;
mod homeserver;

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use storage::{Database, OpenError, Role};

use crate::command_line::Exit;
use crate::config::Config;

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// The key of the configuration that it is about.
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
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("cannot look at anything: {error}");
            return Exit::Failed;
        }
    };
    let mut findings = vec![privacy(file)];
    let (running, database) = database(&config.database);
    findings.push(database);
    runtime.block_on(async {
        if let Some(matrix) = &config.matrix {
            findings.extend(homeserver::look(matrix, running).await);
        }
        if let Some(xmpp) = &config.xmpp {
            findings.extend(component::look(xmpp, running).await);
        }
    });
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
mod tests;
