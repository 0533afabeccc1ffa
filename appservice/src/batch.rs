//! The writes of several inputs, visible to the hub at once, until they are committed together.
//!
//! The hub reads through this store. So one transaction, and one fsync, serves many inputs, and
//! each of them is decided as if those before it were already on the disk.

use std::sync::Arc;

use mls_core::overlay::Overlay;
use mls_core::store::{Space, Store, StoreError, Value, Write};
use storage::Database;

/// A database with writes that are not committed yet on top; clones share both.
#[derive(Clone)]
pub struct Batch {
    database: Database,
    pending: Overlay,
}

impl Batch {
    /// Nothing pending on top of `database`.
    pub fn new(database: Database) -> Self {
        Self { pending: Overlay::new(Arc::new(database.clone())), database }
    }

    /// Makes `writes` visible.
    pub fn add(&self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { space, key, value } => self.pending.put(space, &key, value.to_vec()),
                Write::Delete { space, key } => self.pending.delete(space, &key),
            }
        }
    }

    /// Commits all that is pending in one transaction. After an error nothing is pending and
    /// nothing was written; whoever decided with it must start again from the database.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.database.commit(&self.pending.take_writes())
    }
}

impl Store for Batch {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.pending.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        self.pending.scan(space, prefix, from, limit)
    }
}

#[cfg(test)]
mod tests {
    use storage::Role;

    use super::*;

    #[test]
    fn what_is_pending_is_read_here_and_is_in_the_database_only_after_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db"), Role::Hub, None).unwrap();
        let batch = Batch::new(database.clone());
        let key = b"k".to_vec();
        batch.add(vec![Write::Put { space: "s", key, value: b"v".to_vec().into() }]);
        assert!(batch.get("s", b"k").unwrap().is_some());
        assert!(database.get("s", b"k").unwrap().is_none());
        batch.commit().unwrap();
        assert!(database.get("s", b"k").unwrap().is_some());
    }
}
