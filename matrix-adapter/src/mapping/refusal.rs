//! `Refusal` as JSON: `{code, …}`, codes in snake case.

use mls_core::service::ServiceAddress;
use mls_core::wire::refusal::Refusal;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for Refusal {
    fn to_json(&self) -> Value {
        let code = |code: &str| ("code", Value::from(code));
        match self {
            Self::NotAllowed(why) => object([code("not_allowed"), ("why", why.to_json())]),
            Self::RateLimited(ms) => {
                object([code("rate_limited"), ("retry_after_ms", ms.to_json())])
            }
            Self::UnknownGroup => object([code("unknown_group")]),
            Self::Invalid(why) => object([code("invalid"), ("why", why.to_json())]),
            Self::Exists => object([code("exists")]),
            Self::WrongEpoch(epoch) => object([code("wrong_epoch"), ("current", epoch.to_json())]),
            Self::MissingProposals(refs) => {
                object([code("missing_proposals"), ("refs", refs.to_json())])
            }
            Self::InvalidCommit(why) => object([code("invalid_commit"), ("why", why.to_json())]),
            Self::TooLarge(bytes) => object([code("too_large"), ("bytes_max", bytes.to_json())]),
            Self::Gone => object([code("gone")]),
            Self::Unsupported => object([code("unsupported")]),
            Self::Unavailable(ms) => {
                object([code("unavailable"), ("retry_after_ms", ms.to_json())])
            }
            Self::NotOpened => object([code("not_opened")]),
            Self::RoomOrders => object([code("room_orders")]),
            Self::Elsewhere(address) => object([
                code("elsewhere"),
                ("matrix", address.matrix.to_json()),
                ("xmpp", address.xmpp.to_json()),
            ]),
        }
    }

    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        let code: String = fields.take("code")?;
        Ok(match code.as_str() {
            "not_allowed" => Self::NotAllowed(fields.take("why")?),
            "rate_limited" => Self::RateLimited(fields.take("retry_after_ms")?),
            "unknown_group" => Self::UnknownGroup,
            "invalid" => Self::Invalid(fields.take("why")?),
            "exists" => Self::Exists,
            "wrong_epoch" => Self::WrongEpoch(fields.take("current")?),
            "missing_proposals" => Self::MissingProposals(fields.take("refs")?),
            "invalid_commit" => Self::InvalidCommit(fields.take("why")?),
            "too_large" => Self::TooLarge(fields.take("bytes_max")?),
            "gone" => Self::Gone,
            "unsupported" => Self::Unsupported,
            "unavailable" => Self::Unavailable(fields.take("retry_after_ms")?),
            "not_opened" => Self::NotOpened,
            "room_orders" => Self::RoomOrders,
            "elsewhere" => Self::Elsewhere(ServiceAddress {
                matrix: fields.take("matrix")?,
                xmpp: fields.take("xmpp")?,
            }),
            // A newer hub's code must end the request too.
            other => Self::NotAllowed(format!("the hub refuses with {other:?}")),
        })
    }
}
