//! `ReportInvalid` as JSON.

use mls_core::wire::report_invalid::ReportInvalid;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for ReportInvalid {
    fn to_json(&self) -> Value {
        object([
            ("group", self.group.to_json()),
            ("seq", self.seq.to_json()),
            ("receipt", self.receipt.to_json()),
            ("why", self.why.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            group: fields.take("group")?,
            seq: fields.take("seq")?,
            receipt: fields.take("receipt")?,
            why: fields.take("why")?,
        })
    }
}
