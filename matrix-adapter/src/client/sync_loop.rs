//! The /sync loop: one answer, one batch, and the next /sync only after the batch is done.

use std::sync::Arc;
use std::time::Duration;

use matrix_sdk::Client;
use matrix_sdk::config::RequestConfig;
use mls_core::address::RoomAddress;
use mls_core::delivery::DeliveryError;
use mls_core::member::Input;
use ruma::api::client::sync::sync_events::v3 as sync_events;
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::sync::{mpsc, oneshot, watch};

use super::backfill::Until;
use super::batch::{Reader, Seen, invites_into_our_room};
use super::control_room::ControlRoom;
use super::failure::is_session_over;
use super::{Batch, backfill, delivery_error, parse_event, state_content, sync_filter};
use crate::mapping::namespace::{ROOM_ENCRYPTION, ROOM_MEMBER};
use crate::mapping::room_event::RoomEvent;
use crate::transport::{Backoff, REQUEST_DEADLINE};

/// How long the homeserver may hold a /sync that has nothing to say.
const LONG_POLL: Duration = Duration::from_secs(30);

/// Follows the account's rooms.
pub(super) struct SyncLoop {
    client: Client,
    user: OwnedUserId,
    hub: OwnedUserId,
    control: Arc<ControlRoom>,
    since: Option<String>,
    batches: mpsc::Sender<Batch>,
    seen: Seen,
    /// Whether the last /sync worked and its batch was taken.
    connected: bool,
    /// The control room that the last batch named.
    told_control: Option<OwnedRoomId>,
}

impl SyncLoop {
    /// From where the last batch ended.
    pub(super) fn new(
        client: Client,
        user: OwnedUserId,
        hub: OwnedUserId,
        control: Arc<ControlRoom>,
        since: Option<String>,
        batches: mpsc::Sender<Batch>,
    ) -> Self {
        let told_control = control.room();
        let seen = Seen::default();
        Self { client, user, hub, control, since, batches, seen, connected: false, told_control }
    }

