//! How the homeserver says no, and what that means for a delivery.

use mls_core::delivery::DeliveryError;
use serde_json::Value;
use thiserror::Error;

/// A failed request to the homeserver.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum HomeserverError {
    /// No answer: it is away, or slow.
    #[error("the homeserver does not answer: {0}")]
    Unreachable(String),
    /// An error of the Matrix client-server API ("Standard error response").
    #[error("{errcode} (HTTP {status}): {error}")]
    Said {
        /// HTTP status.
        status: u16,
        /// Such as `M_FORBIDDEN`; empty if the body is not the homeserver's.
        errcode: String,
        /// Its sentence.
        error: String,
        /// How long it wants us to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
}

impl HomeserverError {
    /// From an answer that is not 2xx.
    pub(super) fn said(status: u16, retry_after_s: Option<u64>, body: &Value) -> Self {
        let text = |name| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let in_body = body.get("retry_after_ms").and_then(Value::as_u64);
        Self::Said {
            status,
            errcode: text("errcode"),
            error: text("error"),
            retry_after_ms: in_body.or(retry_after_s.map(|s| s.saturating_mul(1000))),
        }
    }

    /// Whether it said this code.
    pub(super) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Said { errcode, .. } if errcode == code)
    }

    /// Whether it said that we may not, or that there is no such thing.
    pub(super) fn is_no(&self) -> bool {
        self.is("M_FORBIDDEN") || self.is("M_NOT_FOUND")
    }

    /// Whether to try again. Faults of the registration are the operator's to mend, so nothing is
    /// given up for them.
    pub(super) fn delivery(&self, what: &str) -> DeliveryError {
        let why = format!("{what}: {self}");
        match self {
            Self::Unreachable(_) => DeliveryError::Later { after_ms: None, why },
            Self::Said { status, errcode, retry_after_ms, .. } => match (*status, errcode.as_str())
            {
                (429, _) | (500.., _) => DeliveryError::Later { after_ms: *retry_after_ms, why },
                (401, _)
                | (
                    _,
                    "M_UNKNOWN_TOKEN" | "M_UNKNOWN_DEVICE" | "M_EXCLUSIVE" | "M_UNRECOGNIZED" | "",
                ) => DeliveryError::Later {
                    after_ms: None,
                    why: format!("{why}; is registration.yaml the one that it has loaded?"),
                },
                _ => DeliveryError::Refused { why },
            },
        }
    }
}

/// Not to be tried again.
pub(super) fn refused(why: String) -> DeliveryError {
    DeliveryError::Refused { why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_can_never_work_is_given_up() {
        let said = |status, code: &str| {
            HomeserverError::said(status, None, &json!({"errcode": code, "error": "x"}))
        };
        for (error, given_up) in [
            (HomeserverError::Unreachable("x".to_owned()), false),
            (said(429, "M_LIMIT_EXCEEDED"), false),
            (said(502, ""), false),
            (said(401, "M_UNKNOWN_TOKEN"), false),
            (said(400, "M_EXCLUSIVE"), false),
            (said(404, "M_UNRECOGNIZED"), false),
            (said(404, "M_NOT_FOUND"), true),
            (said(403, "M_FORBIDDEN"), true),
            (said(413, "M_TOO_LARGE"), true),
        ] {
            let refused = matches!(error.delivery("x"), DeliveryError::Refused { .. });
            assert_eq!(refused, given_up, "{error}");
        }
    }

    #[test]
    fn the_wait_that_the_homeserver_asks_for_is_kept() {
        for (header, body) in [
            (None, json!({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 3000})),
            (Some(3), json!({"errcode": "M_LIMIT_EXCEEDED"})),
        ] {
            let error = HomeserverError::said(429, header, &body).delivery("x");
            assert!(matches!(error, DeliveryError::Later { after_ms: Some(3000), .. }));
        }
    }
}
