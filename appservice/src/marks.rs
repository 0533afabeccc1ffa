//! Marks: what each network was told is stored, and how far it was read.
//!
//! A homeserver repeats only its newest transaction, so marks of transactions are kept for a
//! while only. Marks of rooms, on either network, are one for each room and stay.

use std::collections::VecDeque;

use mls_core::address::Network;
use mls_core::store::{Space, Store, StoreError, Write};

use crate::carrier::Mark;
use crate::limits::TRANSACTION_MARKS_MAX;

/// The table of marks.
pub const MARKS: Space = "mark";

/// What the keys of marks of transactions start with.
const TRANSACTION: &str = "transaction:";

/// Writes marks, and takes away those of old transactions.
#[derive(Debug, Default)]
pub struct Marks {
    /// Keys of marks of transactions, the oldest first.
    transactions: VecDeque<Vec<u8>>,
}

impl Marks {
    /// Finds the marks of transactions that are there, in no order.
    pub fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let prefix = key(Network::Matrix, TRANSACTION);
        let found = store.scan(MARKS, &prefix, b"", TRANSACTION_MARKS_MAX.saturating_mul(2))?;
        Ok(Self { transactions: found.into_iter().map(|(key, _)| key).collect() })
    }

    /// What to write for `mark`.
    pub fn put(&mut self, network: Network, mark: Mark) -> Vec<Write> {
        let key = key(network, &mark.key);
        let mut writes = Vec::new();
        if network == Network::Matrix && mark.key.starts_with(TRANSACTION) {
            self.transactions.retain(|known| *known != key);
            self.transactions.push_back(key.clone());
            while self.transactions.len() > TRANSACTION_MARKS_MAX
                && let Some(key) = self.transactions.pop_front()
            {
                writes.push(Write::Delete { space: MARKS, key });
            }
        }
        writes.push(Write::Put { space: MARKS, key, value: mark.value.into_bytes().into() });
        writes
    }
}

/// The value of a mark; `None` too where the database does not answer, so that the network says
/// it once more.
pub fn read(store: &dyn Store, network: Network, mark: &str) -> Option<String> {
    let value = store.get(MARKS, &key(network, mark)).unwrap_or_else(|error| {
        tracing::error!(%network, mark, %error, "a mark cannot be read");
        None
    })?;
    String::from_utf8(value.to_vec()).ok()
}

fn key(network: Network, mark: &str) -> Vec<u8> {
    format!("{network} {mark}").into_bytes()
}

#[cfg(test)]
mod tests {
    use mls_core::store::MemoryStore;

    use super::*;

    #[test]
    fn old_transactions_are_forgotten_and_rooms_are_not() {
        let store = MemoryStore::default();
        let put = |marks: &mut Marks, network, key: String| {
            store.apply(&marks.put(network, Mark { key, value: "v".to_owned() }));
        };
        let mut marks = Marks::default();
        put(&mut marks, Network::Xmpp, "a@rooms".to_owned());
        for n in 0..TRANSACTION_MARKS_MAX * 2 {
            if n % 10 == 0 {
                marks = Marks::open(&store).unwrap();
            }
            put(&mut marks, Network::Matrix, format!("transaction:{n}"));
            put(&mut marks, Network::Matrix, format!("transaction:{n}"));
            assert_eq!(read(&store, Network::Matrix, &format!("transaction:{n}")).unwrap(), "v");
        }
        let left = store.scan(MARKS, b"", b"", usize::MAX).unwrap().len();
        assert_eq!(left, TRANSACTION_MARKS_MAX + 1);
        assert!(read(&store, Network::Xmpp, "a@rooms").is_some());
        assert!(read(&store, Network::Matrix, "a@rooms").is_none());
    }
}
