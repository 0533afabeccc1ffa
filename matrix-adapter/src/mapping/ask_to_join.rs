//! `AskToJoin` as JSON.

use mls_core::wire::ask_to_join::AskToJoin;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for AskToJoin {
    fn to_json(&self) -> Value {
        object([("device", self.device.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { device: fields.take("device")? })
    }
}
