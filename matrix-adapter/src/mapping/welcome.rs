//! `Welcome` as JSON: the content of `dev.mls_bridge.welcome`, without `v`.

use mls_core::wire::welcome::Welcome;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for Welcome {
    fn to_json(&self) -> Value {
        object([
            ("id", self.id.to_json()),
            ("client", self.client.to_json()),
            ("group", self.group.to_json()),
            ("former", self.former.to_json()),
            ("epoch", self.epoch.to_json()),
            ("receipt", self.receipt.to_json()),
            ("tree", self.tree.to_json()),
            ("welcome", self.welcome.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            id: fields.take("id")?,
            client: fields.take("client")?,
            group: fields.take("group")?,
            former: fields.take("former")?,
            epoch: fields.take("epoch")?,
            receipt: fields.take("receipt")?,
            tree: fields.take("tree")?,
            welcome: fields.take("welcome")?,
        })
    }
}
