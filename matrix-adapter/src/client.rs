//! The connection of a user's device: requests and answers in a control room, messages in rooms,
//! Welcomes to the device, key packages at the homeserver.
//!
//! [`log_in`] once, keep the [`Session`]; then [`Connection::connect`]. What comes in arrives as
//! [`Batch`]es: handle one, commit its `since` together with what it changed, fire `done`; only
//! then does the next /sync go out, so that a crash repeats a batch and never loses one.

mod backfill;
mod batch;
mod control_room;
mod control_rooms;
mod failed_request;
mod login;
mod rooms;
mod seen;
mod setup;
mod sync_filter;
mod sync_loop;
mod upload;

#[cfg(test)]
mod tests;

pub use login::{LoginError, LoginRequest, Session, log_in};
pub use setup::{Batch, ClientSetup};

use std::sync::Arc;
use std::time::Duration;

use matrix_sdk::Client;
use mls_core::address::{Network, RoomAddress};
use mls_core::delivery::DeliveryError;
use mls_core::limits::STANZA_BYTES_MAX;
use mls_core::member::{KeyPackageUpload, OutgoingMessage};
use mls_core::service::Service;
use mls_core::wire::{Request, RequestId};
use ruma::api::client::membership::{join_room_by_id, leave_room};
use ruma::api::client::message::send_message_event;
use ruma::api::client::state::get_state_event_for_key;
use ruma::serde::Raw;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use self::control_rooms::{ControlRooms, Known};
use self::failed_request::{delivery_error, homeserver_error};
use self::sync_loop::SyncLoop;
use crate::homeserver_error::refused;
use crate::mapping::room_event::RoomEvent;
use crate::mapping::{application_message, namespace, request};
use crate::transport::transaction_id;

/// How long the end of a connection waits for rooms to be left.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);

/// A live connection; dropping it ends it.
pub struct Connection {
    client: Client,
    user: OwnedUserId,
    device: String,
    controls: Arc<ControlRooms>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), DeliveryError>>,
}

impl Connection {
    /// Restores the session and starts to follow the account's rooms; batches wait in the
    /// receiver. Works while the homeserver is away: it is tried again until it answers.
    ///
    /// The receiver ends when the session is no longer valid; [`Connection::stop`] then says why.
    pub async fn connect(
        setup: ClientSetup,
    ) -> Result<(Self, mpsc::Receiver<Batch>), DeliveryError> {
        let client = login::restore(&setup.session).await?;
        let user = parse::<OwnedUserId>(&setup.session.user_id, "the session's user id")?;
        let hub = parse::<OwnedUserId>(&setup.hub, "the hub")?;
        let known =
            |room: Option<String>| room.map(|room| parse(&room, "a control room")).transpose();
        let known =
            Known { hub: known(setup.control_room)?, authority: known(setup.authority_room)? };
        let nonce = getrandom::u64().map_err(|e| refused(format!("no random numbers: {e}")))?;
        let nonce = format!("{nonce:016x}");
        let controls = Arc::new(ControlRooms::new(hub.clone(), setup.sealer, known, nonce));
        let (batches, receiver) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let sync = SyncLoop::new(
            client.clone(),
            user.clone(),
            hub,
            Arc::clone(&controls),
            setup.since,
            batches,
        );
        let task = tokio::spawn(sync.run(stopped));
        let device = setup.session.device_id;
        Ok((Self { client, user, device, controls, stop, task }, receiver))
    }

    /// Asks a service, in its control room, which is made first if there is none. The answer comes
    /// in a [`Batch`]. The same id again is the same event in this connection, unless it was
    /// answered in between; the service answers one id once, however many events ask.
    pub async fn request(
        &self,
        to: &Service,
        id: &RequestId,
        request: &Request,
    ) -> Result<(), DeliveryError> {
        let control = self.controls.with(to)?;
        let content = request::encode(id, &control.sealer.seal(to, id, request)?);
        let room = control.ensure(&self.client).await?;
        let transaction = control.transaction_id(id);
        let sent = self.post(&room, namespace::REQUEST, &transaction, &content).await;
        if matches!(sent, Err(DeliveryError::Refused { .. })) {
            // Perhaps we are no longer in that room: look again before the next request.
            control.doubt();
        }
        sent
    }

