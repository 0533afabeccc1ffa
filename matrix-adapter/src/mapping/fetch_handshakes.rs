//! `FetchHandshakes` and its answer as JSON.

use mls_core::wire::fetch_handshakes::{FetchHandshakes, Handshakes};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for FetchHandshakes {
    fn to_json(&self) -> Value {
        object([("group", self.group.to_json()), ("from_seq", self.from_seq.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { group: fields.take("group")?, from_seq: fields.take("from_seq")? })
    }
}

impl JsonForm for Handshakes {
    fn to_json(&self) -> Value {
        object([("handshakes", self.handshakes.to_json()), ("last_seq", self.last_seq.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { handshakes: fields.take("handshakes")?, last_seq: fields.take("last_seq")? })
    }
}
