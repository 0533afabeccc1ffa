//! Invitations of the hub: into control rooms and rooms of our groups it goes, others it declines.
//!
//! Joining a room of another server can take minutes, so it is done beside the transactions. What
//! a crash forgets is found again by [`sweep`] at the next start.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::HomeserverError;
use crate::mapping::application_message::marks_our_room;
use crate::mapping::namespace::{CONTROL_ROOM_TYPE, ROOM_CREATE, ROOM_ENCRYPTION};
use crate::mapping::room_event::RoomEvent;

/// Invitations that wait; what is beyond is found at the next start.
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
    pub(super) fn offer(&self, event: &RoomEvent) {
        let state = event.unsigned.get("invite_room_state").and_then(Value::as_array);
        self.take(event.room_id.clone(), state.map(Vec::as_slice).unwrap_or_default());
    }

    fn take(&self, room: String, stripped_state: &[Value]) {
        let wanted = stripped_state.iter().any(is_ours);
        if self.0.try_send(Invitation { room, wanted }).is_err() {
            tracing::warn!("too many invitations wait: more are taken up at the next start");
        }
    }
}

/// Looks for invitations that nobody has answered yet.
pub(super) async fn sweep(
    homeserver: &Homeserver,
    invitations: &Invitations,
) -> Result<(), HomeserverError> {
    let nothing = json!({ "types": [] });
    let room = json!({
        "timeline": { "types": [], "limit": 1 }, "state": nothing, "ephemeral": nothing,
        "account_data": nothing,
    });
    let filter = json!({ "room": room, "presence": nothing, "account_data": nothing });
    let path = ["_matrix", "client", "v3", "sync"];
    let request = HomeserverRequest::new(Method::GET, &path).by_account(homeserver.hub());
    let request = request.query("timeout", "0".to_owned()).query("filter", filter.to_string());
    let answer = homeserver.send(request).await?;
    let invited = answer.pointer("/rooms/invite").and_then(Value::as_object);
    for (room, invited) in invited.into_iter().flatten() {
        let state = invited.pointer("/invite_state/events").and_then(Value::as_array);
        invitations.take(room.clone(), state.map(Vec::as_slice).unwrap_or_default());
    }
    Ok(())
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

async fn answer(homeserver: Arc<Homeserver>, Invitation { room, wanted }: Invitation) {
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
