//! The authority's log of what it signed ([`crate::transparency`]): entries, the hashes of the tree over
//! them, and where a user's entries and a certificate's stand.
//!
//! An entry is appended in the same turn as what it is about, so that nothing signed leaves without it.
//! The hashes of full subtrees are kept in the order of `tlog_tiles`, from which every earlier tree and
//! every proof can be had: an append reads and writes as many as subtrees get full, two on average.

use std::num::NonZero;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use tlog_tiles::{Hash, HashReader, stored_hash_index};

use super::authority::not_signed;
use super::turn::{Stop, Turn, machine};
use crate::limits::LOG_ENTRIES_MAX;
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::transparency::{Issued, LogEntry, SignedTreeHead, TreeHead, hash_of, proof_from};
use crate::wire::Digest;

/// How far the log goes.
const STATE: Space = "log_state";
const STATE_KEY: &[u8] = b"state";
/// Entries, by index.
const ENTRY: Space = "log_entry";
/// Hashes of full subtrees, by their index in the order of `tlog_tiles`.
const HASH: Space = "log_hash";
/// Nothing, by user label and index.
const OF_USER: Space = "log_of_user";
/// The index of a certificate's entry, by its hash.
const OF_CERTIFICATE: Space = "log_of_certificate";

/// How far the log goes.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct LogState {
    size: u64,
    /// When the last entry was appended or the last head signed: what follows is later.
    time_ms: u64,
}

/// An entry and its index.
pub(super) type Indexed = (u64, LogEntry);

/// Entries in the log.
pub(super) fn size(store: &Overlay) -> Result<u64, StoreError> {
    Ok(state(store)?.size)
}

/// Appends, at `now_ms`; gives the index.
pub(super) fn append(store: &Overlay, now_ms: u64, entry: &LogEntry) -> Result<u64, StoreError> {
    let LogState { size: index, time_ms } = state(store)?;
    if index >= LOG_ENTRIES_MAX {
        return Err(StoreError("the log of certificates is full".to_owned()));
    }
    let leaf = entry.leaf().map_err(machine)?;
    let place = index.to_be_bytes();
    let hashes =
        tlog_tiles::stored_hashes_for_record_hash(index, hash_of(leaf.hash()), &Tree(store));
    for (at, hash) in (stored_hash_index(0, index)..).zip(proof_from(hashes.map_err(machine)?)) {
        store.write_new(HASH, &at.to_be_bytes(), &hash)?;
    }
    store.write_new(ENTRY, &place, entry)?;
    store.put_new(OF_USER, &[leaf.user_label.0.as_slice(), &place].concat(), Vec::new());
    if let LogEntry::Issued(issued) = entry {
        store.write(OF_CERTIFICATE, &issued.certificate.0, &index)?;
    }
    // Later than every head of the smaller tree, whatever the clock does.
    let time_ms = now_ms.max(time_ms.saturating_add(1));
    store.write(STATE, STATE_KEY, &LogState { size: index.saturating_add(1), time_ms })?;
    Ok(index)
}

/// Where the entry of a certificate stands, by the hash of the certificate.
pub(super) fn find(store: &Overlay, certificate: &Digest) -> Result<Option<u64>, StoreError> {
    store.read(OF_CERTIFICATE, &certificate.0)
}

/// The entry at an index.
pub(super) fn entry(store: &Overlay, index: u64) -> Result<LogEntry, StoreError> {
    let entry = store.read(ENTRY, &index.to_be_bytes())?;
    entry.ok_or_else(|| StoreError(format!("entry {index} of the log is missing")))
}

/// At most `limit` entries from an index on, in order.
pub(super) fn entries(
    store: &Overlay,
    from: u64,
    limit: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let entries = store.scan(ENTRY, b"", &from.to_be_bytes(), limit)?;
    entries.into_iter().map(|(_, value)| decode(ENTRY, &value)).collect()
}

/// At most `limit` entries of the user with that label, from an index on, in order.
pub(super) fn entries_of(
    store: &Overlay,
    label: &Digest,
    from: u64,
    limit: usize,
) -> Result<Vec<Indexed>, StoreError> {
    let first = [label.0.as_slice(), &from.to_be_bytes()].concat();
    let places = store.scan(OF_USER, &label.0, &first, limit)?;
    let index = |key: &[u8]| {
        let index = key.get(label.0.len()..).and_then(|place| place.try_into().ok());
        index.map(u64::from_be_bytes).ok_or_else(|| machine("a place in the log is damaged"))
    };
    places
        .iter()
        .map(|(key, _)| {
            let index = index(key)?;
            Ok((index, entry(store, index)?))
        })
        .collect()
}

/// That the entry at `index` is in the tree of `size`, which must be larger and not above the log's.
pub(super) fn inclusion(store: &Overlay, index: u64, size: u64) -> Result<Vec<Digest>, StoreError> {
    let proof = tlog_tiles::prove_record(size, index, &Tree(store)).map_err(machine)?;
    Ok(proof_from(proof))
}

/// That the tree of size `new`, which must not be above the log's, begins with that of size `old`,
/// which must not be above `new`.
pub(super) fn consistency(store: &Overlay, old: u64, new: u64) -> Result<Vec<Digest>, StoreError> {
    let Some(old) = NonZero::new(old) else { return Ok(Vec::new()) };
    let proof = tlog_tiles::prove_tree(new, old.get(), &Tree(store)).map_err(machine)?;
    Ok(proof_from(proof))
}

