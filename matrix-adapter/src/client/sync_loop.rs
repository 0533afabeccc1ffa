//! The /sync loop: one answer, one batch, and the next /sync only after the batch is done.

use std::collections::HashMap;
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

use super::batch::Reader;
use super::control_rooms::{self, ControlRooms, Known};
use super::seen::{Seen, marks_our_room};
use super::{Batch, homeserver_error, parse_event, sync_filter};
use crate::homeserver_error::{HomeserverError, refused};
use crate::transport::{Backoff, REQUEST_DEADLINE};

/// How long the homeserver may hold a /sync that has nothing to say.
const LONG_POLL: Duration = Duration::from_secs(30);

/// Follows the account's rooms.
pub(super) struct SyncLoop {
    pub(super) client: Client,
    pub(super) user: OwnedUserId,
    pub(super) hub: OwnedUserId,
    pub(super) controls: Arc<ControlRooms>,
    pub(super) since: Option<String>,
    batches: mpsc::Sender<Batch>,
    pub(super) seen: Seen,
    /// How often requests about a room failed since the last batch.
    pub(super) failures: HashMap<OwnedRoomId, u32>,
    /// Whether the last /sync worked and its batch was taken.
    connected: bool,
    /// The control rooms that the last batch named.
    told: Known,
}

impl SyncLoop {
    /// From where the last batch ended.
    pub(super) fn new(
        client: Client,
        user: OwnedUserId,
        hub: OwnedUserId,
        controls: Arc<ControlRooms>,
        since: Option<String>,
        batches: mpsc::Sender<Batch>,
    ) -> Self {
        let told = controls.known();
        let (seen, failures) = (Seen::default(), HashMap::new());
        let connected = false;
        Self { client, user, hub, controls, since, batches, seen, failures, connected, told }
    }

    /// Runs until stopped, until nobody takes batches, or until the session is refused.
    pub(super) async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), DeliveryError> {
        let mut backoff = Backoff::default();
        while !*stop.borrow() && !self.batches.is_closed() {
            let before = self.seen.clone();
            let turn = tokio::select! {
                _ = stop.changed() => return Ok(()),
                turn = self.turn() => turn,
            };
            let wait = match turn {
                Ok(()) => {
                    backoff.reset();
                    self.failures.clear();
                    continue;
                }
                Err(DeliveryError::Later { after_ms, why }) => {
                    tracing::warn!(why, "not connected");
                    backoff.next(after_ms)
                }
                Err(refused) => return Err(refused),
            };
            // What was noted for the lost batch comes again with the next.
            self.seen = before;
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
        let known = self.controls.known();
        if inputs.is_empty() && invitations.is_empty() && known == self.told {
            self.since = Some(next);
            return Ok(());
        }
        let (done, taken) = oneshot::channel();
        let named = |room: &Option<OwnedRoomId>| room.as_ref().map(ToString::to_string);
        let batch = Batch {
            inputs,
            invitations,
            since: next.clone(),
            control_room: named(&known.hub),
            authority_room: named(&known.authority),
            done,
        };
        if self.batches.send(batch).await.is_err() {
            return Ok(());
        }
        let not_taken = DeliveryError::Later { after_ms: None, why: "a batch was dropped".into() };
        taken.await.map_err(|_| not_taken)?;
        self.connected = true;
        self.told = known;
        self.since = Some(next);
        control_rooms::leave(&self.client, self.controls.take_others(false)).await;
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
        sent.map_err(|error| sync_error(&homeserver_error(&error)))
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
            self.joined_room(&room, joined, &mut inputs).await?;
        }
        for (room, left) in response.rooms.leave {
            self.left_room(&room, left, &mut inputs).await?;
        }
        let invitations = response.rooms.invite.into_iter().filter(|(_, invited)| {
            let state = invited.invite_state.events.iter();
            state
                .filter_map(|raw| parse_event(raw.json().get()))
                .any(|event| marks_our_room(&event))
        });
        let invitations = invitations.map(|(room, _)| RoomAddress::matrix(room.as_str()));
        Ok((inputs, invitations.collect()))
    }

    /// Who judges events.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { hub: &self.hub, controls: &self.controls }
    }
}

/// Whatever the homeserver has against one request: only its own word ends the session.
fn sync_error(error: &HomeserverError) -> DeliveryError {
    if error.ends_session() {
        return refused(error.to_string());
    }
    match error.delivery("following the rooms") {
        DeliveryError::Refused { why } => DeliveryError::Later { after_ms: None, why },
        later @ DeliveryError::Later { .. } => later,
    }
}
