//! How an attempt to hand something to a network failed; the adapters' one error towards a runtime.

use thiserror::Error;

use crate::seal::SealError;

/// Not delivered. Whose fault it was decides whether to try again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// The network is away, busy, or says to wait: try the same again, not before this wait.
    #[error("not delivered yet: {why}")]
    Later {
        /// At least this long, in milliseconds, where the network said so.
        after_ms: Option<u64>,
        /// One sentence.
        why: String,
    },
    /// The network will never take it: give it up and say so.
    #[error("refused: {why}")]
    Refused {
        /// One sentence that says whose fault it was and what to do.
        why: String,
    },
}

impl From<SealError> for DeliveryError {
    fn from(error: SealError) -> Self {
        let why = error.to_string();
        match error {
            SealError::NoKey => Self::Later { after_ms: None, why },
            SealError::Engine(_) => Self::Refused { why },
        }
    }
}
