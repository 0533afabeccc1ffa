//! One transaction of the homeserver: known already, or read, handed over, and stored before it
//! is answered.

use std::sync::Arc;
use std::time::Duration;

use mls_core::engine::sha256;
use mls_core::hub::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::control_room::ControlRooms;
use super::homeserver::Homeserver;
use super::incoming::EventReader;
use super::invitation::Invitations;
use super::setup::{Delivery, Mark, MarkLookup};

/// How long the runtime may take to store a transaction. Below the homeserver's own patience of
/// 60 seconds, so that it hears of it.
const STORE_DEADLINE: Duration = Duration::from_secs(50);

/// Reads transactions, one at a time, as the homeserver sends them.
pub(super) struct Transactions {
    reader: EventReader,
    seen: MarkLookup,
    deliveries: mpsc::Sender<Delivery>,
    one_at_a_time: Mutex<()>,
}

/// Why a transaction is not acknowledged.
#[derive(Debug, Error)]
pub(super) enum TransactionError {
    /// The body is no JSON; the sender's fault.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The body does not say what it must; the sender's fault.
    #[error("not a transaction: {0}")]
    BadJson(String),
    /// It could not be dealt with now.
    #[error("later: {0}")]
    Later(String),
}

/// Events stay raw, so that a malformed one does not take the others with it.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

impl Transactions {
    /// Hands what it reads to `deliveries`.
    pub(super) fn new(
        homeserver: Arc<Homeserver>,
        invitations: Invitations,
        seen: MarkLookup,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Self {
        let control_rooms = ControlRooms::new(Arc::clone(&homeserver));
        let reader = EventReader::new(homeserver, control_rooms, invitations);
        Self { reader, seen, deliveries, one_at_a_time: Mutex::new(()) }
    }

    /// Returns once the transaction is stored, or says why it is not.
    pub(super) async fn handle(&self, id: &str, body: &[u8]) -> Result<(), TransactionError> {
        // A repeat may come while the first is still under way.
        let _turn = self.one_at_a_time.lock().await;
        let mark = Mark { key: format!("transaction:{id}"), value: sha256(body).to_string() };
        if (self.seen)(&mark.key).as_deref() == Some(&*mark.value) {
            return Ok(());
        }
        let mut incoming = Vec::new();
        for event in events(body)? {
            let read = self.reader.read(event).await;
            incoming.extend(read.map_err(|e| TransactionError::Later(e.to_string()))?);
        }
        // Without anything for the hub there is nothing to store, and a repeat does no harm.
        if incoming.is_empty() { Ok(()) } else { self.deliver(incoming, mark).await }
    }

    async fn deliver(&self, incoming: Vec<Incoming>, mark: Mark) -> Result<(), TransactionError> {
        let later = |why: &str| TransactionError::Later(why.to_owned());
        let (done, stored) = oneshot::channel();
        let delivery = Delivery { incoming, mark: Some(mark), done };
        let delivered = async {
            self.deliveries.send(delivery).await.map_err(|_| later("we are stopping"))?;
            stored.await.map_err(|_| later("the database did not take it"))
        };
        tokio::time::timeout(STORE_DEADLINE, delivered)
            .await
            .map_err(|_| later("the database takes too long"))?
    }
}

/// The events of a transaction's body.
fn events(body: &[u8]) -> Result<Vec<&str>, TransactionError> {
    match serde_json::from_slice::<Body<'_>>(body) {
        Ok(body) => Ok(body.events.into_iter().map(RawValue::get).collect()),
        Err(error) if error.is_data() => Err(TransactionError::BadJson(error.to_string())),
        Err(error) => Err(TransactionError::NotJson(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_body_is_told_from_a_malformed_event() {
        assert_eq!(events(b"{\"events\": [1, {\"a\": 2}]}").unwrap(), ["1", "{\"a\": 2}"]);
        let deep = format!("{{\"events\": [{}1{}]}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(events(deep.as_bytes()).unwrap().len(), 1);
        for bad in ["{}", "[]", "{\"events\": 1}", "\"x\"", "null"] {
            assert!(matches!(events(bad.as_bytes()), Err(TransactionError::BadJson(_))), "{bad}");
        }
        for not in ["", "{", "{\"events\": [}", "\u{0}", "{\"events\": []} x"] {
            assert!(matches!(events(not.as_bytes()), Err(TransactionError::NotJson(_))), "{not}");
        }
        assert!(matches!(events(b"{\"events\": [\"\xff\"]}"), Err(TransactionError::NotJson(_))));
    }
}
