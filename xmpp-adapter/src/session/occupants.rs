//! Who is in the rooms: nickname to bare JID, as the rooms tell our own occupant.

use std::collections::HashMap;

use minidom::Element;

use super::waiting::has_status;
use crate::limits::OCCUPANTS_MAX;
use crate::mapping::affiliation;
use crate::mapping::stanza::{bare, resource};

/// Occupants by room and nickname, of the rooms that we are in or are entering: anybody can send
/// a presence that looks like a room's.
#[derive(Default)]
pub(crate) struct Occupants(HashMap<String, HashMap<String, String>>);

impl Occupants {
    /// The room is being entered, and will say who is there.
    pub(super) fn expect(&mut self, room: &str) {
        self.0.entry(room.to_owned()).or_default();
    }

    /// The room is left for good.
    pub(super) fn forget(&mut self, room: &str) {
        self.0.remove(room);
    }

    /// Takes note of a presence from a room.
    pub(super) fn see(&mut self, presence: &Element) {
        let from = presence.attr("from").unwrap_or_default();
        let (Some(nick), Some(room)) = (resource(from), self.0.get_mut(bare(from))) else { return };
        let own = has_status(presence, "110");
        match presence.attr("type") {
            None => {
                let fits = own || room.len() < OCCUPANTS_MAX || room.contains_key(nick);
                if let Some(standing) = affiliation::told(presence).filter(|_| fits) {
                    room.insert(nick.to_owned(), standing.jid);
                }
            }
            // Not only under another nickname (XEP-0045 7.6).
            Some("unavailable") if own && !has_status(presence, "303") => room.clear(),
            Some("unavailable") => {
                room.remove(nick);
            }
            Some(_) => {}
        }
    }

    /// The bare JID behind a room's message.
    pub(super) fn sender(&self, message: &Element) -> Option<String> {
        let from = message.attr("from")?;
        self.0.get(bare(from))?.get(resource(from)?).cloned()
    }

    #[cfg(test)]
    pub(super) fn count(&self, room: &str) -> usize {
        self.0.get(room).map_or(0, HashMap::len)
    }
}
