//! What one connection has seen: which rooms are ours, and what the member was told already.

use std::collections::{HashMap, HashSet};

use mls_core::member::Input;
use mls_core::policy::CIPHER_SUITES;
use ruma::{OwnedRoomId, RoomId};
use serde_json::Value;

use crate::mapping::namespace::{
    CREATE_ALGORITHM, HANDSHAKE, ROOM_CREATE, ROOM_ENCRYPTED, ROOM_ENCRYPTION, suite_of,
};
use crate::mapping::room_event::RoomEvent;
use crate::mapping::{application_message, key_package};

/// Cloned before each answer of /sync, so that it can be put back when the batch was not taken.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// Rooms that `RoomJoined` was said of.
    joined: HashSet<OwnedRoomId>,
    /// Whether a room is marked as ours.
    ours: HashMap<OwnedRoomId, bool>,
    /// The last counts of key packages that were handed out, by suite.
    key_packages: HashMap<u16, u32>,
}

impl Seen {
    /// The numbers of one-time key packages that are not those handed out last; a homeserver leaves
    /// out suites of which it has none.
    pub(super) fn key_packages<'a>(
        &mut self,
        counts: impl Iterator<Item = (&'a str, u64)>,
    ) -> Vec<Input> {
        let ours = counts.filter_map(|(name, count)| Some((key_package::suite_of(name)?, count)));
        let counts: HashMap<u16, u64> = ours.collect();
        let count_of = |suite| {
            let count = counts.get(&suite).copied().unwrap_or(0);
            (suite, u32::try_from(count).unwrap_or(u32::MAX))
        };
        let now = CIPHER_SUITES.map(u16::from).map(count_of);
        let news = now
            .into_iter()
            .filter(|(suite, count)| self.key_packages.insert(*suite, *count) != Some(*count));
        news.map(|(suite, count)| Input::KeyPackagesLeft { suite, count }).collect()
    }

    /// This account is in the room; whether that is news.
    pub(super) fn joined(&mut self, room: &RoomId) -> bool {
        self.joined.insert(room.to_owned())
    }

    /// This account is not in the room.
    pub(super) fn left(&mut self, room: &RoomId) {
        self.joined.remove(room);
    }

    /// Notes whether the room is ours, if the event says so or, as a room's first event, does not.
    pub(super) fn note_marker(&mut self, room: &RoomId, event: &RoomEvent) {
        let marker = [ROOM_CREATE, ROOM_ENCRYPTION].contains(&event.event_type.as_str());
        if marker && event.state_key.as_deref() == Some("") {
            self.note(room, marks_our_room(event));
        }
    }

    /// Notes whether the room is ours.
    pub(super) fn note(&mut self, room: &RoomId, ours: bool) {
        // Once ours, always ours: nobody gets a warning away by rewriting the marker.
        *self.ours.entry(room.to_owned()).or_default() |= ours;
    }

    /// Whether the room is ours, if that is known.
    pub(super) fn is_ours(&self, room: &RoomId) -> Option<bool> {
        self.ours.get(room).copied()
    }
}

/// Whether an event marks its room as one of ours; also in the stripped state of an invitation.
pub(super) fn marks_our_room(event: &RoomEvent) -> bool {
    match event.event_type.as_str() {
        ROOM_ENCRYPTION => application_message::marks_our_room(&event.content),
        ROOM_CREATE => event.content_text(CREATE_ALGORITHM).and_then(suite_of).is_some(),
        _ => false,
    }
}

/// Whether an event is of a kind that only rooms of ours have, or somebody who pretends that.
pub(super) fn speaks_mls(event: &RoomEvent) -> bool {
    let algorithm = event.content.get("algorithm").and_then(Value::as_str);
    match event.event_type.as_str() {
        HANDSHAKE => true,
        ROOM_ENCRYPTED => algorithm.and_then(suite_of).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::namespace::algorithm;

    fn state(event_type: &str, content: Value) -> RoomEvent {
        let event = json!({
            "type": event_type, "sender": "@bob:hs", "content": content, "state_key": "",
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_marker_of_a_room_is_its_encryption_or_its_first_event() {
        let ours = algorithm(1).unwrap();
        for (event_type, content, expected) in [
            (ROOM_CREATE, json!({CREATE_ALGORITHM: ours}), Some(true)),
            (ROOM_CREATE, json!({"room_version": "12"}), Some(false)),
            (ROOM_ENCRYPTION, json!({"algorithm": ours}), Some(true)),
            (ROOM_ENCRYPTION, json!({"algorithm": "m.megolm.v1.aes-sha2"}), Some(false)),
            ("m.room.name", json!({"algorithm": ours}), None),
        ] {
            let (mut seen, room) = (Seen::default(), OwnedRoomId::try_from("!r:hs").unwrap());
            seen.note_marker(&room, &state(event_type, content));
            assert_eq!(seen.is_ours(&room), expected, "{event_type}");
        }
    }

    #[test]
    fn the_count_of_key_packages_is_said_once_until_it_changes() {
        let mut seen = Seen::default();
        let ours = key_package::algorithm(1).unwrap();
        for (count, said) in [
            (None, vec![(1, 0), (2, 0), (3, 0)]),
            (Some(5), vec![(1, 5)]),
            (Some(5), vec![]),
            (None, vec![(1, 0)]),
        ] {
            let counts = [("signed_curve25519", 50)].into_iter();
            let counts = counts.chain(count.map(|count| (&*ours, count)));
            let told = seen.key_packages(counts).into_iter().map(|input| match input {
                Input::KeyPackagesLeft { suite, count } => (suite, count),
                other => panic!("{other:?}"),
            });
            assert_eq!(told.collect::<Vec<_>>(), said);
        }
    }

    #[test]
    fn a_room_that_was_ours_stays_ours() {
        let mut seen = Seen::default();
        let room: OwnedRoomId = "!r:hs".try_into().unwrap();
        for (content, ours) in [
            (json!({"algorithm": "m.megolm.v1.aes-sha2"}), false),
            (json!({"algorithm": algorithm(1).unwrap()}), true),
            (json!({}), true),
        ] {
            seen.note_marker(&room, &state(ROOM_ENCRYPTION, content));
            assert_eq!(seen.is_ours(&room), Some(ours));
        }
    }
}
