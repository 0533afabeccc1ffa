//! Who is in the rooms: nickname to bare JID, as the rooms tell our own occupant.

use std::collections::HashMap;

use minidom::Element;

use crate::mapping::affiliation;
use crate::mapping::stanza::{bare, resource};

/// Occupants by room and nickname.
#[derive(Default)]
pub(crate) struct Occupants(HashMap<String, HashMap<String, String>>);

impl Occupants {
    /// Takes note of a presence from a room.
    pub(super) fn see(&mut self, presence: &Element) {
        let from = presence.attr("from").unwrap_or_default();
        let Some(nick) = resource(from) else { return };
        match presence.attr("type") {
            None => {
                if let Some(standing) = affiliation::told(presence) {
                    let room = self.0.entry(bare(from).to_owned()).or_default();
                    room.insert(nick.to_owned(), standing.jid);
                }
            }
            Some("unavailable") => {
                if let Some(room) = self.0.get_mut(bare(from)) {
                    room.remove(nick);
                }
            }
            Some(_) => {}
        }
    }

    /// The bare JID behind a room's message.
    pub(super) fn sender(&self, message: &Element) -> Option<String> {
        let from = message.attr("from")?;
        self.0.get(bare(from))?.get(resource(from)?).cloned()
    }
}
