//! Small elements beside ours that tell servers and clients without MLS what to do with a message.

use minidom::Element;

use super::element::Build;
use super::namespace::{ENCRYPTION, ENCRYPTION_NAME, HINTS, MLS_BRIDGE, STANZA_IDS};

/// Keep it in archives (XEP-0334): servers do not archive what has no body otherwise.
pub fn store() -> Element {
    Element::bare("store", HINTS)
}

/// Do not keep it anywhere (XEP-0334).
pub fn no_store() -> Element {
    Element::bare("no-store", HINTS)
}

/// Our own id of a message, which a room hands on unchanged (XEP-0359).
pub fn origin_id(id: &str) -> Element {
    Element::bare("origin-id", STANZA_IDS).with("id", id)
}

/// It is encrypted, and with what (XEP-0380): clients without MLS say so.
pub fn encryption() -> Element {
    Element::bare("encryption", ENCRYPTION)
        .with("namespace", MLS_BRIDGE)
        .with("name", ENCRYPTION_NAME)
}

/// The archive's id of a message, if its room gave it one (XEP-0359 5: only ids by the room itself
/// may be believed).
pub fn stanza_id(message: &Element, room: &str) -> Option<String> {
    let by_room = |e: &&Element| e.is("stanza-id", STANZA_IDS) && e.attr("by") == Some(room);
    message.children().find(by_room).and_then(|e| e.attr("id")).map(str::to_owned)
}

/// The sender's own id of a message: its origin-id, else its stanza's id.
pub fn sender_id(message: &Element) -> Option<&str> {
    let origin = message.get_child("origin-id", STANZA_IDS).and_then(|e| e.attr("id"));
    origin.or_else(|| message.attr("id"))
}
