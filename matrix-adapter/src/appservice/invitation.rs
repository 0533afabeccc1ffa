//! Invitations of the hub: into control rooms and rooms of our groups it goes, others it declines.
//!
//! One by an account of our own server is answered before its transaction is, so that no crash
//! forgets it (Synapse has no way to ask for the invitations of an application service's user).
//! Joining a room of another server can take minutes, so that is done beside the transactions;
//! clients invite again when the hub does not come.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::homeserver::{Homeserver, HomeserverRequest};
use crate::mapping::application_message::marks_our_room;
use crate::mapping::namespace::{CONTROL_ROOM_TYPE, ROOM_CREATE, ROOM_ENCRYPTION};
use crate::mapping::room_event::RoomEvent;

/// How long a transaction waits for the answer to an invitation by an account of our own server.
const LOCAL_DEADLINE: Duration = Duration::from_secs(20);
/// Invitations that wait.
const WAITING_MAX: usize = 1024;
/// Rooms joined at the same time.
const AT_ONCE: usize = 8;
/// Attempts of one invitation.
const ATTEMPTS: u32 = 5;
/// Wait before the second attempt; doubled for each next.
const RETRY: Duration = Duration::from_secs(1);

/// Takes invitations and answers them beside everything else.
#[derive(Clone)]
pub(super) struct Invitations(mpsc::Sender<Invitation>);

struct Invitation {
    room: String,
    wanted: bool,
    answered: oneshot::Sender<()>,
}

impl Invitations {
    /// Starts to answer invitations, until stopped.
    pub(super) fn start(homeserver: Arc<Homeserver>, mut stop: watch::Receiver<bool>) -> Self {
        let (sender, mut waiting) = mpsc::channel::<Invitation>(WAITING_MAX);
        tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            loop {
                let next = tokio::select! {
                    _ = stop.changed() => return,
                    next = waiting.recv() => next,
                };
                let Some(invitation) = next else { return };
                while under_way.try_join_next().is_some() {}
                if under_way.len() >= AT_ONCE {
                    under_way.join_next().await;
                }
                under_way.spawn(answer(Arc::clone(&homeserver), invitation));
            }
        });
        Self(sender)
    }

    /// An `m.room.member` event that invites the hub.
    pub(super) async fn offer(&self, event: &RoomEvent, server_name: &str) {
        let state = event.unsigned.get("invite_room_state").and_then(Value::as_array);
        let wanted = state.into_iter().flatten().any(is_ours);
        let (answered, done) = oneshot::channel();
        let invitation = Invitation { room: event.room_id.clone(), wanted, answered };
        if self.0.try_send(invitation).is_err() {
            tracing::warn!(room = event.room_id, "too many invitations wait: this one is dropped");
            return;
        }
        let local = event.sender.split_once(':').is_some_and(|(_, server)| server == server_name);
        if local && tokio::time::timeout(LOCAL_DEADLINE, done).await.is_err() {
            tracing::warn!(room = event.room_id, "an invitation is still being answered");
        }
    }
}

/// Whether a stripped state event says that the room is a control room or one of a group.
fn is_ours(event: &Value) -> bool {
    let Ok(event) = serde_json::from_value::<RoomEvent>(event.clone()) else { return false };
    match event.event_type.as_str() {
        ROOM_CREATE => event.content_text("type") == Some(CONTROL_ROOM_TYPE),
        ROOM_ENCRYPTION => marks_our_room(&event.content),
        _ => false,
    }
}

/// Joins or declines; `answered` ends with this function, however it ends.
async fn answer(homeserver: Arc<Homeserver>, invitation: Invitation) {
    let Invitation { room, wanted, answered: _until_the_end } = invitation;
    let join = ["_matrix", "client", "v3", "join", room.as_str()];
    let decline = ["_matrix", "client", "v3", "rooms", room.as_str(), "leave"];
    let path: &[&str] = if wanted { &join } else { &decline };
    for attempt in 0..ATTEMPTS {
        let request = HomeserverRequest::new(Method::POST, path).by_account(homeserver.hub());
        match homeserver.send(request.body(json!({}))).await {
            Ok(_) => return,
            Err(error) if error.is_no() => {
                tracing::info!(room, %error, "an invitation is no longer there");
                return;
            }
            Err(error) => tracing::warn!(room, %error, wanted, "an invitation is not answered yet"),
        }
        tokio::time::sleep(RETRY.saturating_mul(1 << attempt)).await;
    }
}