    /// Posts an application message. The same message again is the same event.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<(), DeliveryError> {
        let room = matrix_room(&message.room)?;
        let algorithm = namespace::algorithm(message.suite)
            .ok_or_else(|| refused(format!("there is no cipher suite {}", message.suite)))?;
        let content =
            application_message::encode(&algorithm, &message.message, message.checkpoint.as_ref());
        let transaction = transaction_id(&[b"message", &message.id.0]);
        self.post(&room, namespace::ROOM_ENCRYPTED, &transaction, &content).await
    }

    /// Announces the device as one that speaks MLS and uploads key packages; gives back how many
    /// one-time packages of that suite the homeserver now has.
    ///
    /// `sign` signs bytes with the MLS signature key whose public half is in `upload`; it is
    /// asked once, for the device keys (see [`crate::mapping::device_keys`]).
    pub async fn upload_key_packages(
        &self,
        upload: &KeyPackageUpload,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<u32, DeliveryError> {
        let request = upload::request(&self.user, &self.device, upload, sign)?;
        upload::send(&self.client, request, upload.suite).await
    }

    /// Accepts the invitation to a room; to be in it already is fine.
    pub async fn join_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        let room = matrix_room(room)?;
        let joined = self.client.send(join_room_by_id::v3::Request::new(room.clone())).await;
        joined.map(|_| ()).map_err(|e| delivery_error(&format!("joining {room}"), &e))
    }

    /// Leaves a room, or declines an invitation; not to be in it is fine.
    pub async fn leave_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        let room = matrix_room(room)?;
        match self.client.send(leave_room::v3::Request::new(room.clone())).await {
            Ok(_) => Ok(()),
            Err(error) if homeserver_error(&error).is_no() => Ok(()),
            Err(error) => Err(delivery_error(&format!("leaving {room}"), &error)),
        }
    }

    /// Stops following; what is in the receiver stays valid. An error says why the connection
    /// had ended by itself.
    pub async fn stop(mut self) -> Result<(), DeliveryError> {
        self.stop.send_replace(true);
        let rooms = control_rooms::leave(&self.client, self.controls.take_others(true));
        // A homeserver that is away holds up nobody.
        let _ = tokio::time::timeout(LEAVE_DEADLINE, rooms).await;
        (&mut self.task).await.unwrap_or(Ok(()))
    }

    async fn post(
        &self,
        room: &OwnedRoomId,
        event_type: &str,
        transaction: &str,
        content: &Value,
    ) -> Result<(), DeliveryError> {
        let what = format!("{event_type} in {room}");
        let body = serde_json::value::to_raw_value(content).map_err(|e| refused(e.to_string()))?;
        if body.get().len() > STANZA_BYTES_MAX {
            return Err(refused(format!(
                "{what} has {} bytes, at most {STANZA_BYTES_MAX} travel in one event",
                body.get().len()
            )));
        }
        let request = send_message_event::v3::Request::new_raw(
            room.clone(),
            transaction.into(),
            event_type.into(),
            Raw::from_json(body),
        );
        let sent = self.client.send(request).await;
        sent.map(|_| ()).map_err(|e| delivery_error(&what, &e))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The content of a state event; `None` if there is none, or we may not see it.
async fn state_content(
    client: &Client,
    room: &RoomId,
    event_type: &str,
    state_key: &str,
) -> Result<Option<Value>, DeliveryError> {
    let request = get_state_event_for_key::v3::Request::new(
        room.to_owned(),
        event_type.into(),
        state_key.to_owned(),
    );
    match client.send(request).await {
        Ok(response) => Ok(serde_json::from_str(response.event_or_content.get()).ok()),
        Err(error) if homeserver_error(&error).is_no() => Ok(None),
        Err(error) => Err(delivery_error(&format!("reading {event_type} of {room}"), &error)),
    }
}

/// The outer form of an event; one that has none is passed over.
fn parse_event(json: &str) -> Option<RoomEvent> {
    match serde_json::from_str(json) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::warn!(%error, "a malformed event is passed over");
            None
        }
    }
}

fn matrix_room(room: &RoomAddress) -> Result<OwnedRoomId, DeliveryError> {
    if room.network != Network::Matrix {
        return Err(refused(format!("{room} is not a Matrix room")));
    }
    parse(&room.address, "the room")
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, DeliveryError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e| refused(format!("{what} {text:?} is not valid: {e}")))
}
