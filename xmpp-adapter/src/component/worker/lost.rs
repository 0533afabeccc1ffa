//! Rooms that are lost: gone, or closed to the hub for good.
//!
//! What a room itself told the hub that sat in it is believed at once. A room that only does not
//! let the hub in, or says that it is gone, has to say so for [`ROOM_LOST_AFTER`]: a service that
//! starts without its data says the same, and what follows cannot be taken back.

use std::collections::{BTreeSet, HashMap};

use minidom::Element;
use mls_core::address::RoomAddress;
use tokio::time::Instant;

use super::Worker;
use crate::limits::ROOM_LOST_AFTER;
use crate::mapping::Build;
use crate::mapping::ghost::RESOURCE;
use crate::mapping::namespace::CLIENT;

/// What is known of rooms that are lost, or may be.
#[derive(Default)]
pub(super) struct LostRooms {
    /// Since when a room says no, on this connection.
    refusing: HashMap<String, Instant>,
    /// Lost, and not stored by the hub yet.
    lost: BTreeSet<String>,
}

impl LostRooms {
    /// The room is there and lets us in.
    pub(super) fn lets_us_in(&mut self, room: &str) {
        self.refusing.remove(room);
    }

    /// The room says no; whether it has done so for long enough.
    fn says_no(&mut self, room: &str, now: Instant) -> bool {
        let since = *self.refusing.entry(room.to_owned()).or_insert(now);
        now.duration_since(since) >= ROOM_LOST_AFTER
    }

    /// The connection is gone: how long rooms would have said no, nobody knows.
    pub(super) fn all_away(&mut self) {
        self.refusing.clear();
    }

    /// What the hub has to be told, until it has stored it.
    pub(super) fn to_report(&self) -> Vec<RoomAddress> {
        self.lost.iter().map(RoomAddress::xmpp).collect()
    }

    /// The hub has stored all of it.
    pub(super) fn reported(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.lost)
    }
}

impl Worker {
    /// A room says that it is gone, or that we may not be in it; it may not be the last word.
    pub(super) fn says_no(&mut self, room: &str, why: &str) {
        if self.lost.says_no(room, Instant::now()) {
            self.lose(room, why);
        }
    }

    /// A room is lost.
    pub(super) fn lose(&mut self, room: &str, why: &str) {
        if self.rooms.contains(room) && self.lost.lost.insert(room.to_owned()) {
            tracing::warn!(room, why, "a group's room is lost");
        }
    }

    /// Forgets a room, and takes all of ours that may still sit in it out of it.
    pub(super) fn leave(&mut self, room: &str) {
        let nick = self.rooms.remove(room);
        self.lost.lets_us_in(room);
        self.silent.remove(room);
        self.shared.affiliations().forget(room);
        self.shared.session.forget_room(room);
        let ghosts = self.shared.ghosts().forget_room(room);
        let ghosts = ghosts.into_iter().map(|(jid, nick)| (format!("{jid}/{RESOURCE}"), nick));
        let hub = nick.map(|nick| (self.shared.hub(), nick));
        self.answers.extend(ghosts.chain(hub).map(|(from, nick)| {
            Element::bare("presence", CLIENT)
                .with("type", "unavailable")
                .with("from", from)
                .with("to", format!("{room}/{nick}"))
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_room_is_lost_only_when_it_said_no_for_long_without_a_break() {
        let (mut lost, start) = (LostRooms::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert!(!lost.says_no("r", start));
        assert!(!lost.says_no("r", start + ROOM_LOST_AFTER - second));
        lost.lets_us_in("r");
        assert!(!lost.says_no("r", start + ROOM_LOST_AFTER));
        lost.all_away();
        assert!(!lost.says_no("r", start + ROOM_LOST_AFTER * 3));
        assert!(lost.says_no("r", start + ROOM_LOST_AFTER * 4));
        assert!(!lost.says_no("other", start + ROOM_LOST_AFTER * 4));
    }
}
