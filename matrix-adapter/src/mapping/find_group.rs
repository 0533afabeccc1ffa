//! `FindGroup` and its answer as JSON.

use mls_core::wire::find_group::{FindGroup, GroupFound};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for FindGroup {
    fn to_json(&self) -> Value {
        object([("room", self.room.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { room: fields.take("room")? })
    }
}

impl JsonForm for GroupFound {
    fn to_json(&self) -> Value {
        object([("group", self.group.to_json()), ("epoch", self.epoch.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group: fields.take("group")?, epoch: fields.take("epoch")? })
    }
}
