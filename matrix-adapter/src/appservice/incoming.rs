//! From one event to what it says to the hub: who may say what.

use std::sync::Arc;

use mls_core::address::{RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{AnswerEffect, Incoming, Input, Membership, Reply, ReplyTo, RoomMessage};
use mls_core::wire::RequestId;
use mls_core::wire::refusal::Refusal;

use super::control_room::ControlRooms;
use super::homeserver::Homeserver;
use super::invitation::{Answering, Invitations};
use super::membership::is_listed;
use super::notify;
use crate::mapping::namespace::{REQUEST, ROOM_ENCRYPTED, ROOM_MEMBER};
use crate::mapping::request::RequestFault;
use crate::mapping::room_event::RoomEvent;
use crate::mapping::{DecodeError, application_message, request};

/// Judges events.
pub(super) struct EventReader {
    homeserver: Arc<Homeserver>,
    control_rooms: ControlRooms,
    invitations: Invitations,
}

impl EventReader {
    /// With nothing known of any room.
    pub(super) fn new(
        homeserver: Arc<Homeserver>,
        control_rooms: ControlRooms,
        invitations: Invitations,
    ) -> Self {
        Self { homeserver, control_rooms, invitations }
    }

    /// Whether an event can say anything to the hub. What the hub and its ghosts post comes back
    /// to us, too, and says nothing.
    pub(super) fn heeds(&self, event: &RoomEvent) -> bool {
        let sender = event.sender.as_str();
        match event.event_type.as_str() {
            ROOM_MEMBER => true,
            ROOM_ENCRYPTED | REQUEST => {
                sender != self.homeserver.hub() && !self.homeserver.is_ghost(sender)
            }
            _ => false,
        }
    }

    /// What one event says, if anything. A malformed content is logged and passed over; an error
    /// means that the homeserver could not be asked what must be known: read it again later.
    pub(super) async fn read(&self, event: RoomEvent) -> Result<Option<Incoming>, DeliveryError> {
        match event.event_type.as_str() {
            _ if !self.heeds(&event) => Ok(None),
            ROOM_MEMBER => self.confirmed(&event, self.member(&event)).await,
            ROOM_ENCRYPTED => Ok(message(event)),
            _ => self.request(event).await,
        }
    }

    /// Answers an event that invites the hub; returns what to wait for, if anything.
    pub(super) fn invitation(&self, event: &RoomEvent) -> Option<Answering> {
        let invites = event.event_type == ROOM_MEMBER
            && event.state_key.as_deref() == Some(self.homeserver.hub())
            && event.content_text("membership") == Some("invite");
        invites.then(|| self.invitations.offer(event)).flatten()
    }

    /// A homeserver that was away, or repeats, tells of the past: who is back by now did not leave.
    async fn confirmed(
        &self,
        event: &RoomEvent,
        said: Option<Incoming>,
    ) -> Result<Option<Incoming>, DeliveryError> {
        let left = match &said {
            Some(Incoming::Input(Input::Membership(change))) => !change.listed,
            Some(Incoming::GhostExpelled { .. } | Incoming::Input(Input::RoomLost { .. })) => true,
            _ => false,
        };
        let user = event.state_key.as_deref().filter(|_| left);
        match user {
            Some(user) if is_listed(&self.homeserver, &event.room_id, user).await? => Ok(None),
            _ => Ok(said),
        }
    }

    fn member(&self, event: &RoomEvent) -> Option<Incoming> {
        self.control_rooms.forget(&event.room_id);
        let user = event.state_key.as_deref()?;
        let membership = event.content_text("membership")?;
        let room = RoomAddress::matrix(&*event.room_id);
        if user == self.homeserver.hub() {
            // A room that is deleted has everybody leave in their own name. Of rooms that are not
            // of its groups, such as an invitation that was declined, the hub makes nothing.
            let is_out = matches!(membership, "leave" | "ban");
            if is_out && event.sender != user {
                tracing::warn!(room = event.room_id, by = event.sender, "the hub was put out");
            }
            is_out.then_some(Incoming::Input(Input::RoomLost { room }))
        } else if self.homeserver.is_ghost(user) {
            let put_out = matches!(membership, "leave" | "ban")
                && event.sender != user
                && event.sender != self.homeserver.hub();
            put_out.then(|| Incoming::GhostExpelled { room, ghost: user.to_owned() })
        } else {
            let user = UserId::matrix(user).ok()?;
            let listed = matches!(membership, "join" | "invite");
            Some(Incoming::Input(Input::Membership(Membership { room, user, listed })))
        }
    }

    async fn request(&self, event: RoomEvent) -> Result<Option<Incoming>, DeliveryError> {
        let room = event.room_id;
        if self.control_rooms.creator(&room).await?.as_deref() != Some(&*event.sender) {
            tracing::warn!(room, sender = event.sender, "a request outside of a control room");
            return Ok(None);
        }
        let Ok(from) = UserId::matrix(&event.sender) else { return Ok(None) };
        let reply_to = ReplyTo::ControlRoom(room.clone());
        let (id, refusal) = match request::decode(event.content) {
            Ok((id, request)) => {
                return Ok(Some(Incoming::Input(Input::asked(from, reply_to, id, request))));
            }
            Err(RequestFault::Unsupported { id }) => (id, Refusal::Unsupported),
            // A request without an id is answered under its event's.
            Err(RequestFault::Invalid { id, why }) => {
                (id.unwrap_or(event.event_id), Refusal::Invalid(why.to_string()))
            }
        };
        self.refuse(reply_to, id, refusal).await.map(|()| None)
    }

    /// What the hub cannot be given is answered here, before the transaction is acknowledged.
    async fn refuse(
        &self,
        to: ReplyTo,
        id: RequestId,
        refusal: Refusal,
    ) -> Result<(), DeliveryError> {
        let answer = AnswerEffect { to, id, reply: Reply::Refused(refusal) };
        match notify::answer(&self.homeserver, &answer).await {
            Err(DeliveryError::Refused { why }) => {
                tracing::warn!(why, "a broken request stays unanswered");
                Ok(())
            }
            other => other,
        }
    }
}

/// An application message of our algorithm.
fn message(event: RoomEvent) -> Option<Incoming> {
    let (message, checkpoint) = match application_message::decode(event.content) {
        Ok(read) => read,
        Err(DecodeError::Mismatch) => return None,
        Err(DecodeError::Invalid(why)) => {
            tracing::warn!(room = event.room_id, sender = event.sender, %why, "a broken message");
            return None;
        }
    };
    Some(Incoming::Input(Input::Message(RoomMessage {
        room: RoomAddress::matrix(event.room_id),
        sender: UserId::matrix(&event.sender).ok()?,
        event: event.event_id,
        sent_ms: event.origin_server_ts,
        message,
        checkpoint,
    })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::watch;
    use url::Url;
    use zeroize::Zeroizing;

    use super::super::setup::AppserviceSetup;
    use super::*;
    use crate::mapping::namespace::algorithm;

    fn reader() -> (EventReader, watch::Sender<bool>) {
        let setup = AppserviceSetup {
            listen: ([127, 0, 0, 1], 0).into(),
            homeserver: Url::parse("https://hs.invalid").unwrap(),
            server_name: "hs".to_owned(),
            as_token: Zeroizing::new("as".to_owned()),
            hs_token: Zeroizing::new("hs".to_owned()),
            sender_localpart: "mls".to_owned(),
            has_rooms: true,
        };
        let homeserver = Arc::new(Homeserver::new(&setup).unwrap());
        let (stop, stopped) = watch::channel(false);
        let invitations = Invitations::new(Arc::clone(&homeserver), stopped);
        let control_rooms = ControlRooms::new(Arc::clone(&homeserver));
        (EventReader::new(homeserver, control_rooms, invitations), stop)
    }

    fn event(event_type: &str, sender: &str, state_key: Option<&str>, content: Value) -> RoomEvent {
        let event = json!({
            "type": event_type, "sender": sender, "state_key": state_key, "content": content,
            "room_id": "!r:hs", "event_id": "$1", "origin_server_ts": 7,
        });
        serde_json::from_value(event).unwrap()
    }

    #[tokio::test]
    async fn the_list_of_a_room_is_joined_and_invited_without_ghosts_and_hub() {
        let (reader, _stop) = reader();
        for (sender, user, membership, expected) in [
            ("@bob:hs", "@bob:hs", "join", "bob true"),
            ("@mls:hs", "@bob:hs", "invite", "bob true"),
            ("@bob:hs", "@bob:hs", "knock", "bob false"),
            ("@mls:hs", "@bob:hs", "leave", "bob false"),
            ("@eve:hs", "@bob:hs", "ban", "bob false"),
            ("@mls_x=40y:hs", "@mls_x=40y:hs", "join", "nothing"),
            ("@mls_x=40y:hs", "@mls_x=40y:hs", "leave", "nothing"),
            ("@mls:hs", "@mls_x=40y:hs", "leave", "nothing"),
            ("@eve:hs", "@mls_x=40y:hs", "leave", "ghost out"),
            ("@eve:hs", "@mls_x=40y:hs", "ban", "ghost out"),
            ("@eve:hs", "@mls_x=40y:other", "leave", "mls_x=40y false"),
            ("@eve:hs", "@mls:hs", "ban", "room lost"),
            ("@mls:hs", "@mls:hs", "leave", "room lost"),
            ("@mls:hs", "@mls:hs", "join", "nothing"),
            ("@eve:hs", "no user", "join", "nothing"),
        ] {
            let content = json!({ "membership": membership });
            let said = match reader.member(&event(ROOM_MEMBER, sender, Some(user), content)) {
                None => "nothing".to_owned(),
                Some(Incoming::GhostExpelled { ghost, .. }) if ghost == user => "ghost out".into(),
                Some(Incoming::Input(Input::RoomLost { .. })) => "room lost".to_owned(),
                Some(Incoming::Input(Input::Membership(m))) => {
                    let address = m.user.address();
                    let name = address.trim_start_matches('@').split(':').next().unwrap();
                    format!("{name} {}", m.listed)
                }
                other => format!("{other:?}"),
            };
            assert_eq!(said, expected, "{sender} makes {user} {membership}");
        }
    }

    #[tokio::test]
    async fn messages_count_from_people_only_and_broken_ones_are_passed_over() {
        let (reader, _stop) = reader();
        let ours = application_message::encode(&algorithm(1).unwrap(), b"m", None);
        let megolm = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"});
        let broken = json!({"algorithm": algorithm(1).unwrap(), "ciphertext": "?"});
        for (sender, content, counts) in [
            ("@bob:hs", &ours, true),
            ("@bob:other", &ours, true),
            ("@mls:hs", &ours, false),
            ("@mls_x=40y:hs", &ours, false),
            ("@bob:hs", &megolm, false),
            ("@bob:hs", &broken, false),
            ("bob", &ours, false),
        ] {
            let event = event(ROOM_ENCRYPTED, sender, None, content.clone());
            let read = reader.read(event).await.unwrap();
            let is_message = matches!(read, Some(Incoming::Input(Input::Message(_))));
            assert_eq!(is_message, counts, "{sender} {content}");
        }
    }
}
