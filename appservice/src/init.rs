//! `mls-bridge init`: writes the configuration, the registration and the snippets.

mod answers;
mod file;
mod template;

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::command_line::{Exit, InitArguments};
use crate::config::Fault;
pub use answers::{Answers, Ask, MatrixAnswers, Terminal, XmppAnswers};
pub(crate) use file::write_private;

/// The names of what `init` writes.
pub const CONFIG: &str = "mls-bridge.toml";
/// For the homeserver: who the application service is.
pub const REGISTRATION: &str = "registration.yaml";
/// For the homeserver: its limits, and where the registration lies.
pub const HOMESERVER: &str = "homeserver.yaml";
/// For Prosody: the component.
pub const PROSODY: &str = "prosody.cfg.lua";

/// Why nothing, or not everything, was written.
#[derive(Debug, Error)]
pub enum InitError {
    /// Something must be known and was neither given nor answered.
    #[error("{option} is missing: give it, or run init on a terminal and it asks")]
    Missing {
        /// The option of the command line.
        option: &'static str,
    },
    /// Neither network was described.
    #[error("nothing to serve: give --homeserver-url and --server-name, or --xmpp-domain, or both")]
    NoNetwork,
    /// The answers make a faulty configuration.
    #[error("this cannot work:{}", listed(.0))]
    Faulty(Vec<Fault>),
    /// A file is there and `--force` is not.
    #[error("{0} is there already; nothing was written (--force writes over it, with new secrets)")]
    Exists(PathBuf),
    /// The system refused.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The terminal went away.
    #[error("no answer could be read: {0}")]
    Terminal(io::Error),
}

impl InitError {
    /// How the program ends after it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::NoNetwork | Self::Faulty(_) | Self::Exists(_) => {
                Exit::Faulty
            }
            Self::File { .. } | Self::Random(_) | Self::Terminal(_) => Exit::Failed,
        }
    }
}

/// Asks what `arguments` leave open, writes the files and says in three lines what to do next.
pub fn init(arguments: &InitArguments, ask: &mut dyn Ask) -> Result<String, InitError> {
    // Before any question: an answer that is thrown away annoys.
    let named = [CONFIG, REGISTRATION, HOMESERVER, PROSODY].map(|name| arguments.out.join(name));
    if let Some(path) = named.iter().find(|path| !arguments.force && path.exists()) {
        return Err(InitError::Exists(path.clone()));
    }
    let answers = Answers::collect(arguments, ask)?;
    // The snippets name the folder, so it must mean the same from everywhere.
    let folder = std::path::absolute(&arguments.out).map_err(|source| InitError::File {
        what: "find the folder",
        path: arguments.out.clone(),
        source,
    })?;
    let files = template::fill_all(&answers, &folder)?;
    make_folder(&folder)?;
    for (name, text) in &files {
        write_private(&folder.join(name), text, arguments.force)?;
    }
    Ok(next_steps(&answers, &folder))
}

/// Makes the folder where it is missing. Others may pass through it, for the servers must reach the
/// file that their group may read; they cannot list it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), InitError> {
    let path = folder.to_owned();
    let made = DirBuilder::new().recursive(true).mode(0o711).create(folder);
    made.map_err(|source| InitError::File { what: "make the folder", path, source })
}

fn next_steps(answers: &Answers, folder: &Path) -> String {
    let path = |name| folder.join(name).display().to_string();
    let mut text = String::new();
    match answers.matrix {
        Some(_) => {
            let (snippet, registration) = (path(HOMESERVER), path(REGISTRATION));
            let _ = writeln!(
                text,
                "1. Synapse: chgrp matrix-synapse {registration} && chmod 640 {registration}, add \
                 {snippet} to its configuration, restart it."
            );
        }
        None => text.push_str("1. Matrix: not configured; nothing to do.\n"),
    }
    match answers.xmpp {
        Some(_) => {
            let snippet = path(PROSODY);
            let _ = writeln!(
                text,
                "2. Prosody: chgrp prosody {snippet} && chmod 640 {snippet}, Include \"{snippet}\" at \
                 the end of prosody.cfg.lua, restart it."
            );
        }
        None => text.push_str("2. XMPP: not configured; nothing to do.\n"),
    }
    let config = path(CONFIG);
    let _ =
        writeln!(text, "3. mls-bridge check --config {config} && mls-bridge run --config {config}");
    text
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

#[cfg(test)]
mod tests;
