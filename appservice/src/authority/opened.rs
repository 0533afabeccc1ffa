//! The database of a configuration, for a command that signs or decides while the hub is not running.

use mls_core::hub::HubSetup;
use mls_core::store::StoreError;
use storage::{Database, OpenError as DatabaseError, Role};

use super::other_root;
use crate::command_line::Exit;
use crate::config::Config;

/// Why such a command cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Members have pinned another root than the configuration's.
    #[error("the authority: {0}")]
    Root(String),
    /// It cannot be opened.
    #[error("database: {0}")]
    Database(#[from] DatabaseError),
    /// It cannot be read.
    #[error("database: {0}")]
    Store(#[from] StoreError),
}

impl OpenError {
    /// With what the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Root(_) => Exit::Faulty,
            Self::Database(_) | Self::Store(_) => Exit::Database,
        }
    }
}

/// Opens the database, unless its root is another than the configuration's.
pub(crate) fn open_database(config: &Config, setup: &HubSetup) -> Result<Database, OpenError> {
    let database = Database::open(&config.database, Role::Hub, None)?;
    match other_root(setup, &database)? {
        Some(text) => Err(OpenError::Root(text)),
        None => Ok(database),
    }
}
