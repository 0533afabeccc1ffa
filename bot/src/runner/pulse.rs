//! What a runner does by itself as time passes.

use std::time::Duration;

use mls_core::member::{Command, Input};
use mls_core::store::StoreError;
use tokio::time::Instant;

use super::{OWN_COMMAND, RunError, Runner};

/// How often the database's log is emptied, and the list of revoked certificates is looked for.
const TIDY: Duration = Duration::from_secs(600);
/// How often the member may look into the authority's log; it knows itself how often that is needed, and a new
/// device looks as soon as it is certified.
const LOOK: Duration = Duration::from_secs(5);

impl Runner {
    /// A moment passed.
    pub(super) fn tick(&mut self) -> Result<(), RunError> {
        self.publish_if_due()?;
        self.input(Input::Tick, Vec::new())?;
        if self.connected && self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.input(Input::LookIntoLog, Vec::new())?;
        }
        if self.tidied.elapsed() >= TIDY {
            self.tidied = Instant::now();
            // What was deleted leaves the write-ahead log too.
            self.database.checkpoint()?;
            self.input(Input::LookForRevocations, Vec::new())?;
        }
        Ok(())
    }

    /// What the authority did since.
    pub(super) fn look_at_authority(&mut self) -> Result<(), RunError> {
        self.input(Input::LookForRevocations, Vec::new())?;
        self.input(Input::LookIntoLog, Vec::new())
    }

    /// Fills the pool of key packages, when that is due.
    pub(super) fn publish_if_due(&mut self) -> Result<(), RunError> {
        if self.publish_at.is_none_or(|at| at > Instant::now()) {
            return Ok(());
        }
        self.publish_at = None;
        let random = getrandom::u64().map_err(|e| StoreError(format!("no random numbers: {e}")))?;
        let id = format!("{OWN_COMMAND}publish-{random:016x}");
        self.publishing = Some(id.clone());
        self.input(Input::Command(id, Command::PublishKeyPackages), Vec::new())
    }
}
