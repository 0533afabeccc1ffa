//! `LeaveRoom` as JSON.

use mls_core::wire::leave_room::LeaveRoom;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for LeaveRoom {
    fn to_json(&self) -> Value {
        object([("group", self.group.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group: fields.take("group")? })
    }
}
