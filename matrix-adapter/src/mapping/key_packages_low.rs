//! `KeyPackagesLow` as JSON.

use mls_core::wire::key_packages_low::KeyPackagesLow;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for KeyPackagesLow {
    fn to_json(&self) -> Value {
        object([
            ("device", self.device.to_json()),
            ("suite", self.suite.to_json()),
            ("count", self.count.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            device: fields.take("device")?,
            suite: fields.take("suite")?,
            count: fields.take("count")?,
        })
    }
}
