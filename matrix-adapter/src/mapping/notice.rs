//! Which event carries what a hub sends unasked.

use mls_core::wire::Notice;
use serde_json::Value;

use super::DecodeError;
use super::json::{Fields, JsonForm};
use super::namespace::{
    DEVICE_WAITING, HANDSHAKE, KEY_PACKAGES_LOW, KNOCK_DENIED, KNOCKED, MEMBERSHIP_WARNING,
    VERSION, WELCOME,
};

/// Type and content of the event that carries a notice: a handshake stands in a room's timeline,
/// all others go to a device.
pub fn encode(notice: &Notice) -> (&'static str, Value) {
    let (event_type, mut content) = match notice {
        Notice::Handshake(n) => (HANDSHAKE, n.to_json()),
        Notice::WelcomeWaiting(n) => (WELCOME, n.to_json()),
        Notice::KeyPackagesLow(n) => (KEY_PACKAGES_LOW, n.to_json()),
        Notice::MembershipWarning(n) => (MEMBERSHIP_WARNING, n.to_json()),
        Notice::DeviceWaiting(n) => (DEVICE_WAITING, n.to_json()),
        Notice::Knocked(n) => (KNOCKED, n.to_json()),
        Notice::KnockDenied(n) => (KNOCK_DENIED, n.to_json()),
    };
    if let Value::Object(fields) = &mut content {
        fields.insert("v".to_owned(), Value::from(VERSION));
    }
    (event_type, content)
}

/// The notice in an event; of another type or version, it is not for us.
pub fn decode(event_type: &str, content: Value) -> Result<Notice, DecodeError> {
    let read = match event_type {
        HANDSHAKE => |content| JsonForm::from_json(content).map(Notice::Handshake),
        WELCOME => |content| JsonForm::from_json(content).map(Notice::WelcomeWaiting),
        KEY_PACKAGES_LOW => |content| JsonForm::from_json(content).map(Notice::KeyPackagesLow),
        MEMBERSHIP_WARNING => |content| JsonForm::from_json(content).map(Notice::MembershipWarning),
        DEVICE_WAITING => |content| JsonForm::from_json(content).map(Notice::DeviceWaiting),
        KNOCKED => |content| JsonForm::from_json(content).map(Notice::Knocked),
        KNOCK_DENIED => |content| JsonForm::from_json(content).map(Notice::KnockDenied),
        _ => return Err(DecodeError::Mismatch),
    };
    let mut fields = Fields::of(content)?;
    if fields.take::<u64>("v")? != VERSION {
        return Err(DecodeError::Mismatch);
    }
    Ok(read(fields.rest())?)
}
