//! `SealedHandshake` as JSON: the content of `dev.mls_bridge.handshake`, without `v`.

use mls_core::wire::handshake::SealedHandshake;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for SealedHandshake {
    fn to_json(&self) -> Value {
        object([
            ("group", self.group.to_json()),
            ("seq", self.seq.to_json()),
            ("epoch", self.epoch.to_json()),
            ("sealed", self.sealed.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            group: fields.take("group")?,
            seq: fields.take("seq")?,
            epoch: fields.take("epoch")?,
            sealed: fields.take("sealed")?,
        })
    }
}
