//! Why the rig, or what it drives, did not do what was asked.

use std::fmt;
use std::path::Path;

use thiserror::Error;

/// What went wrong; the text names whose fault it is and what to do.
///
/// `Debug` prints the same text as `Display`, because a test that returns an error shows that.
#[derive(Error)]
pub enum RigError {
    /// This machine lacks something; the text has the command that mends it.
    #[error("{0}")]
    Machine(String),
    /// A file, a socket or a process could not be used.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path or the address.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something that had to happen did not happen in time.
    #[error("not within {seconds} s: {what}\n{seen}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: u64,
        /// What was seen instead: the last events, the end of a log.
        seen: String,
    },
    /// `mls-bot` answered a command with `command_failed`.
    #[error("{who}: {command} failed: {why}")]
    Refused {
        /// The bot's name.
        who: String,
        /// The command's name.
        command: String,
        /// The `why` of the answer.
        why: String,
    },
    /// A program or a server answered, and not as it must.
    #[error("{0}")]
    Answer(String),
}

impl RigError {
    /// An I/O error with what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// An I/O error on a file.
    pub fn file(verb: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(format!("cannot {verb} {}", path.display()))
    }
}

impl fmt::Debug for RigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
