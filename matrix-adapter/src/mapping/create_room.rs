//! `CreateRoom` and its answer as JSON.

use mls_core::wire::create_room::{CreateRoom, RoomCreated};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for CreateRoom {
    fn to_json(&self) -> Value {
        object([
            ("matrix", self.matrix.to_json()),
            ("xmpp", self.xmpp.to_json()),
            ("name", self.name.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            matrix: fields.take("matrix")?,
            xmpp: fields.take("xmpp")?,
            name: fields.take("name")?,
        })
    }
}

impl JsonForm for RoomCreated {
    fn to_json(&self) -> Value {
        object([("matrix_room", self.matrix_room.to_json()), ("muc", self.muc.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { matrix_room: fields.take("matrix_room")?, muc: fields.take("muc")? })
    }
}
