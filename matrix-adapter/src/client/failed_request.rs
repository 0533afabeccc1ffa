//! From the errors of matrix-sdk to the rule that devices and the hub share.

use std::time::{Duration, SystemTime};

use matrix_sdk::HttpError;
use mls_core::delivery::DeliveryError;
use ruma::api::error::{ErrorBody, ErrorKind, RetryAfter};

use crate::homeserver_error::HomeserverError;

/// What the homeserver said, or that it did not.
pub(super) fn homeserver_error(error: &HttpError) -> HomeserverError {
    let Some(answer) = error.as_client_api_error() else {
        // The network, a proxy, or an answer that cannot be read.
        return HomeserverError::Unreachable(error.to_string());
    };
    let (errcode, sentence) = match &answer.body {
        ErrorBody::Standard(said) => (said.kind.errcode().to_string(), said.message.clone()),
        // matrix-sdk takes every body for the homeserver's, but these are a proxy's.
        ErrorBody::Json(_) | ErrorBody::NotJson { .. } => Default::default(),
    };
    HomeserverError::Said {
        status: answer.status_code.as_u16(),
        errcode,
        error: sentence,
        retry_after_ms: retry_after_ms(answer.error_kind()),
    }
}

/// Whether to try again; `what` names the attempt.
pub(super) fn delivery_error(what: &str, error: &HttpError) -> DeliveryError {
    homeserver_error(error).delivery(what)
}

fn retry_after_ms(kind: Option<&ErrorKind>) -> Option<u64> {
    let Some(ErrorKind::LimitExceeded(limit)) = kind else { return None };
    let wait = match limit.retry_after? {
        RetryAfter::Delay(wait) => wait,
        RetryAfter::DateTime(at) => at.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO),
    };
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}
