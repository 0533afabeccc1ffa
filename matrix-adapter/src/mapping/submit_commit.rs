//! `SubmitCommit` as JSON.

use mls_core::wire::submit_commit::SubmitCommit;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for SubmitCommit {
    fn to_json(&self) -> Value {
        object([
            ("group", self.group.to_json()),
            ("epoch", self.epoch.to_json()),
            ("commit", self.commit.to_json()),
            ("welcome", self.welcome.to_json()),
            ("group_info", self.group_info.to_json()),
            ("signature", self.signature.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            group: fields.take("group")?,
            epoch: fields.take("epoch")?,
            commit: fields.take("commit")?,
            welcome: fields.take("welcome")?,
            group_info: fields.take("group_info")?,
            signature: fields.take("signature")?,
        })
    }
}
