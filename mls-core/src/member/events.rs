//! The numbered log of events: an event stays until the user has seen it.
//!
//! Unseen events have no bound of their own: they are the user's messages, and a bound would
//! lose them.

use super::warning::{WarningEvent, WarningKind};
use super::{Event, EventRecord, Member, Output};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

const EVENT: Space = "event";
/// Entries read from the log at once.
const PAGE: usize = 256;

impl Member {
    /// Writes an event into the log and shows it; gives its number.
    pub(super) fn emit(&mut self, event: Event) -> Result<u64, StoreError> {
        let number = self.counters.next_event(&self.overlay)?;
        let signs = self.note_signs(&event)?;
        let record = EventRecord { number, time_ms: self.now_ms, event };
        self.overlay.write(EVENT, &number.to_be_bytes(), &record)?;
        self.outputs.push(Output::Event(record));
        for heard in signs {
            self.emit(Event::HeardFrom(heard))?;
        }
        Ok(number)
    }

    /// Tells people something about a group.
    pub(super) fn warn(
        &mut self,
        group: &GroupId,
        kind: WarningKind,
        text: impl Into<String>,
    ) -> Result<(), StoreError> {
        let event = Event::Warning(WarningEvent { group: group.clone(), kind, text: text.into() });
        self.emit(event).map(|_| ())
    }

    /// An event that was not seen yet, by its number.
    pub(super) fn unseen_event(&self, number: u64) -> Result<Option<EventRecord>, StoreError> {
        self.overlay.read(EVENT, &number.to_be_bytes())
    }

    /// All events not yet seen, in order.
    pub(super) fn unseen_events(&self) -> Result<Vec<EventRecord>, StoreError> {
        let mut events: Vec<EventRecord> = Vec::new();
        loop {
            let from = events.last().map_or(0, |e| e.number.saturating_add(1)).to_be_bytes();
            let page = self.overlay.scan(EVENT, &[], &from, PAGE)?;
            let last = page.len() < PAGE;
            for (_, value) in page {
                events.push(decode(EVENT, &value)?);
            }
            if last {
                return Ok(events);
            }
        }
    }

    /// Deletes the events up to `number`.
    pub(super) fn forget_events(&mut self, number: u64) -> Result<(), StoreError> {
        loop {
            let page = self.overlay.scan(EVENT, &[], &[], PAGE)?;
            let seen: Vec<_> =
                page.into_iter().filter(|(key, _)| *key <= number.to_be_bytes().to_vec()).collect();
            for (key, _) in &seen {
                self.overlay.delete(EVENT, key);
            }
            if seen.len() < PAGE {
                return Ok(());
            }
        }
    }
}
