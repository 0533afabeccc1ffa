//! The outer form of an event (Matrix client-server API, "Room event format"); the content is
//! read by the file of its type.

use serde::Deserialize;
use serde_json::Value;

/// An event of a room, a stripped state event or a to-device event: what all have is wanted, the
/// rest may be missing.
#[derive(Clone, Debug, Deserialize)]
pub struct RoomEvent {
    /// What kind of event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The account that sent it, as the homeserver authenticated it.
    pub sender: String,
    /// The content; an object in every event that a homeserver lets through.
    #[serde(default)]
    pub content: Value,
    /// The room's id for the event.
    #[serde(default)]
    pub event_id: String,
    /// The room, where the surroundings do not say it.
    #[serde(default)]
    pub room_id: String,
    /// When it was sent, in milliseconds since 1970, as the sender's server says.
    #[serde(default)]
    pub origin_server_ts: u64,
    /// The state key, of state events only.
    #[serde(default)]
    pub state_key: Option<String>,
    /// What the homeserver adds on the way.
    #[serde(default)]
    pub unsigned: Value,
}

impl RoomEvent {
    /// A text in the content.
    pub fn content_text(&self, name: &str) -> Option<&str> {
        self.content.get(name).and_then(Value::as_str)
    }
}
