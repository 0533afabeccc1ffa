//! `RegisterSuccessor` as JSON.

use mls_core::wire::register_successor::RegisterSuccessor;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for RegisterSuccessor {
    fn to_json(&self) -> Value {
        object([
            ("former", self.former.to_json()),
            ("group_info", self.group_info.to_json()),
            ("tree", self.tree.to_json()),
            ("welcome", self.welcome.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            former: fields.take("former")?,
            group_info: fields.take("group_info")?,
            tree: fields.take("tree")?,
            welcome: fields.take("welcome")?,
        })
    }
}
