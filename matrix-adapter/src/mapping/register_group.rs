//! `RegisterGroup` as JSON.

use mls_core::wire::register_group::RegisterGroup;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for RegisterGroup {
    fn to_json(&self) -> Value {
        object([("group_info", self.group_info.to_json()), ("tree", self.tree.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group_info: fields.take("group_info")?, tree: fields.take("tree")? })
    }
}
