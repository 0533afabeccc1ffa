//! What one answer of /sync says of each room, completed by what it left out.

use mls_core::address::RoomAddress;
use mls_core::delivery::DeliveryError;
use mls_core::member::Input;
use ruma::api::client::sync::sync_events::v3 as sync_events;
use ruma::{OwnedRoomId, RoomId};

use super::seen::speaks_mls;
use super::sync_loop::SyncLoop;
use super::{backfill, parse_event, state_content};
use crate::mapping::application_message;
use crate::mapping::namespace::{ROOM_CREATE, ROOM_ENCRYPTION, ROOM_MEMBER};
use crate::mapping::room_event::RoomEvent;

/// So often in a row a room may keep the whole batch waiting (some five minutes); then what cannot
/// be read of it is passed over.
const ROOM_TRIES_MAX: u32 = 16;

impl SyncLoop {
    /// A room that this account is in.
    pub(super) async fn joined_room(
        &mut self,
        room: &OwnedRoomId,
        joined: sync_events::JoinedRoom,
        inputs: &mut Vec<Input>,
    ) -> Result<(), DeliveryError> {
        let state = match &joined.state {
            sync_events::State::Before(state) | sync_events::State::After(state) => &*state.events,
            _ => &[],
        };
        let state = parse_events(state.iter().map(|raw| raw.json().get()));
        let newest = parse_events(joined.timeline.events.iter().map(|raw| raw.json().get()));
        let all = || state.iter().chain(&newest);
        all().for_each(|event| self.seen.note_marker(room, event));
        let is_new = self.since.is_none() || all().any(|event| event.event_type == ROOM_CREATE);
        let is_news =
            is_new || all().any(|event| self.is_own_membership(event) || speaks_mls(event));
        // The hub is told of rooms that it knows anyway; the others are none of its business.
        if is_news && self.is_our_room(room).await? && self.seen.joined(room) {
            inputs.push(Input::RoomJoined(RoomAddress::matrix(room.as_str())));
        }
        let mut events = match joined.timeline.prev_batch {
            Some(prev_batch) if joined.timeline.limited => {
                self.missing_events(room, prev_batch, is_new).await?
            }
            _ => Vec::new(),
        };
        // In a room that was just joined, the two overlap (Synapse).
        events.retain(|old| newest.iter().all(|new| new.event_id != old.event_id));
        events.extend(newest);
        self.timeline(room, events, inputs).await
    }

    /// A room that this account was in.
    pub(super) async fn left_room(
        &mut self,
        room: &OwnedRoomId,
        left: sync_events::LeftRoom,
        inputs: &mut Vec<Input>,
    ) -> Result<(), DeliveryError> {
        let events = parse_events(left.timeline.events.iter().map(|raw| raw.json().get()));
        self.timeline(room, events, inputs).await?;
        self.seen.left(room);
        self.controls.left(room);
        inputs.push(Input::RoomLeft(RoomAddress::matrix(room.as_str())));
        Ok(())
    }

    async fn timeline(
        &mut self,
        room: &OwnedRoomId,
        events: Vec<RoomEvent>,
        inputs: &mut Vec<Input>,
    ) -> Result<(), DeliveryError> {
        for event in events {
            self.seen.note_marker(room, &event);
            let Some(input) = self.reader().timeline_event(room, event) else { continue };
            let in_clear = matches!(input, Input::CleartextInRoom { .. });
            if !in_clear || self.is_our_room(room).await? {
                inputs.push(input);
            }
        }
        Ok(())
    }

    /// What a limited timeline left out, of rooms in which something can be said to us.
    async fn missing_events(
        &mut self,
        room: &OwnedRoomId,
        prev_batch: String,
        is_new: bool,
    ) -> Result<Vec<RoomEvent>, DeliveryError> {
        if self.controls.at(room).is_none() && !self.is_our_room(room).await? {
            return Ok(Vec::new());
        }
        let since = self.since.as_deref();
        let read = backfill::missing_events(&self.client, room, prev_batch, since, is_new).await;
        Ok(self.pass_over(room, read)?.unwrap_or_default())
    }

    async fn is_our_room(&mut self, room: &OwnedRoomId) -> Result<bool, DeliveryError> {
        if let Some(known) = self.seen.is_ours(room) {
            return Ok(known);
        }
        let content = state_content(&self.client, room, ROOM_ENCRYPTION, "").await;
        let Some(content) = self.pass_over(room, content)? else { return Ok(false) };
        let ours = content.is_some_and(|content| application_message::marks_our_room(&content));
        self.seen.note(room, ours);
        Ok(ours)
    }

    /// What a room's own error costs: `None`, what was asked for; or the whole batch, to be tried
    /// again.
    fn pass_over<T>(
        &mut self,
        room: &RoomId,
        answer: Result<T, DeliveryError>,
    ) -> Result<Option<T>, DeliveryError> {
        let error = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        if let DeliveryError::Later { .. } = error {
            let failures = self.failures.entry(room.to_owned()).or_default();
            *failures = failures.saturating_add(1);
            if *failures < ROOM_TRIES_MAX {
                return Err(error);
            }
        }
        tracing::warn!(%room, %error, "a part of the room is passed over");
        Ok(None)
    }

    fn is_own_membership(&self, event: &RoomEvent) -> bool {
        event.event_type == ROOM_MEMBER && event.state_key.as_deref() == Some(self.user.as_str())
    }
}

fn parse_events<'a>(events: impl Iterator<Item = &'a str>) -> Vec<RoomEvent> {
    events.filter_map(parse_event).collect()
}
