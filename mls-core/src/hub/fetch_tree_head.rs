//! `FetchTreeHead`: the log as it is, signed, with the proof that it holds what the asker knows.

use super::transparency;
use super::turn::{Stop, Turn};
use crate::wire::Answer;
use crate::wire::fetch_tree_head::{FetchTreeHead, FetchedTreeHead};

impl Turn<'_> {
    /// Who knows a larger tree gets the head alone: with the one that it has, it proves the loss.
    pub(super) fn fetch_tree_head(&self, fetch: &FetchTreeHead) -> Result<Answer, Stop> {
        let head = self.tree_head()?;
        let consistency = match head.head.size {
            size if fetch.since_size <= size => {
                transparency::consistency(self.store, fetch.since_size, size)?
            }
            _ => Vec::new(),
        };
        Ok(Answer::TreeHead(FetchedTreeHead { head, consistency }))
    }
}
