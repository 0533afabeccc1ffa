//! The log of what an authority signed: a Merkle tree (RFC 6962 2) of every certificate and every
//! revocation, which only ever grows.
//!
//! An authority that signs for a key which its user never had cannot hide it: a certificate counts
//! because it stands in the log, everybody sees the same log because its heads are signed and each
//! must contain the one before, and whoever reads all [`LogLeaf`]s finds those of its own user. A
//! leaf is two hashes, so that the reading does not show the names of others; who guesses a name
//! can look for it.
//!
//! Here is what is signed and what is checked, for both sides; the hub keeps the tree
//! ([`crate::hub`]). The hashing and the proofs are `tlog_tiles`'.

mod entry;
mod evidence;
mod frontier;
mod proof;
mod tree_head;
mod view;

pub use entry::{Issued, LogEntry, LogLeaf, RevocationReason, Revoked, SerialNumber, user_label};
pub use evidence::{HeadSigner, LogEvidence, LogEvidenceError, ShownHead};
pub use frontier::{Frontier, OwnLeaf};
pub use proof::{check_consistency, check_inclusion};
pub(crate) use proof::{hash_of, proof_from};
pub use tree_head::{SignedTreeHead, TreeHead, TwoHeads};
pub use view::{LogError, LogView};
