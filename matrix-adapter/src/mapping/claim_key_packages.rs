//! `ClaimKeyPackages` and its answer as JSON.

use mls_core::wire::claim_key_packages::{ClaimKeyPackages, ClaimOutcome, ClaimedClient};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for ClaimKeyPackages {
    fn to_json(&self) -> Value {
        object([
            ("group", self.group.to_json()),
            ("users", self.users.to_json()),
            ("suites", self.suites.to_json()),
            ("successor", self.successor.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            group: fields.take("group")?,
            users: fields.take("users")?,
            suites: fields.take("suites")?,
            successor: fields.take("successor")?,
        })
    }
}

impl JsonForm for ClaimedClient {
    fn to_json(&self) -> Value {
        let (outcome, package) = match &self.outcome {
            ClaimOutcome::OneTime(package) => ("one_time", package.to_json()),
            ClaimOutcome::LastResort(package) => ("last_resort", package.to_json()),
            ClaimOutcome::Exhausted => ("exhausted", Value::Null),
            ClaimOutcome::Incompatible => ("incompatible", Value::Null),
            ClaimOutcome::Unknown => ("unknown", Value::Null),
            ClaimOutcome::NoConsent => ("no_consent", Value::Null),
        };
        object([
            ("user", self.user.to_json()),
            ("client", self.client.to_json()),
            ("outcome", Value::from(outcome)),
            ("key_package", package),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        let outcome = match fields.take::<String>("outcome")?.as_str() {
            "one_time" => ClaimOutcome::OneTime(fields.take("key_package")?),
            "last_resort" => ClaimOutcome::LastResort(fields.take("key_package")?),
            "exhausted" => ClaimOutcome::Exhausted,
            "incompatible" => ClaimOutcome::Incompatible,
            "unknown" => ClaimOutcome::Unknown,
            "no_consent" => ClaimOutcome::NoConsent,
            _ => return Err(Invalid("outcome should be one that we know".to_owned())),
        };
        Ok(Self { user: fields.take("user")?, client: fields.take("client")?, outcome })
    }
}
