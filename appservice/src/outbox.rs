//! What must go out and has not yet: in the database from the commit that decided it until the
//! network has taken it.
//!
//! An entry's key is its number (8 bytes, big-endian), so entries are in the order in which the
//! hub decided them. The number is no id for a network: an effect carries its own.

use mls_core::hub::Effect;
use mls_core::store::{Space, Store, StoreError, Write};
use mls_rs_codec::{MlsDecode, MlsEncode};

/// The table of entries.
pub const OUTBOX: Space = "outbox";

/// Entries that are read at once when the server starts.
const PAGE: usize = 256;

/// Gives out the numbers of new entries.
#[derive(Debug)]
pub struct Outbox {
    next: u64,
}

/// An effect and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order.
    pub number: u64,
    /// What to do.
    pub effect: Effect,
}

impl Outbox {
    /// All that `store` still holds, in order, each handed to `found`.
    ///
    /// An entry that does not decode was written by a program that this one does not understand:
    /// it is logged and kept, and nothing else waits for it.
    pub fn open(store: &dyn Store, mut found: impl FnMut(Entry)) -> Result<Self, StoreError> {
        let mut next = 0u64;
        loop {
            let page = store.scan(OUTBOX, b"", &next.to_be_bytes(), PAGE)?;
            let last = page.len() < PAGE;
            for (key, value) in page {
                let number = number(&key)?;
                next = number.saturating_add(1);
                match Effect::mls_decode(&mut value.as_slice()) {
                    Ok(effect) => found(Entry { number, effect }),
                    Err(error) => {
                        tracing::error!(number, %error, "an outbox entry does not decode; kept");
                    }
                }
            }
            if last {
                return Ok(Self { next });
            }
        }
    }

    /// Numbers `effects` and says what to write; commit it with what the effects follow from.
    pub fn add(&mut self, effects: Vec<Effect>) -> Result<(Vec<Entry>, Vec<Write>), StoreError> {
        let mut entries = Vec::with_capacity(effects.len());
        let mut writes = Vec::with_capacity(effects.len());
        for effect in effects {
            let number = self.next;
            self.next = number.saturating_add(1);
            let value = effect.mls_encode_to_vec().map_err(|e| StoreError(e.to_string()))?;
            writes.push(Write::Put { space: OUTBOX, key: key(number), value: value.into() });
            entries.push(Entry { number, effect });
        }
        Ok((entries, writes))
    }

    /// What to write once a network has taken an entry, or never will.
    pub fn remove(number: u64) -> Write {
        Write::Delete { space: OUTBOX, key: key(number) }
    }

    /// The entry with this number.
    pub fn read(store: &dyn Store, number: u64) -> Result<Option<Effect>, StoreError> {
        let Some(value) = store.get(OUTBOX, &key(number))? else { return Ok(None) };
        let decoded = Effect::mls_decode(&mut value.as_slice());
        decoded.map(Some).map_err(|e| StoreError(format!("outbox entry {number}: {e}")))
    }
}

fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn number(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.try_into().map_err(|_| StoreError("an outbox key is no number".to_owned()))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use mls_core::address::{RoomAddress, UserId};
    use mls_core::hub::Admit;
    use mls_core::store::MemoryStore;
    use mls_core::wire::Digest;

    use super::*;

    fn effect(n: u8) -> Effect {
        let user = UserId::matrix("@alice:example.org").unwrap();
        Effect::Admit(Admit { id: Digest([n; 32]), room: RoomAddress::matrix("!r"), user })
    }

    fn open(store: &MemoryStore) -> (Outbox, Vec<Entry>) {
        let mut entries = Vec::new();
        let outbox = Outbox::open(store, |entry| entries.push(entry)).unwrap();
        (outbox, entries)
    }

    #[test]
    fn what_was_not_taken_is_found_again_in_its_order() {
        let store = MemoryStore::default();
        let (mut outbox, _) = open(&store);
        let mut added = Vec::new();
        for n in 0..3 {
            let effects = (0..200).map(|m| effect(n * 50 + m % 50)).collect();
            let (entries, writes) = outbox.add(effects).unwrap();
            store.apply(&writes);
            added.extend(entries);
        }
        for number in [0, 255, 256, 400] {
            store.apply(&[Outbox::remove(number)]);
            added.retain(|entry| entry.number != number);
        }
        let (mut again, found) = open(&store);
        assert_eq!(found, added);
        let (entries, _) = again.add(vec![effect(1)]).unwrap();
        assert_eq!(entries[0].number, 600);
        assert_eq!(Outbox::read(&store, 1).unwrap(), Some(added[0].effect.clone()));
        assert_eq!(Outbox::read(&store, 0).unwrap(), None);
    }

    #[test]
    fn an_entry_of_another_program_stops_nothing_and_is_kept() {
        let store = MemoryStore::default();
        let (mut outbox, _) = open(&store);
        let (entries, writes) = outbox.add(vec![effect(1), effect(2), effect(3)]).unwrap();
        store.apply(&writes);
        let value = vec![255, 1, 2].into();
        store.apply(&[Write::Put { space: OUTBOX, key: key(1), value }]);
        let (_, found) = open(&store);
        assert_eq!(found, [entries[0].clone(), entries[2].clone()]);
        assert!(store.get(OUTBOX, &key(1)).unwrap().is_some());
    }
}
