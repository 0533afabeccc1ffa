//! From the events of one answer of /sync to the inputs of a member: who may say what.

use std::sync::Arc;

use mls_core::address::{RoomAddress, UserId};
use mls_core::member::{Input, ReceivedMessage};
use mls_core::wire::{Reply, RequestId};
use ruma::{OwnedUserId, RoomId};

use super::control_room::ControlRoom;
use super::control_rooms::ControlRooms;
use crate::mapping::namespace::{
    ANSWER, HANDSHAKE, OUR_EVENTS, ROOM_ENCRYPTED, ROOM_MEMBER, ROOM_MESSAGE, STICKER,
};
use crate::mapping::room_event::RoomEvent;
use crate::mapping::{DecodeError, answer, application_message, ghost, notice};

/// Judges events for one member.
pub(super) struct Reader<'a> {
    /// The hub: nobody else's handshakes and Welcomes count.
    pub(super) hub: &'a OwnedUserId,
    /// Answers count there only, of whom each is with.
    pub(super) controls: &'a ControlRooms,
}

impl Reader<'_> {
    /// The input in an event of a room's timeline, if it is one for us.
    pub(super) fn timeline_event(&self, room: &RoomId, event: RoomEvent) -> Option<Input> {
        let from_hub = event.sender == self.hub.as_str();
        let control = self.controls.at(room);
        let answerer = control.as_ref().filter(|with| event.sender == with.whom().as_str());
        let read = match event.event_type.as_str() {
            ROOM_ENCRYPTED => self.message(room, &event),
            HANDSHAKE if from_hub => notice::decode(HANDSHAKE, event.content).map(Input::Notice),
            ANSWER if answerer.is_some() => {
                let control = answerer?;
                return logged(answer::decode(event.content), &event.sender)
                    .and_then(|(id, reply)| answered(control, id, reply));
            }
            // Another device of this account has control rooms of its own.
            ANSWER if control.is_none() => return None,
            HANDSHAKE | ANSWER => {
                tracing::warn!(%room, sender = event.sender, "only the hub may send {}", event.event_type);
                return None;
            }
            ROOM_MEMBER => {
                let of = |with: &&Arc<ControlRoom>| {
                    event.state_key.as_deref() == Some(with.whom().as_str())
                };
                control.iter().filter(of).for_each(|with| with.doubt());
                return None;
            }
            ROOM_MESSAGE | STICKER => Ok(Input::CleartextInRoom {
                room: RoomAddress::matrix(room.as_str()),
                sender: self.account(&event.sender),
            }),
            _ => return None,
        };
        logged(read, &event.sender)
    }

    /// The input in a to-device event, if it is one for us.
    pub(super) fn to_device_event(&self, event: RoomEvent) -> Option<Input> {
        if event.sender != self.hub.as_str() {
            if event.event_type.starts_with(OUR_EVENTS) {
                tracing::warn!(sender = event.sender, "only the hub may send {}", event.event_type);
            }
            return None;
        }
        let read = notice::decode(&event.event_type, event.content).map(Input::Notice);
        logged(read, &event.sender)
    }

    fn message(&self, room: &RoomId, event: &RoomEvent) -> Result<Input, DecodeError> {
        let (message, checkpoint) = application_message::decode(event.content.clone())?;
        Ok(Input::Message(ReceivedMessage {
            room: RoomAddress::matrix(room.as_str()),
            sender: self.account(&event.sender),
            sent_ms: event.origin_server_ts,
            message,
            checkpoint,
        }))
    }

    /// The account behind a sender; a ghost stands for somebody else.
    fn account(&self, sender: &str) -> Option<UserId> {
        if ghost::is_ghost(sender, self.hub.server_name().as_str()) {
            return None;
        }
        UserId::matrix(sender).ok()
    }
}

fn answered(control: &ControlRoom, id: RequestId, reply: Reply) -> Option<Input> {
    let Some(answer) = control.sealer.open(&control.service, &id, reply) else {
        // As after each start: what was asked before is asked again under a new key.
        tracing::info!(id, "an answer to an earlier process is passed over");
        return None;
    };
    control.answered(&id);
    Some(Input::Answer(id, answer))
}

