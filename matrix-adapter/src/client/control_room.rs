//! A control room: a direct room of this account and the hub, the authority, or the hub of another domain, in which
//! requests are answered. What is said here of the hub holds of each.
//!
//! The hub is invited by `createRoom` itself, for a later `/invite` counts against the hub's own
//! limit. It is written to only once the hub is in: before that, it would not see the event.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use matrix_sdk::Client;
use mls_core::delivery::DeliveryError;
use mls_core::seal::Sealer;
use mls_core::service::Service;
use ruma::api::client::membership::invite_user::v3 as invite_user;
use ruma::api::client::room::create_room::v3 as create_room;
use ruma::serde::Raw;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{delivery_error, refused, state_content};
use crate::mapping::namespace::{CONTROL_ROOM_TYPE, ROOM_MEMBER};

/// How long one request waits for the hub to come in.
const HUB_DEADLINE: Duration = Duration::from_secs(20);
/// How often the hub's membership is looked at meanwhile.
const HUB_POLL: Duration = Duration::from_millis(250);
/// Answered requests that are remembered.
const ANSWERED_MAX: usize = 4096;

/// Shared by the requests and the /sync loop.
pub(super) struct ControlRoom {
    /// Who answers here.
    pub(super) service: Service,
    hub: OwnedUserId,
    /// Seals requests, and opens answers.
    pub(super) sealer: Sealer,
    room: Mutex<Option<OwnedRoomId>>,
    /// Whether the hub was seen in the room.
    ready: AtomicBool,
    /// Held while the room is made, so that only one is.
    making: tokio::sync::Mutex<()>,
    answered: Mutex<HashMap<String, u32>>,
    /// Tells the transaction ids of this connection from those of earlier ones.
    nonce: String,
    /// Invitations that were sent once more.
    invitations: AtomicU32,
}

enum HubIs {
    Joined,
    Invited,
    Away,
}

impl ControlRoom {
    /// The room known from an earlier connection, if any. The nonce is this connection's alone.
    pub(super) fn new(
        service: Service,
        hub: OwnedUserId,
        sealer: Sealer,
        room: Option<OwnedRoomId>,
        nonce: String,
    ) -> Self {
        Self {
            service,
            hub,
            sealer,
            room: Mutex::new(room),
            ready: AtomicBool::new(false),
            making: tokio::sync::Mutex::new(()),
            answered: Mutex::default(),
            nonce,
            invitations: AtomicU32::new(0),
        }
    }

    /// With whom it is.
    pub(super) fn whom(&self) -> &OwnedUserId {
        &self.hub
    }

    /// The room, if there is one.
    pub(super) fn room(&self) -> Option<OwnedRoomId> {
        lock(&self.room).clone()
    }

    /// We are no longer in `room`: if it was the control room, another is made when needed.
    pub(super) fn left(&self, room: &RoomId) {
        let mut current = lock(&self.room);
        if current.as_deref() == Some(room) {
            *current = None;
        }
    }

