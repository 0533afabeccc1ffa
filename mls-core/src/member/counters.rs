//! Numbers that are never given twice in the profile's life.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::overlay::Overlay;
use crate::store::{Space, StoreError};

const COUNTER: Space = "counter";
const ALL: &[u8] = b"all";

/// The last number given of each kind.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
pub(super) struct Counters {
    event: u64,
    intent: u64,
    request: u64,
    arrival: u64,
}

impl Counters {
    pub(super) fn open(overlay: &Overlay) -> Result<Self, StoreError> {
        Ok(overlay.read(COUNTER, ALL)?.unwrap_or_default())
    }

    /// Of an event in the log.
    pub(super) fn next_event(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.event = self.event.saturating_add(1);
        overlay.write(COUNTER, ALL, self).map(|()| self.event)
    }

    /// Of a command in the queue.
    pub(super) fn next_intent(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.intent = self.intent.saturating_add(1);
        overlay.write(COUNTER, ALL, self).map(|()| self.intent)
    }

    /// Of a request to the hub.
    pub(super) fn next_request(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.request = self.request.saturating_add(1);
        overlay.write(COUNTER, ALL, self).map(|()| self.request)
    }

    /// Of something that is kept in the order in which it came.
    pub(super) fn next_arrival(&mut self, overlay: &Overlay) -> Result<u64, StoreError> {
        self.arrival = self.arrival.saturating_add(1);
        overlay.write(COUNTER, ALL, self).map(|()| self.arrival)
    }
}
