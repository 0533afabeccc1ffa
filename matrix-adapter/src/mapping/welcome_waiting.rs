//! `WelcomeWaiting` as JSON: the content of `dev.mls_bridge.welcome`, without `v`.

use mls_core::wire::welcome_waiting::WelcomeWaiting;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for WelcomeWaiting {
    fn to_json(&self) -> Value {
        object([("device", self.device.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        Ok(Self { device: Fields::of(value)?.take("device")? })
    }
}
