//! The binding of a room to its group: state `dev.mls_bridge.group {v, group, hub, receipt_key}`.

use mls_core::wire::GroupId;
use serde_json::Value;

use super::DecodeError;
use super::json::{Fields, JsonForm, object};
use super::namespace::VERSION;

/// What a room says of its group; to be believed only if the GroupContext says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// The group.
    pub group: GroupId,
    /// The hub's Matrix user id.
    pub hub: String,
    /// The Ed25519 key of the hub's receipts, 32 bytes.
    pub receipt_key: Vec<u8>,
}

/// The content of the state event.
pub fn encode(state: &GroupState) -> Value {
    object([
        ("v", Value::from(VERSION)),
        ("group", state.group.to_json()),
        ("hub", state.hub.to_json()),
        ("receipt_key", state.receipt_key.to_json()),
    ])
}

/// The binding in the content; of another version, it is not for us.
pub fn decode(content: Value) -> Result<GroupState, DecodeError> {
    let mut fields = Fields::of(content)?;
    if fields.take::<u64>("v")? != VERSION {
        return Err(DecodeError::Mismatch);
    }
    Ok(GroupState {
        group: fields.take("group")?,
        hub: fields.take("hub")?,
        receipt_key: fields.take("receipt_key")?,
    })
}
