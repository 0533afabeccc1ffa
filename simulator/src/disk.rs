//! A database in memory that knows which of its commits a loss of power would undo.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_core::overlay::Overlay;
use mls_core::store::{MemoryStore, Space, Store, StoreError, Value, Write};

/// Entries read at once, where all are wanted.
const ALL: usize = 1_000_000;

/// Clones share their content. What a run writes lies above what it began with, so that many
/// runs can begin with the same.
#[derive(Clone)]
pub(crate) struct Disk {
    base: MemoryStore,
    shared: Arc<Mutex<Content>>,
}

struct Content {
    now: Overlay,
    synced: Vec<Write>,
    unsynced: Vec<Write>,
}

impl Disk {
    /// A database that holds what `base` holds, and never writes to that.
    pub(crate) fn above(base: &MemoryStore) -> Self {
        let now = Overlay::new(Arc::new(base.clone()));
        let content = Content { now, synced: Vec::new(), unsynced: Vec::new() };
        Self { base: base.clone(), shared: Arc::new(Mutex::new(content)) }
    }

    /// Commits without a sync.
    pub(crate) fn commit(&self, writes: Vec<Write>) {
        let mut content = self.lock();
        content.now.apply(&writes);
        content.unsynced.extend(writes);
    }

    /// Nothing that was committed can be lost any more.
    pub(crate) fn sync(&self) {
        let mut content = self.lock();
        let unsynced = std::mem::take(&mut content.unsynced);
        content.synced.extend(unsynced);
    }

    /// What was not synced is gone. Whether there was anything.
    pub(crate) fn lose_power(&self) -> bool {
        let mut content = self.lock();
        content.now.discard();
        let lost = !std::mem::take(&mut content.unsynced).is_empty();
        let Content { now, synced, .. } = &*content;
        now.apply(synced);
        lost
    }

    /// Takes away everything in these spaces, as a damaged disk would.
    pub(crate) fn lose(&self, spaces: &[Space]) -> Result<(), StoreError> {
        for space in spaces {
            let entries = self.scan(space, &[], &[], ALL)?;
            let delete = |(key, _)| Write::Delete { space, key };
            self.commit(entries.into_iter().map(delete).collect());
        }
        self.sync();
        Ok(())
    }

    /// All that it holds, for other runs to begin with. Only of a disk above nothing.
    pub(crate) fn freeze(&self) -> MemoryStore {
        let frozen = self.base.clone();
        frozen.apply(&self.lock().synced);
        frozen
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.lock().now.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        self.lock().now.scan(space, prefix, from, limit)
    }
}

/// Writes on top of others.
trait Apply {
    fn apply(&self, writes: &[Write]);
}

impl Apply for Overlay {
    fn apply(&self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Put { space, key, value } => self.put(space, key, value.to_vec()),
                Write::Delete { space, key } => self.delete(space, key),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_of_power_undoes_what_was_not_synced_and_nothing_else() {
        let put = |key: &str| {
            let (key, value) = (key.as_bytes().to_vec(), vec![1].into());
            vec![Write::Put { space: "s", key, value }]
        };
        let base = MemoryStore::default();
        base.apply(&put("base"));
        let disk = Disk::above(&base);
        disk.commit(put("synced"));
        disk.sync();
        assert!(!disk.lose_power());
        disk.commit(put("lost"));
        disk.commit(vec![Write::Delete { space: "s", key: b"base".to_vec() }]);
        let keys = || {
            let entries = disk.scan("s", &[], &[], 9).unwrap();
            entries.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(keys(), ["lost", "synced"]);
        assert!(disk.lose_power());
        assert_eq!(keys(), ["base", "synced"]);
        assert!(base.get("s", b"synced").unwrap().is_none());
        assert!(disk.freeze().get("s", b"synced").unwrap().is_some());
    }
}
