//! What a bot has said, in order, over all its starts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::error::RigError;

/// All events of one bot. An event that it says again after a restart has its old number `n`.
#[derive(Debug, Default)]
pub struct Events(Mutex<Vec<Value>>);

/// A decrypted message, as a member saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The number of the event.
    pub number: u64,
    /// The epoch in which it was sent.
    pub epoch: u64,
    /// The leaf's identity.
    pub sender: String,
    /// The text.
    pub text: String,
}

impl Events {
    pub(super) fn push(&self, line: &str) {
        let unreadable = || json!({"event": "not JSON", "line": line});
        self.all().push(serde_json::from_str(line).unwrap_or_else(|_| unreadable()));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all().len()
    }

    /// Forgets all, for a profile that was put back to an older state.
    pub fn forget(&self) {
        self.all().clear();
    }

    /// The first after the `from` first ones that `wanted` accepts.
    pub fn find(&self, from: usize, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        self.all().iter().skip(from).find(|event| wanted(event)).cloned()
    }

    /// The last `count`, one a line.
    pub fn last(&self, count: usize) -> String {
        let all = self.all();
        let from = all.len().saturating_sub(count);
        all.iter().skip(from).map(|event| format!("{event}\n")).collect()
    }

    /// Those with this name and this group, each number once; an error when one number came with
    /// two contents.
    pub fn of(&self, name: &str, group: &str) -> Result<Vec<Value>, RigError> {
        let mut by_number: BTreeMap<u64, Value> = BTreeMap::new();
        for event in self.all().iter() {
            if event["event"] != name || event["group"] != group {
                continue;
            }
            let number = event["n"].as_u64();
            let number =
                number.ok_or_else(|| RigError::Answer(format!("an event without n: {event}")))?;
            let first = by_number.entry(number).or_insert_with(|| event.clone());
            if first != event {
                return Err(RigError::Answer(format!("one number, two events: {first} {event}")));
            }
        }
        Ok(by_number.into_values().collect())
    }

    /// The messages of a group, in the order in which this member decrypted them.
    pub fn messages(&self, group: &str) -> Result<Vec<Message>, RigError> {
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or("?").to_owned();
        let number = |event: &Value, field: &str| event[field].as_u64().unwrap_or(u64::MAX);
        let message = |event: Value| Message {
            number: number(&event, "n"),
            epoch: number(&event, "epoch"),
            sender: text(&event, "sender"),
            text: text(&event, "text"),
        };
        Ok(self.of("message", group)?.into_iter().map(message).collect())
    }

    fn all(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
