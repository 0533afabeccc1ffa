//! Reading a whole log: its leaves in order, in the memory of one branch of the tree.
//!
//! Where the root that they give is the signed one, no leaf was left out, and those that name one's
//! own user are all that the authority ever signed in that name.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use tlog_tiles::{Hash, HashReader};

use super::proof::hash_of;
use super::{LogError, LogLeaf, TreeHead};
use crate::limits::LOG_ENTRIES_MAX;
use crate::wire::Digest;

/// The first leaves of a log, as far as they were read. Kept between two pages, it is 32 bytes for each
/// bit that is set in the number of leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Frontier {
    size: u64,
    /// The roots of the full subtrees, from the left: the largest first.
    hashes: Vec<Digest>,
}

/// A leaf that names one's own user.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OwnLeaf {
    /// Its place in the log.
    pub index: u64,
    /// The hash of its entry ([`super::LogEntry::hash`]).
    pub entry_hash: Digest,
}

impl Frontier {
    /// Leaves that were read: where the next page begins.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the leaves from `from` on, which must be the next ones; gives those of `own`, a
    /// [`user_label`](super::user_label). After an error it stands where it stood.
    pub fn take(
        &mut self,
        from: u64,
        leaves: &[LogLeaf],
        own: Digest,
    ) -> Result<Vec<OwnLeaf>, LogError> {
        let more = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
        if from != self.size || more > LOG_ENTRIES_MAX.saturating_sub(from) {
            return Err(LogError::NotNext { known: self.size, from });
        }
        let (mut next, mut found) = (self.clone(), Vec::new());
        for leaf in leaves {
            if leaf.user_label == own {
                found.push(OwnLeaf { index: next.size, entry_hash: leaf.entry_hash });
            }
            next.push(leaf.hash())?;
        }
        *self = next;
        Ok(found)
    }

    /// Whether what was read is the tree of a head; of one with another size it is not.
    pub fn is_tree_of(&self, head: &TreeHead) -> Result<bool, LogError> {
        Ok(self.size == head.size && self.root()? == head.root)
    }

    fn root(&self) -> Result<Digest, LogError> {
        self.check()?;
        let root = tlog_tiles::tree_hash(self.size, self).map_err(|_| LogError::Damaged)?;
        Ok(Digest(root.0))
    }

    /// A leaf completes a subtree for each one bit at the end of the size, and takes its root's place.
    fn push(&mut self, leaf: Digest) -> Result<(), LogError> {
        self.check()?;
        let hashes = tlog_tiles::stored_hashes_for_record_hash(self.size, hash_of(leaf), self)
            .map_err(|_| LogError::Damaged)?;
        let (Some(root), completed) = (hashes.last(), hashes.len().saturating_sub(1)) else {
            return Err(LogError::Damaged);
        };
        self.hashes.truncate(self.hashes.len().saturating_sub(completed));
        self.hashes.push(Digest(root.0));
        self.size = self.size.saturating_add(1);
        Ok(())
    }

    fn check(&self) -> Result<(), LogError> {
        let whole = u64::from(self.size.count_ones()) == self.hashes.len() as u64;
        if whole && self.size <= LOG_ENTRIES_MAX { Ok(()) } else { Err(LogError::Damaged) }
    }
}

/// Both that is asked for, the roots of all full subtrees and of those that a leaf completes, are the
/// last ones that are kept, from the left.
impl HashReader for Frontier {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let first = self.hashes.len().checked_sub(indexes.len());
        let last = first.and_then(|first| self.hashes.get(first..));
        let last = last.ok_or(tlog_tiles::Error::IndexesNotInTree)?;
        Ok(last.iter().copied().map(hash_of).collect())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Frontier, OwnLeaf);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_read_is_the_whole_of_an_empty_log_and_of_no_other() {
        let empty = Digest(tlog_tiles::EMPTY_HASH.0);
        let head = |size, root| TreeHead { size, root, time_ms: 1 };
        assert!(Frontier::default().is_tree_of(&head(0, empty)).unwrap());
        assert!(!Frontier::default().is_tree_of(&head(0, Digest([1; 32]))).unwrap());
        assert!(!Frontier::default().is_tree_of(&head(1, empty)).unwrap());
    }
}
