//! What an error of the homeserver means for a delivery.

use std::time::{Duration, SystemTime};

use matrix_sdk::HttpError;
use mls_core::delivery::DeliveryError;
use ruma::api::error::{ErrorKind, RetryAfter};

/// Whether to try again, by the homeserver's own error codes; `what` names the attempt.
pub(super) fn delivery_error(what: &str, error: &HttpError) -> DeliveryError {
    let Some(answer) = error.as_client_api_error() else {
        // The network, a proxy, or an answer that is no JSON: not the homeserver's last word.
        return DeliveryError::Later { after_ms: None, why: format!("{what}: {error}") };
    };
    let why = format!("{what}: {error}");
    match answer.error_kind() {
        Some(ErrorKind::LimitExceeded(limit)) => {
            DeliveryError::Later { after_ms: limit.retry_after.map(wait_ms), why }
        }
        Some(ErrorKind::UnknownToken(_) | ErrorKind::MissingToken) => DeliveryError::Refused {
            why: format!(
                "{what}: the homeserver does not know this session any more: log in again"
            ),
        },
        _ if answer.status_code.is_server_error() || answer.status_code.as_u16() == 429 => {
            DeliveryError::Later { after_ms: None, why }
        }
        _ => DeliveryError::Refused { why },
    }
}

/// Whether the homeserver says that there is no such thing, or not for us.
pub(super) fn is_gone(error: &HttpError) -> bool {
    matches!(error.client_api_error_kind(), Some(ErrorKind::NotFound | ErrorKind::Forbidden))
}

fn wait_ms(retry_after: RetryAfter) -> u64 {
    let wait = match retry_after {
        RetryAfter::Delay(wait) => wait,
        RetryAfter::DateTime(at) => at.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO),
    };
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
