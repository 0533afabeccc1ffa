//! The writes of one input, visible to its own later reads, until the caller takes them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_rs_codec::{MlsDecode, MlsEncode};
use zeroize::Zeroizing;

use crate::store::{Space, Store, StoreError, Value, Write};

/// Entries that [`Overlay::each`] reads at once.
const PAGE: usize = 256;

/// A [`Store`] with pending writes on top; clones share both (the MLS engine holds one).
#[derive(Clone)]
pub struct Overlay {
    store: Arc<dyn Store>,
    pending: Arc<Mutex<Pending>>,
}

type Pending = BTreeMap<(Space, Vec<u8>), Change>;

/// What is to happen to one key.
enum Change {
    Put(Value),
    /// The store has nothing there, so a deletion leaves nothing to write.
    PutNew(Value),
    Delete,
}

impl Change {
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Put(value) | Self::PutNew(value) => Some(value),
            Self::Delete => None,
        }
    }
}

impl Overlay {
    /// Nothing pending on top of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, pending: Arc::default() }
    }

    /// The value under `key`, pending or stored.
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        if let Some(change) = self.lock().get(&(space, key.to_vec())) {
            return Ok(change.value().cloned());
        }
        self.store.get(space, key)
    }

    /// The value under `key`, decoded; a value that does not decode is a damaged database.
    pub fn read<T: MlsDecode>(&self, space: Space, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(space, key)?.map(|value| decode(space, &value)).transpose()
    }

    /// At most `limit` entries whose key starts with `prefix` and is at least `from`, in order.
    pub fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        let pending = self.lock();
        let start = (space, prefix.max(from).to_vec());
        let changed: Vec<_> = pending
            .range(start..)
            .take_while(|((s, key), _)| *s == space && key.starts_with(prefix))
            .collect();
        // As many more as pending deletions may take away.
        let stored = self.store.scan(space, prefix, from, limit.saturating_add(changed.len()))?;
        let mut merged: BTreeMap<Vec<u8>, Value> = stored.into_iter().collect();
        for ((_, key), change) in changed {
            match change.value() {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    /// Shows the entries whose key starts with `prefix`, in order and a page at a time, until there is no more or
    /// `goes_on` says no.
    pub(crate) fn each(
        &self,
        space: Space,
        prefix: &[u8],
        mut goes_on: impl FnMut(&[u8], &Value) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = Vec::new();
        loop {
            let page = self.scan(space, prefix, &from, PAGE)?;
            for (key, value) in &page {
                if !goes_on(key, value)? {
                    return Ok(());
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => from = [last.as_slice(), &[0]].concat(),
                _ => return Ok(()),
            }
        }
    }

    /// Puts `value` under `key`.
    pub fn put(&self, space: Space, key: &[u8], value: Vec<u8>) {
        let value = Zeroizing::new(value);
        match self.lock().entry((space, key.to_vec())) {
            Entry::Occupied(mut entry) if matches!(entry.get(), Change::PutNew(_)) => {
                entry.insert(Change::PutNew(value));
            }
            Entry::Occupied(mut entry) => {
                entry.insert(Change::Put(value));
            }
            Entry::Vacant(entry) => {
                entry.insert(Change::Put(value));
            }
        }
    }

    /// Puts `value` under a `key` that was never used before: taken away again before the writes
    /// are taken, it leaves no trace in them.
    pub fn put_new(&self, space: Space, key: &[u8], value: Vec<u8>) {
        let change = Change::PutNew(Zeroizing::new(value));
        self.lock().insert((space, key.to_vec()), change);
    }

    /// Puts the encoding of `value` under `key`.
    pub fn write<T: MlsEncode>(
        &self,
        space: Space,
        key: &[u8],
        value: &T,
    ) -> Result<(), StoreError> {
        self.put(space, key, encode(value)?);
        Ok(())
    }

    /// Puts the encoding of `value` under a `key` that was never used before, as
    /// [`Overlay::put_new`].
    pub fn write_new<T: MlsEncode>(
        &self,
        space: Space,
        key: &[u8],
        value: &T,
    ) -> Result<(), StoreError> {
        self.put_new(space, key, encode(value)?);
        Ok(())
    }

    /// Takes away what is under `key`.
    pub fn delete(&self, space: Space, key: &[u8]) {
        match self.lock().entry((space, key.to_vec())) {
            Entry::Occupied(entry) if matches!(entry.get(), Change::PutNew(_)) => {
                entry.remove();
            }
            Entry::Occupied(mut entry) => {
                entry.insert(Change::Delete);
            }
            Entry::Vacant(entry) => {
                entry.insert(Change::Delete);
            }
        }
    }

    /// The pending writes, in key order; nothing is pending afterwards.
    pub fn take_writes(&self) -> Vec<Write> {
        let pending = std::mem::take(&mut *self.lock());
        let write = |((space, key), change)| match change {
            Change::Put(value) | Change::PutNew(value) => Write::Put { space, key, value },
            Change::Delete => Write::Delete { space, key },
        };
        pending.into_iter().map(write).collect()
    }

    /// Forgets the pending writes.
    pub fn discard(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode<T: MlsEncode>(value: &T) -> Result<Vec<u8>, StoreError> {
    value.mls_encode_to_vec().map_err(|e| StoreError(e.to_string()))
}

/// Decodes a stored value, which must be a whole one: what has more is of another version.
pub(crate) fn decode<T: MlsDecode>(space: Space, value: &[u8]) -> Result<T, StoreError> {
    let mut rest = value;
    let decoded = T::mls_decode(&mut rest)
        .map_err(|error| StoreError(format!("an entry of {space}: {error}")))?;
    match rest.len() {
        0 => Ok(decoded),
        more => Err(StoreError(format!("an entry of {space} goes on for {more} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn a_scan_sees_pending_writes_and_deletions_in_key_order() {
        let store = MemoryStore::default();
        let overlay = Overlay::new(Arc::new(store.clone()));
        for key in [b"a1", b"a3", b"b1"] {
            overlay.put("space", key, key.to_vec());
        }
        store.apply(&overlay.take_writes());
        overlay.put("space", b"a2", b"a2".to_vec());
        overlay.delete("space", b"a1");
        let keys = |from: &[u8], limit| -> Vec<Vec<u8>> {
            overlay.scan("space", b"a", from, limit).unwrap().into_iter().map(|(k, _)| k).collect()
        };
        assert_eq!(keys(b"", 10), [b"a2".to_vec(), b"a3".to_vec()]);
        assert_eq!(keys(b"", 1), [b"a2".to_vec()]);
        assert_eq!(keys(b"a3", 10), [b"a3".to_vec()]);
        overlay.discard();
        assert_eq!(keys(b"", 10), [b"a1".to_vec(), b"a3".to_vec()]);
    }

    #[test]
    fn all_entries_of_a_prefix_are_shown_over_pages_or_until_it_is_enough() {
        let overlay = Overlay::new(Arc::new(MemoryStore::default()));
        let keys: Vec<_> = (0..PAGE * 2 + 1).map(|n| format!("a{n:05}").into_bytes()).collect();
        keys.iter().for_each(|key| overlay.put("space", key, Vec::new()));
        overlay.put("space", b"b", Vec::new());
        for wanted in [keys.len(), PAGE, 1] {
            let mut shown = Vec::new();
            let goes_on = |key: &[u8], _: &Value| {
                shown.push(key.to_vec());
                Ok(shown.len() < wanted)
            };
            overlay.each("space", b"a", goes_on).unwrap();
            assert_eq!(shown, keys[..wanted]);
        }
    }

    #[test]
    fn a_stored_value_that_is_cut_or_goes_on_is_refused() {
        let overlay = Overlay::new(Arc::new(MemoryStore::default()));
        for (bytes, whole) in [(vec![0, 7], true), (vec![0], false), (vec![0, 7, 0], false)] {
            overlay.put("space", b"key", bytes);
            assert_eq!(overlay.read::<u16>("space", b"key").is_ok(), whole);
        }
    }

    #[test]
    fn what_is_new_and_taken_away_again_leaves_no_write() {
        let overlay = Overlay::new(Arc::new(MemoryStore::default()));
        overlay.put_new("space", b"gone", b"1".to_vec());
        overlay.put("space", b"gone", b"2".to_vec());
        overlay.delete("space", b"gone");
        assert_eq!(overlay.take_writes(), []);
        overlay.put_new("space", b"kept", b"1".to_vec());
        overlay.put("space", b"deleted", b"1".to_vec());
        overlay.delete("space", b"deleted");
        assert!(overlay.get("space", b"kept").unwrap().is_some());
        assert!(matches!(
            overlay.take_writes().as_slice(),
            [Write::Delete { key: deleted, .. }, Write::Put { key: kept, .. }]
                if deleted == b"deleted" && kept == b"kept"
        ));
    }
}
