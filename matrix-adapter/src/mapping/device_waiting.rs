//! `DeviceWaiting` as JSON.

use mls_core::wire::device_waiting::DeviceWaiting;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for DeviceWaiting {
    fn to_json(&self) -> Value {
        object([("group", self.group.to_json()), ("client", self.client.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group: fields.take("group")?, client: fields.take("client")? })
    }
}