impl Turn<'_> {
    /// Appends what was signed: a leaf certificate, DER.
    pub(super) fn log_issued(&self, certificate: &[u8]) -> Result<u64, StoreError> {
        let issued = Issued::of(certificate, self.now_ms).map_err(machine)?;
        append(self.store, self.now_ms, &LogEntry::Issued(issued))
    }

    /// The log as it is now, signed. The time never goes back, whatever the clock does.
    pub(super) fn tree_head(&self) -> Result<SignedTreeHead, Stop> {
        let LogState { size, time_ms } = state(self.store)?;
        let time_ms = time_ms.max(self.now_ms);
        self.store.write(STATE, STATE_KEY, &LogState { size, time_ms })?;
        let root = tlog_tiles::tree_hash(size, &Tree(self.store)).map_err(machine)?;
        let head = TreeHead { size, root: Digest(root.0), time_ms };
        self.authority()?.sign_tree_head(head).map_err(not_signed)
    }
}

fn state(store: &Overlay) -> Result<LogState, StoreError> {
    Ok(store.read(STATE, STATE_KEY)?.unwrap_or_default())
}

/// The stored hashes; exactly those that are asked for, or an error.
struct Tree<'a>(&'a Overlay);

impl HashReader for Tree<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes.iter().map(|index| self.read(*index).map_err(tlog_error)).collect()
    }
}

impl Tree<'_> {
    fn read(&self, index: u64) -> Result<Hash, StoreError> {
        let hash = self.0.read(HASH, &index.to_be_bytes())?;
        hash.map(hash_of).ok_or_else(|| StoreError(format!("hash {index} of the log is missing")))
    }
}

/// The one of its errors that takes a text.
fn tlog_error(error: StoreError) -> tlog_tiles::Error {
    tlog_tiles::Error::InvalidInput(error.0)
}

#[cfg(test)]
crate::codec_properties::hold!(LogState);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::address::UserId;
    use crate::store::MemoryStore;
    use crate::transparency::{
        RevocationReason, Revoked, SerialNumber, check_consistency, check_inclusion, user_label,
    };

    /// A log over so many revocations of two users in turn, and its heads at every size.
    fn log(entries: u64) -> (Overlay, Vec<TreeHead>) {
        let store = Overlay::new(Arc::new(MemoryStore::default()));
        let head = |size| {
            let root = Digest(tlog_tiles::tree_hash(size, &Tree(&store)).unwrap().0);
            TreeHead { size, root, time_ms: 0 }
        };
        let mut heads = vec![head(0)];
        for n in 0..entries {
            assert_eq!(append(&store, 0, &revoked(n)).unwrap(), n);
            heads.push(head(n + 1));
        }
        (store, heads)
    }

    fn user(n: u64) -> UserId {
        UserId::matrix(&format!("@user{}:example.org", n % 2)).unwrap()
    }

    fn revoked(n: u64) -> LogEntry {
        LogEntry::Revoked(Revoked {
            client: user(n).device("PHONE").unwrap(),
            serial: Some(SerialNumber(n.to_be_bytes().to_vec())),
            at_ms: n,
            reason: RevocationReason::KeyCompromise,
        })
    }

    #[test]
    fn what_is_kept_proves_every_entry_and_every_step_of_every_tree() {
        let (store, heads) = log(40);
        for new in &heads {
            for old in heads.iter().filter(|old| old.size <= new.size) {
                let proof = consistency(&store, old.size, new.size).unwrap();
                assert!(check_consistency(old, new, &proof), "{} to {}", old.size, new.size);
            }
            for index in 0..new.size {
                let leaf = entry(&store, index).unwrap().leaf().unwrap().hash();
                let proof = inclusion(&store, index, new.size).unwrap();
                assert!(check_inclusion(new, index, leaf, &proof), "{index} in {}", new.size);
            }
        }
    }

    #[test]
    fn entries_are_found_by_place_and_by_user() {
        let (store, _) = log(9);
        let all: Vec<_> = (0..9).map(revoked).collect();
        assert_eq!(entries(&store, 0, 100).unwrap(), all);
        assert_eq!(entries(&store, 4, 3).unwrap(), all[4..7]);
        assert_eq!(entries(&store, 9, 3).unwrap(), []);
        let of = |from, limit| -> Vec<u64> {
            let found = entries_of(&store, &user_label(&user(1)), from, limit).unwrap();
            assert!(found.iter().all(|(index, entry)| *entry == revoked(*index)));
            found.into_iter().map(|(index, _)| index).collect()
        };
        assert_eq!(of(0, 100), [1, 3, 5, 7]);
        assert_eq!(of(2, 2), [3, 5]);
        assert_eq!(of(8, 2), Vec::<u64>::new());
    }

    #[test]
    fn a_hash_that_is_missing_is_a_damaged_database_and_no_panic() {
        let (store, _) = log(9);
        store.delete(HASH, &stored_hash_index(0, 8).to_be_bytes());
        assert!(inclusion(&store, 0, 9).is_err() && consistency(&store, 3, 9).is_err());
        store.delete(ENTRY, &3u64.to_be_bytes());
        assert!(entries_of(&store, &user_label(&user(1)), 0, 9).is_err());
    }

    #[test]
    fn an_append_reads_and_writes_a_logarithm_of_the_log() {
        let (store, _) = log(1023);
        store.take_writes();
        let mut writes = 0;
        for n in 1023..2047 {
            append(&store, 0, &revoked(n)).unwrap();
            let now = store.take_writes().len();
            assert!(now <= 3 + 11, "{now} writes for entry {n}");
            writes += now;
        }
        assert!(writes <= 1024 * 5, "{writes} writes");
    }
}
