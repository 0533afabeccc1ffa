//! `Knocked` and `KnockDenied` as JSON.

use mls_core::wire::knock::{KnockDenied, Knocked};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for Knocked {
    fn to_json(&self) -> Value {
        object([
            ("group", self.group.to_json()),
            ("user", self.user.to_json()),
            ("since_ms", self.since_ms.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        let (group, user) = (fields.take("group")?, fields.take("user")?);
        Ok(Self { group, user, since_ms: fields.take("since_ms")? })
    }
}

impl JsonForm for KnockDenied {
    fn to_json(&self) -> Value {
        object([("device", self.device.to_json()), ("room", self.room.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { device: fields.take("device")?, room: fields.take("room")? })
    }
}
