//! What one member knows of a log: the newest head that it has followed.

use mls_rs_core::crypto::SignaturePublicKey;
use thiserror::Error;

use super::{LogEntry, SignedTreeHead, TwoHeads, check_consistency, check_inclusion};
use crate::engine::EngineError;
use crate::wire::Digest;

/// What comes from a log and cannot be gone by.
#[derive(Debug, Error)]
pub enum LogError {
    /// Not signed by the authority: whoever sent it is at fault.
    #[error("the head of the log is not signed by the authority")]
    Signature,
    /// An empty tree with entries, or more entries than a log may have.
    #[error("no log can have the head that the authority signed")]
    NoTree,
    /// A head that was signed before the known one, of a smaller tree. It proves nothing: an answer
    /// may have been long on its way. To who asked just now it is no answer.
    #[error("the head of the log is older than the known one")]
    Older,
    /// The authority does not show that its log still holds what it held. Both heads are kept; where
    /// they [`contradict`](TwoHeads::contradict) each other, they convince others too.
    #[error("the log of certificates is not the one that it was: its authority may hide something")]
    Forked(Box<TwoHeads>),
    /// The proof does not show the entry in the tree.
    #[error("the log does not show that the entry is in it")]
    NotIncluded,
    /// Two heads that can both be true; whoever handed them over is at fault.
    #[error("the two heads do not contradict each other")]
    NoContradiction,
    /// Leaves that are not the next ones, or more than the head has.
    #[error("these leaves do not follow the {known} known ones of the log (from {from})")]
    NotNext {
        /// How many are known.
        known: u64,
        /// Where these begin.
        from: u64,
    },
    /// What was kept of the tree is damaged; the machine's fault.
    #[error("what was kept of the log is damaged")]
    Damaged,
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The newest head that one member has followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogView {
    /// Its signature was verified.
    head: SignedTreeHead,
}

impl LogView {
    /// The first head that a member hears of, which it takes as it is.
    pub fn first(head: SignedTreeHead, authority: &SignaturePublicKey) -> Result<Self, LogError> {
        head.verify(authority)?;
        Ok(Self { head })
    }

    /// A view as it was kept.
    pub fn kept(head: SignedTreeHead) -> Self {
        Self { head }
    }

    /// The head, to be kept, and to be compared with those of others.
    pub fn head(&self) -> &SignedTreeHead {
        &self.head
    }

    /// The view after the next head, by a proof from the size of the known one. `authority` is the
    /// key that signs now. The time of the head is not judged but against the known one's.
    pub fn advance(
        &self,
        next: SignedTreeHead,
        proof: &[Digest],
        authority: &SignaturePublicKey,
    ) -> Result<Self, LogError> {
        next.verify(authority)?;
        let two = TwoHeads { first: self.head.clone(), second: next };
        if two.contradict() {
            return Err(LogError::Forked(Box::new(two)));
        }
        let (known, next) = (&two.first.head, &two.second.head);
        if next.time_ms < known.time_ms {
            // Of a tree that is no larger, for larger ones are later.
            return Err(LogError::Older);
        } else if !check_consistency(known, next, proof) {
            return Err(LogError::Forked(Box::new(two)));
        }
        Ok(Self { head: two.second })
    }

    /// Whether the log of this view has the entry at `index`.
    pub fn includes(&self, entry: &LogEntry, index: u64, proof: &[Digest]) -> Result<(), LogError> {
        let leaf = entry.leaf()?.hash();
        match check_inclusion(&self.head.head, index, leaf, proof) {
            true => Ok(()),
            false => Err(LogError::NotIncluded),
        }
    }
}
