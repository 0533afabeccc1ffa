//! Invitations of the hub: into control rooms and rooms of our groups it goes, others it declines.
//!
//! One by an account of our own server is answered before its transaction is, so that a crash
//! does not forget it (Synapse has no way to ask for the invitations of an application service's
//! user). Joining a room of another server can take minutes, so those have places of their own,
//! few for each server, and nobody waits for them; clients invite again when the hub does not come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot, watch};

use super::homeserver::{Homeserver, HomeserverRequest};
use crate::mapping::application_message::marks_our_room;
use crate::mapping::namespace::{CONTROL_ROOM_TYPE, ROOM_CREATE, ROOM_ENCRYPTION};
use crate::mapping::room_event::RoomEvent;

/// How long a transaction waits for the answer to an invitation by an account of our own server.
const LOCAL_DEADLINE: Duration = Duration::from_secs(20);
/// Invitations of one other server that wait or are being answered; of our own, [`WAITING_MAX`].
const WAITING_PER_SERVER_MAX: usize = 8;
/// Invitations of all servers that wait or are being answered.
const WAITING_MAX: usize = 1024;
/// Invitations by our own server's accounts, and by all others, that are answered at once.
const AT_ONCE: usize = 8;
/// Attempts of one invitation.
const ATTEMPTS: u32 = 5;
/// Wait before the second attempt; doubled for each next.
const RETRY: Duration = Duration::from_secs(1);

/// Takes invitations and answers them beside everything else.
#[derive(Clone)]
pub(super) struct Invitations {
    homeserver: Arc<Homeserver>,
    stop: watch::Receiver<bool>,
    /// How many of each server are not answered yet.
    waiting: Arc<Mutex<HashMap<String, usize>>>,
    local: Arc<Semaphore>,
    remote: Arc<Semaphore>,
}

/// An invitation that is being answered.
pub(super) struct Answering(oneshot::Receiver<()>);

impl Answering {
    /// Waits until it is answered, but not for long.
    pub(super) async fn wait(self) {
        if tokio::time::timeout(LOCAL_DEADLINE, self.0).await.is_err() {
            tracing::warn!("an invitation is still being answered");
        }
    }
}

impl Invitations {
    /// With none to answer; those under way end when stopped.
    pub(super) fn new(homeserver: Arc<Homeserver>, stop: watch::Receiver<bool>) -> Self {
        let places = || Arc::new(Semaphore::new(AT_ONCE));
        Self { homeserver, stop, waiting: Arc::default(), local: places(), remote: places() }
    }

    /// An `m.room.member` event that invites the hub; returns what to wait for, if anything.
    pub(super) fn offer(&self, event: &RoomEvent) -> Option<Answering> {
        let state = event.unsigned.get("invite_room_state").and_then(Value::as_array);
        let wanted = state.into_iter().flatten().any(is_ours);
        let server = event.sender.split_once(':').map_or("", |(_, server)| server).to_owned();
        let local = server == self.homeserver.server_name();
        let room = event.room_id.clone();
        let Some(place) = self.take_place(server, local) else {
            tracing::warn!(room, "too many invitations wait: this one is dropped");
            return None;
        };
        let (answered, done) = oneshot::channel::<()>();
        let places = Arc::clone(if local { &self.local } else { &self.remote });
        let (homeserver, mut stop) = (Arc::clone(&self.homeserver), self.stop.clone());
        tokio::spawn(async move {
            let (_place, _answered) = (place, answered);
            let answering = async {
                // The semaphore is never closed.
                let _one_of_few = places.acquire().await;
                answer(&homeserver, &room, wanted).await;
            };
            tokio::select! {
                () = answering => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
        local.then_some(Answering(done))
    }

    /// A place among those that wait, if there is one for this server.
    fn take_place(&self, server: String, local: bool) -> Option<Place> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = waiting.values().sum();
        let own = waiting.get(&server).copied().unwrap_or(0);
        if all >= WAITING_MAX || (!local && own >= WAITING_PER_SERVER_MAX) {
            return None;
        }
        waiting.insert(server.clone(), own + 1);
        Some(Place { server, waiting: Arc::clone(&self.waiting) })
    }
}

/// A place among the invitations that wait; dropped, it is free again.
struct Place {
    server: String,
    waiting: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get(&self.server).copied() {
            Some(count @ 2..) => drop(waiting.insert(self.server.clone(), count - 1)),
            _ => drop(waiting.remove(&self.server)),
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

/// Joins or declines.
async fn answer(homeserver: &Homeserver, room: &str, wanted: bool) {
    let join = ["_matrix", "client", "v3", "join", room];
    let decline = ["_matrix", "client", "v3", "rooms", room, "leave"];
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

#[cfg(test)]
mod tests {
    use url::Url;
    use zeroize::Zeroizing;

    use super::super::setup::AppserviceSetup;
    use super::*;

    #[tokio::test]
    async fn a_server_that_hangs_takes_its_own_places_only() {
        let setup = AppserviceSetup {
            listen: ([127, 0, 0, 1], 0).into(),
            homeserver: Url::parse("https://hs.invalid").unwrap(),
            server_name: "hs".to_owned(),
            as_token: Zeroizing::new("as".to_owned()),
            hs_token: Zeroizing::new("hs".to_owned()),
            sender_localpart: "mls".to_owned(),
            has_rooms: true,
        };
        let (stop, stopped) = watch::channel(false);
        let homeserver = Arc::new(Homeserver::new(&setup).unwrap());
        let invitations = Invitations::new(homeserver, stopped);
        let place = |server: &str| invitations.take_place(server.to_owned(), server == "hs");
        let evil: Vec<_> = (0..WAITING_PER_SERVER_MAX).map(|_| place("evil").unwrap()).collect();
        assert!(place("evil").is_none());
        let others: Vec<_> = (0..100).map(|_| place("hs").unwrap()).collect();
        assert!(place("good").is_some());
        drop(evil);
        assert!(place("evil").is_some());
        drop(others);
        assert!(invitations.waiting.lock().unwrap().is_empty());
        stop.send_replace(true);
    }
}
