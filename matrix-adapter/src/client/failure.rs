//! What an error of the homeserver means for a delivery.

use std::time::{Duration, SystemTime};

use matrix_sdk::HttpError;
use mls_core::delivery::DeliveryError;
use ruma::api::error::{ErrorKind, RetryAfter};

/// Whether to try again, by the homeserver's own error codes; `what` names the attempt.
pub(super) fn delivery_error(what: &str, error: &HttpError) -> DeliveryError {
    let why = format!("{what}: {error}");
    if is_session_over(error) {
        let why =
            format!("{what}: the homeserver does not know this session any more: log in again");
        return DeliveryError::Refused { why };
    }
    let status = error.as_client_api_error().map(|answer| answer.status_code);
    match error.client_api_error_kind() {
        Some(ErrorKind::LimitExceeded(limit)) => {
            DeliveryError::Later { after_ms: limit.retry_after.map(wait_ms), why }
        }
        Some(_) if !status.is_some_and(|s| s.is_server_error() || s.as_u16() == 429) => {
            DeliveryError::Refused { why }
        }
        // The network, a proxy, an answer without a code: not the homeserver's last word.
        _ => DeliveryError::Later { after_ms: None, why },
    }
}

/// What ends everything for this session, and nothing else does: its token is no longer known.
pub(super) fn is_session_over(error: &HttpError) -> bool {
    matches!(
        error.client_api_error_kind(),
        Some(ErrorKind::UnknownToken(_) | ErrorKind::MissingToken | ErrorKind::UserDeactivated)
    )
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