    /// Runs until stopped, until nobody takes batches, or until the session is refused.
    pub(super) async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), DeliveryError> {
        let mut backoff = Backoff::default();
        while !*stop.borrow() && !self.batches.is_closed() {
            let turn = tokio::select! {
                _ = stop.changed() => return Ok(()),
                turn = self.turn() => turn,
            };
            let wait = match turn {
                Ok(()) => {
                    backoff.reset();
                    continue;
                }
                Err(DeliveryError::Later { after_ms, why }) => {
                    tracing::warn!(why, "not connected");
                    backoff.next(after_ms)
                }
                Err(refused) => return Err(refused),
            };
            // What was noted for the lost batch comes again with the next.
            self.seen = Seen::default();
            self.connected = false;
            tokio::select! {
                _ = stop.changed() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(())
    }

    async fn turn(&mut self) -> Result<(), DeliveryError> {
        let response = self.sync().await?;
        let next = response.next_batch.clone();
        let (inputs, invitations) = self.read(response).await?;
        let control = self.control.room();
        if inputs.is_empty() && invitations.is_empty() && control == self.told_control {
            self.since = Some(next);
            return Ok(());
        }
        let (done, taken) = oneshot::channel();
        let control_room = control.as_ref().map(ToString::to_string);
        let batch = Batch { inputs, invitations, since: next.clone(), control_room, done };
        if self.batches.send(batch).await.is_err() {
            return Ok(());
        }
        let not_taken = DeliveryError::Later { after_ms: None, why: "a batch was dropped".into() };
        taken.await.map_err(|_| not_taken)?;
        self.connected = true;
        self.told_control = control;
        self.since = Some(next);
        Ok(())
    }

    async fn sync(&self) -> Result<sync_events::Response, DeliveryError> {
        let mut request = sync_events::Request::new();
        request.filter = Some(sync_events::Filter::FilterDefinition(sync_filter::definition()));
        request.since.clone_from(&self.since);
        // The first answer is wanted at once: it says that we are connected.
        request.timeout = Some(if self.connected { LONG_POLL } else { Duration::ZERO });
        let config = RequestConfig::new().disable_retry().timeout(LONG_POLL + REQUEST_DEADLINE);
        let sent = self.client.send(request).with_request_config(config).await;
        sent.map_err(|error| match delivery_error("following the rooms", &error) {
            // Whatever else is wrong may be mended; a new session would lose the groups.
            DeliveryError::Refused { why } if !is_session_over(&error) => {
                DeliveryError::Later { after_ms: None, why }
            }
            other => other,
        })
    }

    /// To-device first: a Welcome must be seen before the messages of its group.
    async fn read(
        &mut self,
        response: sync_events::Response,
    ) -> Result<(Vec<Input>, Vec<RoomAddress>), DeliveryError> {
        let mut inputs = Vec::new();
        if !self.connected {
            inputs.push(Input::Connected);
        }
        let counts = response.device_one_time_keys_count.iter();
        inputs.extend(
            self.seen.key_packages(counts.map(|(name, count)| (name.as_str(), (*count).into()))),
        );
        let to_device = response.to_device.events.iter();
        for event in to_device.filter_map(|raw| parse_event(raw.json().get())) {
            inputs.extend(self.reader().to_device_event(event));
        }
        for (room, joined) in response.rooms.join {
            self.joined_room(room, joined, &mut inputs).await?;
        }
        for (room, left) in response.rooms.leave {
            let events = left.timeline.events.iter();
            let events = events.filter_map(|raw| parse_event(raw.json().get())).collect();
            self.timeline(&room, events, &mut inputs).await?;
            self.seen.joined.remove(&room);
            self.control.left(&room);
            inputs.push(Input::RoomLeft(RoomAddress::matrix(room.as_str())));
        }
        let invitations = response.rooms.invite.into_iter().filter(|(_, invited)| {
            let state = invited.invite_state.events.iter();
            invites_into_our_room(state.filter_map(|raw| parse_event(raw.json().get())))
        });
        let invitations = invitations.map(|(room, _)| RoomAddress::matrix(room.as_str()));
        Ok((inputs, invitations.collect()))
    }

    async fn joined_room(
        &mut self,
        room: OwnedRoomId,
        joined: sync_events::JoinedRoom,
        inputs: &mut Vec<Input>,
    ) -> Result<(), DeliveryError> {
        let state = match &joined.state {
            sync_events::State::Before(state) | sync_events::State::After(state) => &*state.events,
            _ => &[],
        };
        let state: Vec<_> = state.iter().filter_map(|raw| parse_event(raw.json().get())).collect();
        for event in &state {
            self.seen.note_encryption(&room, event);
        }
        let newest = joined.timeline.events.iter();
        let newest: Vec<_> = newest.filter_map(|raw| parse_event(raw.json().get())).collect();
        // Our own membership is there if it changed, and also if the homeserver sends along who
        // spoke (lazy loading); what was before `since` is then read once more, to no harm.
        let is_own = |event: &RoomEvent| {
            event.event_type == ROOM_MEMBER
                && event.state_key.as_deref() == Some(self.user.as_str())
        };
        let known = self.seen.joined.contains(&room);
        let entered = !known && state.iter().chain(&newest).any(is_own);
        // Rooms of others are none of the member's business, nor of the hub's.
        if !known && self.is_our_room(&room).await? {
            self.seen.joined.insert(room.clone());
            inputs.push(Input::RoomJoined(RoomAddress::matrix(room.as_str())));
        }
        let mut events = Vec::new();
        if let (true, Some(prev_batch)) = (joined.timeline.limited, joined.timeline.prev_batch) {
            let until = match &self.since {
                None => Until::First,
                Some(_) if entered => Until::Open,
                Some(since) => Until::Since(since.clone()),
            };
            events = backfill::missing_events(&self.client, &room, prev_batch, until).await?;
            // In a room that was just joined, the two overlap (Synapse).
            events.retain(|old| newest.iter().all(|new| new.event_id != old.event_id));
        }
        events.extend(newest);
        self.timeline(&room, events, inputs).await
    }

    async fn timeline(
        &mut self,
        room: &OwnedRoomId,
        events: Vec<RoomEvent>,
        inputs: &mut Vec<Input>,
    ) -> Result<(), DeliveryError> {
        for event in events {
            self.seen.note_encryption(room, &event);
            let Some(input) = self.reader().timeline_event(room, event) else { continue };
            let in_clear = matches!(input, Input::CleartextInRoom { .. });
            if !in_clear || self.is_our_room(room).await? {
                inputs.push(input);
            }
        }
        Ok(())
    }

    async fn is_our_room(&mut self, room: &OwnedRoomId) -> Result<bool, DeliveryError> {
        if let Some(known) = self.seen.encrypted.get(room) {
            return Ok(*known);
        }
        let content = match state_content(&self.client, room, ROOM_ENCRYPTION, "").await {
            // One room's fault costs that room only.
            Err(DeliveryError::Refused { why }) => {
                tracing::warn!(%room, why, "a room cannot be looked at");
                None
            }
            content => content?,
        };
        let ours = content
            .is_some_and(|content| crate::mapping::application_message::marks_our_room(&content));
        self.seen.encrypted.insert(room.clone(), ours);
        Ok(ours)
    }

    fn reader(&self) -> Reader<'_> {
        Reader { hub: &self.hub, control: &self.control }
    }
}
