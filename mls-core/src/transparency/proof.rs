//! Proofs that a tree contains a leaf, or an earlier tree (RFC 6962 2.1.1 and 2.1.2).
//!
//! The computing is `tlog_tiles`'. It asserts what its callers must see to, so sizes and lengths that
//! a peer chose are bounded here before it sees them.

use tlog_tiles::Hash;

use super::TreeHead;
use crate::limits::{LOG_ENTRIES_MAX, LOG_PROOF_HASHES_MAX};
use crate::wire::Digest;

/// Whether `proof` shows that the tree of `head` has this leaf at `index`.
pub fn check_inclusion(head: &TreeHead, index: u64, leaf: Digest, proof: &[Digest]) -> bool {
    head.is_possible()
        && index < head.size
        && bounded(proof).is_some_and(|proof| {
            tlog_tiles::check_record(&proof, head.size, hash_of(head.root), index, hash_of(leaf))
                .is_ok()
        })
}

/// Whether `proof` shows that the tree of `new` begins with that of `old`. Everything begins with the
/// empty tree, whose proof is empty.
pub fn check_consistency(old: &TreeHead, new: &TreeHead, proof: &[Digest]) -> bool {
    if !old.is_possible() || !new.is_possible() || old.size > new.size {
        return false;
    } else if old.size == 0 {
        return proof.is_empty();
    }
    bounded(proof).is_some_and(|proof| {
        let (size, root) = (new.size, hash_of(new.root));
        tlog_tiles::check_tree(&proof, size, root, old.size, hash_of(old.root)).is_ok()
    })
}

impl TreeHead {
    /// Whether a tree of our bounds can have it.
    pub fn is_possible(&self) -> bool {
        let empty = self.root.0 == tlog_tiles::EMPTY_HASH.0;
        self.size <= LOG_ENTRIES_MAX && (self.size > 0 || empty)
    }
}

/// The hash of a leaf with these bytes.
pub(super) fn hash_of_record(bytes: &[u8]) -> Digest {
    Digest(tlog_tiles::record_hash(bytes).0)
}

/// As `tlog_tiles` has it.
pub(crate) fn hash_of(digest: Digest) -> Hash {
    Hash(digest.0)
}

/// As the wire has it.
pub(crate) fn proof_from(hashes: Vec<Hash>) -> Vec<Digest> {
    hashes.into_iter().map(|hash| Digest(hash.0)).collect()
}

/// Its checks copy the rest of a proof at each step, so a long one would cost its square.
fn bounded(proof: &[Digest]) -> Option<Vec<Hash>> {
    (proof.len() <= LOG_PROOF_HASHES_MAX).then(|| proof.iter().copied().map(hash_of).collect())
}