fn logged<T>(read: Result<T, DecodeError>, sender: &str) -> Option<T> {
    match read {
        Ok(input) => Some(input),
        Err(DecodeError::Mismatch) => None,
        Err(DecodeError::Invalid(why)) => {
            tracing::warn!(sender, %why, "an event of ours is broken and passed over");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use mls_core::seal::Sealer;
    use mls_core::service::Service;
    use mls_core::wire::handshake::SealedHandshake;
    use mls_core::wire::refusal::Refusal;
    use mls_core::wire::welcome_waiting::WelcomeWaiting;
    use mls_core::wire::{GroupId, Notice, Request};
    use ruma::OwnedRoomId;
    use serde_json::{Value, json};

    use super::super::control_rooms::Known;
    use super::*;
    use crate::mapping::namespace::{WELCOME, algorithm};

    fn event(event_type: &str, sender: &str, content: Value) -> RoomEvent {
        let event = json!({
            "type": event_type, "sender": sender, "content": content, "event_id": "$1",
            "origin_server_ts": 7,
        });
        serde_json::from_value(event).unwrap()
    }

    fn handshake() -> Value {
        let handshake =
            SealedHandshake { group: GroupId(vec![1]), seq: 1, epoch: 1, sealed: vec![1] };
        notice::encode(&Notice::Handshake(handshake)).1
    }

    fn welcome() -> Value {
        notice::encode(&Notice::WelcomeWaiting(WelcomeWaiting { device: "DEV".to_owned() })).1
    }

    fn sealer() -> Sealer {
        Sealer::new(UserId::matrix("@bob:hs").unwrap(), &mls_core::crypto::Crypto::system())
            .unwrap()
    }

    #[test]
    fn only_the_hub_speaks_for_the_hub_and_answers_only_in_the_control_room() {
        let hub: OwnedUserId = "@mls:hs".try_into().unwrap();
        let room: OwnedRoomId = "!control:hs".try_into().unwrap();
        let sealer = sealer();
        sealer.use_authority("@authority:hs", None);
        let (asked, not_opened) = ("asked".to_owned(), Reply::Refused(Refusal::NotOpened));
        sealer.seal(&Service::Authentication, &asked, &Request::HubInfo).unwrap();
        let to_authority = answer::encode(&asked, &not_opened);
        let known = Known { hub: Some(room), authority: Some("!authority:hs".try_into().unwrap()) };
        let controls = ControlRooms::new(hub.clone(), sealer, known, String::new());
        let reader = Reader { hub: &hub, controls: &controls };
        let id = "id".to_owned();
        let refusal = answer::encode(&id, &not_opened);
        let foreign = answer::encode(&id, &Reply::Sealed(vec![7; 156]));
        for (place, event_type, sender, content, counts) in [
            ("!control:hs", ANSWER, "@mls:hs", &refusal, true),
            ("!control:hs", ANSWER, "@mls:hs", &foreign, false),
            ("!control:hs", ANSWER, "@mallory:hs", &refusal, false),
            ("!other:hs", ANSWER, "@mls:hs", &refusal, false),
            ("!authority:hs", ANSWER, "@authority:hs", &refusal, true),
            ("!authority:hs", ANSWER, "@authority:hs", &to_authority, true),
            ("!control:hs", ANSWER, "@mls:hs", &to_authority, false),
            ("!authority:hs", ANSWER, "@mls:hs", &refusal, false),
            ("!control:hs", ANSWER, "@authority:hs", &refusal, false),
            ("!authority:hs", HANDSHAKE, "@authority:hs", &handshake(), false),
            ("!other:hs", HANDSHAKE, "@mls:hs", &handshake(), true),
            ("!other:hs", HANDSHAKE, "@mls:other", &handshake(), false),
            ("!other:hs", HANDSHAKE, "@mls:hs", &json!({"v": 1}), false),
            ("!other:hs", WELCOME, "@mls:hs", &welcome(), false),
        ] {
            let place: OwnedRoomId = place.try_into().unwrap();
            let input = reader.timeline_event(&place, event(event_type, sender, content.clone()));
            assert_eq!(input.is_some(), counts, "{event_type} of {sender} in {place}");
        }
        for (sender, counts) in [("@mls:hs", true), ("@mallory:hs", false)] {
            let input = reader.to_device_event(event(WELCOME, sender, welcome()));
            assert_eq!(input.is_some(), counts, "a Welcome of {sender}");
        }
    }

    #[test]
    fn a_ghost_is_nobodys_account() {
        let hub: OwnedUserId = "@mls:hs".try_into().unwrap();
        let room: OwnedRoomId = "!r:hs".try_into().unwrap();
        let known = Known { hub: None, authority: None };
        let controls = ControlRooms::new(hub.clone(), sealer(), known, String::new());
        let reader = Reader { hub: &hub, controls: &controls };
        for (sender, expected) in [
            ("@bob:hs", UserId::matrix("@bob:hs").ok()),
            ("@mls_juliet=40x:hs", None),
            ("@mls_juliet=40x:other", UserId::matrix("@mls_juliet=40x:other").ok()),
        ] {
            let content = application_message::encode(&algorithm(1).unwrap(), b"m", None);
            let input = reader.timeline_event(&room, event(ROOM_ENCRYPTED, sender, content));
            let Some(Input::Message(message)) = input else { panic!("no message") };
            assert_eq!((message.sender, message.message), (expected, b"m".to_vec()));
        }
        let megolm = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"});
        assert!(reader.timeline_event(&room, event(ROOM_ENCRYPTED, "@bob:hs", megolm)).is_none());
    }
}
