//! `FetchGroupInfo` and its answer as JSON.

use mls_core::wire::fetch_group_info::{FetchGroupInfo, SealedGroupInfo};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for FetchGroupInfo {
    fn to_json(&self) -> Value {
        object([("group", self.group.to_json()), ("seal_key", self.seal_key.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group: fields.take("group")?, seal_key: fields.take("seal_key")? })
    }
}

impl JsonForm for SealedGroupInfo {
    fn to_json(&self) -> Value {
        object([
            ("kem_output", self.kem_output.to_json()),
            ("sealed", self.sealed.to_json()),
            ("tree", self.tree.to_json()),
            ("receipt", self.receipt.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            kem_output: fields.take("kem_output")?,
            sealed: fields.take("sealed")?,
            tree: fields.take("tree")?,
            receipt: fields.take("receipt")?,
        })
    }
}
