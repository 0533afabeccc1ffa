//! `FetchWelcomes` and its answer as JSON.

use mls_core::wire::fetch_welcomes::{FetchWelcomes, Welcomes};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for FetchWelcomes {
    fn to_json(&self) -> Value {
        object([("device", self.device.to_json()), ("acknowledged", self.acknowledged.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { device: fields.take("device")?, acknowledged: fields.take("acknowledged")? })
    }
}

impl JsonForm for Welcomes {
    fn to_json(&self) -> Value {
        object([("welcomes", self.welcomes.to_json()), ("more", self.more.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { welcomes: fields.take("welcomes")?, more: fields.take("more")? })
    }
}