    /// Looks again at the next request whether the hub is in the room.
    pub(super) fn doubt(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    /// An answer to request `id` came. Asked once more after that, the request is a new event.
    pub(super) fn answered(&self, id: &str) {
        let mut answered = lock(&self.answered);
        if answered.len() >= ANSWERED_MAX {
            answered.clear();
        }
        *answered.entry(id.to_owned()).or_default() += 1;
    }

    /// Whether anything was answered here.
    pub(super) fn has_answered(&self) -> bool {
        !lock(&self.answered).is_empty()
    }

    /// The transaction id of a request: its id, this connection, and how often it was answered.
    ///
    /// An earlier process may have been told "not now", and the homeserver would give its event
    /// back instead of making one that the hub sees. The hub knows a request by its id.
    pub(super) fn transaction_id(&self, id: &str) -> String {
        let answered = lock(&self.answered).get(id).copied().unwrap_or_default();
        format!("{id}.{}.{answered}", self.nonce)
    }

    /// The room, with the hub in it.
    pub(super) async fn ensure(&self, client: &Client) -> Result<OwnedRoomId, DeliveryError> {
        let _one_at_a_time = self.making.lock().await;
        if let (true, Some(room)) = (self.ready.load(Ordering::Relaxed), self.room()) {
            return Ok(room);
        }
        let mut room = self.room_or_new(client).await?;
        if let HubIs::Away = self.hub_is(client, &room).await? {
            self.left(&room);
            room = self.room_or_new(client).await?;
        }
        let deadline = Instant::now() + HUB_DEADLINE;
        while !matches!(self.hub_is(client, &room).await?, HubIs::Joined) {
            if Instant::now() > deadline {
                self.invite_again(client, &room).await;
                return Err(DeliveryError::Later {
                    after_ms: None,
                    why: format!(
                        "{} does not come into the control room: is it running?",
                        self.hub
                    ),
                });
            }
            tokio::time::sleep(HUB_POLL).await;
        }
        self.ready.store(true, Ordering::Relaxed);
        Ok(room)
    }

    /// The hub may have missed the invitation. The homeserver lets only few of these through, and
    /// none that says the same as the last one (Synapse).
    async fn invite_again(&self, client: &Client, room: &OwnedRoomId) {
        let count = self.invitations.fetch_add(1, Ordering::Relaxed);
        let mut invited = invite_user::InviteUserId::new(self.hub.clone());
        invited.reason = Some(format!("asked again ({}.{count})", self.nonce));
        let recipient = invite_user::InvitationRecipient::UserId(invited);
        let request = invite_user::Request::new(room.clone(), recipient);
        if let Err(error) = client.send(request).await {
            tracing::info!(%error, "the hub cannot be invited again yet");
        }
    }

    async fn room_or_new(&self, client: &Client) -> Result<OwnedRoomId, DeliveryError> {
        if let Some(room) = self.room() {
            return Ok(room);
        }
        let mut request = create_room::Request::new();
        request.name = Some("MLS control room".to_owned());
        request.preset = Some(create_room::RoomPreset::PrivateChat);
        request.is_direct = true;
        request.invite = vec![self.hub.clone()];
        let creation = serde_json::value::to_raw_value(&json!({ "type": CONTROL_ROOM_TYPE }));
        request.creation_content =
            Some(Raw::from_json(creation.map_err(|e| refused(e.to_string()))?));
        let made = client.send(request).await;
        let room = made.map_err(|e| delivery_error("making the control room", &e))?.room_id;
        *lock(&self.room) = Some(room.clone());
        Ok(room)
    }

    async fn hub_is(&self, client: &Client, room: &RoomId) -> Result<HubIs, DeliveryError> {
        let content = state_content(client, room, ROOM_MEMBER, self.hub.as_str()).await?;
        let membership = content.as_ref().and_then(|c| c.get("membership")).and_then(Value::as_str);
        Ok(match membership {
            Some("join") => HubIs::Joined,
            Some("invite") => HubIs::Invited,
            _ => HubIs::Away,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use mls_core::address::UserId;

    use super::*;

    #[test]
    fn a_request_is_a_new_event_after_its_answer_and_in_another_connection() {
        let hub: OwnedUserId = "@mls:hs".try_into().unwrap();
        let sealer =
            Sealer::new(UserId::matrix("@a:hs").unwrap(), &mls_core::crypto::Crypto::system())
                .unwrap();
        let connection = |nonce: &str| {
            let (hub, sealer) = (hub.clone(), sealer.clone());
            ControlRoom::new(Service::Delivery, hub, sealer, None, nonce.to_owned())
        };
        let (first, second) = (connection("1"), connection("2"));
        let before = first.transaction_id("id");
        assert_eq!(first.transaction_id("id"), before);
        assert_ne!(second.transaction_id("id"), before);
        first.answered("id");
        assert_ne!(first.transaction_id("id"), before);
        assert_eq!(second.transaction_id("id"), connection("2").transaction_id("id"));
    }
}
