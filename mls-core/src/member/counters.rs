//! Numbers that are never given twice in the profile's life.
//!
//! They are reserved [`NUMBERS_RESERVED`] at a time, so that few inputs write a row for them;
//! a crash skips those that were reserved and not given.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::limits::NUMBERS_RESERVED;
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};

const COUNTER: Space = "counter";
const ALL: &[u8] = b"all";

/// A number of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Numbers {
    event: u64,
    intent: u64,
    request: u64,
    arrival: u64,
}

/// The last numbers that were given, and the last that may be.
pub(super) struct Counters {
    given: Numbers,
    /// What is stored, never less than `given`.
    reserved: Numbers,
}

impl Counters {
    pub(super) fn open(overlay: &Overlay) -> Result<Self, StoreError> {
        let reserved: Numbers = overlay.read(COUNTER, ALL)?.unwrap_or_default();
        Ok(Self { given: reserved.clone(), reserved })
    }

    /// Of an event in the log.
    pub(super) fn next_event(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.next(overlay, |numbers| &mut numbers.event)
    }

    /// Of a command in the queue.
    pub(super) fn next_intent(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.next(overlay, |numbers| &mut numbers.intent)
    }

    /// Of a request to the hub.
    pub(super) fn next_request(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.next(overlay, |numbers| &mut numbers.request)
    }

    /// Of something that is kept in the order in which it came.
    pub(super) fn next_arrival(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.next(overlay, |numbers| &mut numbers.arrival)
    }

    /// Gives back the numbers that were reserved and not given.
    pub(super) fn give_back(&mut self, overlay: &Overlay) -> Result<(), StoreError> {
        if self.given == self.reserved {
            return Ok(());
        }
        self.reserved = self.given.clone();
        overlay.write(COUNTER, ALL, &self.reserved)
    }

    /// The last writes were discarded, and a reservation with them: the next number makes one.
    pub(super) fn reserve_again(&mut self) {
        self.reserved = self.given.clone();
    }

    fn next(
        &mut self,
        overlay: &Overlay,
        kind: fn(&mut Numbers) -> &mut u64,
    ) -> Result<u64, StoreError> {
        let (given, reserved) = (kind(&mut self.given), kind(&mut self.reserved));
        *given = given.saturating_add(1);
        let number = *given;
        if number > *reserved {
            *reserved = number.saturating_add(NUMBERS_RESERVED).saturating_sub(1);
            overlay.write(COUNTER, ALL, &self.reserved)?;
        }
        Ok(number)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Numbers);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn no_number_is_given_twice_and_only_a_crash_leaves_some_out() {
        let store = MemoryStore::default();
        let open = || {
            let overlay = Overlay::new(Arc::new(store.clone()));
            (Counters::open(&overlay).unwrap(), overlay)
        };
        let (mut counters, overlay) = open();
        for number in 1..=NUMBERS_RESERVED + 1 {
            assert_eq!(counters.next_event(&overlay).unwrap(), number);
            let writes = overlay.take_writes();
            assert_eq!(writes.len(), usize::from(number % NUMBERS_RESERVED == 1), "{number}");
            store.apply(&writes);
        }
        let (mut counters, overlay) = open();
        assert_eq!(counters.next_event(&overlay).unwrap(), 2 * NUMBERS_RESERVED + 1);
        counters.give_back(&overlay).unwrap();
        store.apply(&overlay.take_writes());
        let (mut counters, overlay) = open();
        assert_eq!(counters.next_event(&overlay).unwrap(), 2 * NUMBERS_RESERVED + 2);
        assert_eq!(counters.next_intent(&overlay).unwrap(), 1);
        // What was discarded reserves nothing.
        overlay.discard();
        counters.reserve_again();
        assert_eq!(counters.next_event(&overlay).unwrap(), 2 * NUMBERS_RESERVED + 3);
        store.apply(&overlay.take_writes());
        let (mut counters, overlay) = open();
        assert!(counters.next_event(&overlay).unwrap() > 2 * NUMBERS_RESERVED + 3);
        assert_eq!(counters.next_intent(&overlay).unwrap(), 2);
    }
}
