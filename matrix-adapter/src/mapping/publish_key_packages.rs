//! `PublishKeyPackages` and its answer as JSON; XMPP only, and read so that it can be refused.

use mls_core::wire::publish_key_packages::{KeyPackageBytes, KeyPackageCount, PublishKeyPackages};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for PublishKeyPackages {
    fn to_json(&self) -> Value {
        object([
            ("device", self.device.to_json()),
            ("one_time", self.one_time.to_json()),
            ("last_resort", self.last_resort.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            device: fields.take("device")?,
            one_time: fields.take("one_time")?,
            last_resort: fields.take("last_resort")?,
        })
    }
}

impl JsonForm for KeyPackageCount {
    fn to_json(&self) -> Value {
        object([("one_time", self.one_time.to_json()), ("last_resort", self.last_resort.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { one_time: fields.take("one_time")?, last_resort: fields.take("last_resort")? })
    }
}

impl JsonForm for KeyPackageBytes {
    fn to_json(&self) -> Value {
        self.0.to_json()
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        JsonForm::from_json(value).map(Self)
    }
}
