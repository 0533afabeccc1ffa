//! One transaction of the homeserver: known already, or read, handed over, and stored before it
//! is answered.

use std::sync::Arc;

use mls_core::engine::sha256;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::intake::{Intake, IntakeError};
use super::setup::Mark;

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
    Later(#[from] IntakeError),
}

/// Events stay raw, so that a malformed one does not take the others with it.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Returns once the transaction is stored, or says why it is not.
pub(super) async fn handle(
    intake: &Arc<Intake>,
    id: &str,
    body: &[u8],
) -> Result<(), TransactionError> {
    let mark = Mark { key: format!("transaction:{id}"), value: sha256(body).to_string() };
    Ok(intake.sent(&events(body)?, mark).await?)
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
