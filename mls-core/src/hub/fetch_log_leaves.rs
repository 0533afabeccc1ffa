//! `FetchLogLeaves`: the leaves of the log, which say whose an entry is to who knows the name only.

use super::transparency;
use super::turn::{Stop, Turn, invalid, machine};
use crate::limits::LOG_LEAVES_PER_FETCH_MAX;
use crate::wire::Answer;
use crate::wire::fetch_log_leaves::{FetchLogLeaves, LogLeaves};

impl Turn<'_> {
    /// A page, as far as the tree goes that is read.
    pub(super) fn fetch_log_leaves(&self, fetch: &FetchLogLeaves) -> Result<Answer, Stop> {
        let left = self.size_of_log(fetch.size)?.saturating_sub(fetch.from);
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(LOG_LEAVES_PER_FETCH_MAX);
        let entries = transparency::entries(self.store, fetch.from, limit)?;
        let leaves = entries.iter().map(|entry| entry.leaf()).collect::<Result<_, _>>();
        Ok(Answer::LogLeaves(LogLeaves { leaves: leaves.map_err(machine)? }))
    }

    /// The size of a tree that somebody names, if the log goes so far.
    pub(super) fn size_of_log(&self, named: u64) -> Result<u64, Stop> {
        match transparency::size(self.store)? {
            size if named <= size => Ok(named),
            size => Err(invalid(format!("the log has {size} entries: fetch its head first"))),
        }
    }
}
