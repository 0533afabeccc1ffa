//! What the core asks of a database: read by key, read in key order, and take writes together.
//!
//! The core only reads; it returns its writes, and the caller commits them in the transaction
//! that also holds what must be sent. A space is one table of keys and values.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use zeroize::Zeroizing;

/// A value; wiped when it is dropped, for it may hold a key.
pub type Value = Zeroizing<Vec<u8>>;

/// One table, by its name in lower-case letters and `_`.
pub type Space = &'static str;

/// A read failed; the machine's fault, never a sender's.
#[derive(Debug, Error)]
#[error("the database does not answer: {0}")]
pub struct StoreError(pub String);

/// A synchronous, ordered key-value view of a database.
pub trait Store: Send + Sync {
    /// The value under `key`.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// At most `limit` entries whose key starts with `prefix` and is at least `from`, in order.
    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError>;
}

/// One change; a list of them is committed as a whole or not at all.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Put `value` under `key`, whatever was there.
    Put {
        /// The table.
        space: Space,
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Value,
    },
    /// Take away what is under `key`, if anything.
    Delete {
        /// The table.
        space: Space,
        /// The key.
        key: Vec<u8>,
    },
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Put { space, value, .. } => write!(f, "Put({space}, {} bytes)", value.len()),
            Self::Delete { space, .. } => write!(f, "Delete({space})"),
        }
    }
}

/// A [`Store`] in memory, for tests and simulations; clones share their content.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Entries>>);

type Entries = BTreeMap<(Space, Vec<u8>), Value>;

impl MemoryStore {
    /// Applies `writes` as a database would when it commits.
    pub fn apply(&self, writes: &[Write]) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            match write {
                Write::Put { space, key, value } => {
                    map.insert((space, key.clone()), value.clone());
                }
                Write::Delete { space, key } => {
                    map.remove(&(*space, key.clone()));
                }
            }
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(map.get(&(space, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (space, prefix.max(from).to_vec());
        let entries =
            map.range(start..).take_while(|((s, k), _)| *s == space && k.starts_with(prefix));
        Ok(entries.take(limit).map(|((_, k), v)| (k.clone(), v.clone())).collect())
    }
}
