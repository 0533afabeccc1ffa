//! How a homeserver says no, to a device and to the hub alike, and what that means for a delivery.

use mls_core::delivery::DeliveryError;
use serde_json::Value;
use thiserror::Error;

/// The session is over for good (Matrix client-server API, "Common error codes").
const ENDED: [&str; 2] = ["M_UNKNOWN_TOKEN", "M_USER_DEACTIVATED"];
/// Who asks is not known as it should be: that can be mended, and no request is at fault.
const DOUBTED: [&str; 5] =
    ["", "M_UNKNOWN_TOKEN", "M_UNKNOWN_DEVICE", "M_EXCLUSIVE", "M_UNRECOGNIZED"];
/// Not now: the homeserver is busy or full, or the account has yet to agree to its terms.
const PASSING: [&str; 3] = ["M_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED", "M_CONSENT_NOT_GIVEN"];

/// A failed request to the homeserver.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum HomeserverError {
    /// No answer, or none that can be read: it is away, or slow.
    #[error("the homeserver does not answer: {0}")]
    Unreachable(String),
    /// An error of the Matrix client-server API ("Standard error response").
    #[error("{}", sentence(*status, errcode, error))]
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
    pub(crate) fn said(status: u16, retry_after_s: Option<u64>, body: &Value) -> Self {
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
    pub(crate) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Said { errcode, .. } if errcode == code)
    }

    /// Whether it said that we may not, or that there is no such thing.
    pub(crate) fn is_no(&self) -> bool {
        self.is("M_FORBIDDEN") || self.is("M_NOT_FOUND")
    }

    /// Whether it says that the session is over for good. Only the homeserver's own word counts:
    /// whoever believes it gives up the device.
    pub(crate) fn ends_session(&self) -> bool {
        ENDED.iter().any(|code| self.is(code))
    }

    /// The same with advice, where the homeserver does not know who asks.
    pub(crate) fn advise(mut self, advice: &str) -> Self {
        let is_doubt = self.is_doubt();
        if let (true, Self::Said { error, .. }) = (is_doubt, &mut self) {
            *error = format!("{error}; {advice}");
        }
        self
    }

    /// Whether to try again. A request is given up only where the homeserver itself has judged it:
    /// not for a proxy's page, and not where it does not know who asks.
    pub(crate) fn delivery(&self, what: &str) -> DeliveryError {
        let why = format!("{what}: {self}");
        match self {
            Self::Unreachable(_) => DeliveryError::Later { after_ms: None, why },
            Self::Said { status, errcode, retry_after_ms, .. } => {
                let passes = *status == 429 || PASSING.contains(&errcode.as_str());
                match (400..500).contains(status) && !passes && !self.is_doubt() {
                    true => DeliveryError::Refused { why },
                    false => DeliveryError::Later { after_ms: *retry_after_ms, why },
                }
            }
        }
    }

    fn is_doubt(&self) -> bool {
        matches!(self, Self::Said { status, errcode, .. }
            if *status == 401 || DOUBTED.contains(&errcode.as_str()))
    }
}

fn sentence(status: u16, errcode: &str, error: &str) -> String {
    match (errcode, error) {
        ("", "") => format!("HTTP {status}, and nothing that a homeserver says"),
        ("", error) => format!("HTTP {status}: {error}"),
        (errcode, error) => format!("{errcode} (HTTP {status}): {error}"),
    }
}

/// Not to be tried again.
pub(crate) fn refused(why: String) -> DeliveryError {
    DeliveryError::Refused { why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_the_homeserver_has_judged_is_given_up() {
        let said = |status, code: &str| {
            HomeserverError::said(status, None, &json!({"errcode": code, "error": "x"}))
        };
        for (error, given_up) in [
            (HomeserverError::Unreachable("x".to_owned()), false),
            (said(429, "M_LIMIT_EXCEEDED"), false),
            (said(400, "M_LIMIT_EXCEEDED"), false),
            (said(502, ""), false),
            (said(500, "M_UNKNOWN"), false),
            (said(403, ""), false),
            (said(404, ""), false),
            (said(302, "M_FORBIDDEN"), false),
            (said(401, "M_UNKNOWN_TOKEN"), false),
            (said(401, "M_USER_LOCKED"), false),
            (said(429, "M_UNKNOWN"), false),
            (said(403, "M_RESOURCE_LIMIT_EXCEEDED"), false),
            (said(400, "M_EXCLUSIVE"), false),
            (said(404, "M_UNRECOGNIZED"), false),
            (said(403, "M_USER_DEACTIVATED"), true),
            (said(404, "M_NOT_FOUND"), true),
            (said(403, "M_FORBIDDEN"), true),
            (said(413, "M_TOO_LARGE"), true),
        ] {
            let refused = matches!(error.delivery("x"), DeliveryError::Refused { .. });
            assert_eq!(refused, given_up, "{error}");
        }
    }

    #[test]
    fn a_session_ends_by_the_homeservers_own_word_alone() {
        for (status, body, ends) in [
            (401, json!({"errcode": "M_UNKNOWN_TOKEN", "soft_logout": false}), true),
            (403, json!({"errcode": "M_USER_DEACTIVATED"}), true),
            (401, json!({"errcode": "M_MISSING_TOKEN"}), false),
            (401, json!({"errcode": "M_USER_LOCKED", "soft_logout": true}), false),
            (403, json!({"errcode": "M_FORBIDDEN"}), false),
            (401, json!({"error": "unauthorized"}), false),
            (403, Value::Null, false),
            (404, Value::Null, false),
        ] {
            let error = HomeserverError::said(status, None, &body);
            assert_eq!(error.ends_session(), ends, "{error}");
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
