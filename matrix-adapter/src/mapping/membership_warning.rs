//! `MembershipWarning` as JSON.

use mls_core::wire::membership_warning::MembershipWarning;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for MembershipWarning {
    fn to_json(&self) -> Value {
        object([("group", self.group.to_json()), ("text", self.text.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group: fields.take("group")?, text: fields.take("text")? })
    }
}
