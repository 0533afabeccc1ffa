//! A message of the other network, posted under its sender's ghost: once, with its own time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use mls_core::delivery::DeliveryError;
use mls_core::hub::Relay;
use mls_core::policy::CIPHER_SUITES;
use reqwest::Method;
use serde_json::{Value, json};

use super::ghost_account::GhostAccounts;
use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::{HomeserverError, refused};
use super::membership::state;
use crate::mapping::namespace::{ROOM_ENCRYPTED, ROOM_ENCRYPTION, algorithm, suite_of};
use crate::mapping::{application_message, json::base64_text};
use crate::transport::transaction_id;

/// Homeservers keep transaction ids for a day (Synapse: 24 hours); beyond this age an entry that
/// was tried is looked for in the room first.
const TRANSACTION_IDS_KEPT_MS: u64 = 20 * 60 * 60 * 1000;
/// Pages of the ghost's messages that are searched.
const SEARCH_PAGES: usize = 20;
/// Rooms whose algorithm is remembered.
const ROOMS_MAX: usize = 10_000;

/// The algorithms of rooms, asked of the homeserver once.
pub(super) struct Algorithms {
    homeserver: Arc<Homeserver>,
    known: Mutex<HashMap<String, String>>,
}

impl Algorithms {
    /// With nothing known.
    pub(super) fn new(homeserver: Arc<Homeserver>) -> Self {
        Self { homeserver, known: Mutex::default() }
    }

    /// The marker of a room may have changed.
    pub(super) fn forget(&self, room: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(room);
    }

    /// The algorithm that marks a room; the default suite's where it has none of ours.
    async fn of(&self, room: &str) -> Result<String, DeliveryError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(room) {
            return Ok(known.clone());
        }
        let marker = state(&self.homeserver, room, ROOM_ENCRYPTION, "").await?;
        let named = marker.as_ref().and_then(|m| m.get("algorithm")).and_then(Value::as_str);
        let named = match named.filter(|name| suite_of(name).is_some()) {
            Some(name) => name.to_owned(),
            None => default_algorithm()?,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ROOMS_MAX {
            known.clear();
        }
        known.insert(room.to_owned(), named.clone());
        Ok(named)
    }
}

/// The algorithm of new rooms: that of the suite which everybody must have.
pub(super) fn default_algorithm() -> Result<String, DeliveryError> {
    let suite = CIPHER_SUITES.first().map(|suite| u16::from(*suite));
    suite.and_then(algorithm).ok_or_else(|| refused("the policy names no cipher suite".to_owned()))
}

/// Posts the message, if it is not in the room yet.
pub(super) async fn relay(
    ghosts: &GhostAccounts,
    algorithms: &Algorithms,
    relay: &Relay,
    tried_before: bool,
) -> Result<(), DeliveryError> {
    let room = relay.room.address.as_str();
    let algorithm = algorithms.of(room).await?;
    let ghost = ghosts.ensure_in(&relay.sender, room).await?;
    let old = now_ms().saturating_sub(relay.sent_ms) > TRANSACTION_IDS_KEPT_MS;
    let failed = |e: HomeserverError| e.delivery(&format!("a message in {room}"));
    if tried_before && old {
        let found = is_in_room(&ghosts.homeserver, &ghost, relay).await;
        if found.map_err(failed)? {
            return Ok(());
        }
    }
    match post(&ghosts.homeserver, &ghost, &algorithm, relay).await {
        Err(error) if error.is_no() || error.is("M_UNKNOWN_DEVICE") => {
            // It was put out, or its device is gone: make it ready again, once.
            ghosts.forget(&ghost, room);
            ghosts.ensure_in(&relay.sender, room).await?;
            post(&ghosts.homeserver, &ghost, &algorithm, relay).await.map_err(failed)
        }
        other => other.map_err(failed),
    }
}

async fn post(
    homeserver: &Homeserver,
    ghost: &str,
    algorithm: &str,
    relay: &Relay,
) -> Result<(), HomeserverError> {
    let room = relay.room.address.as_str();
    // Synapse counts ids by path alone: the ghost must be in the id.
    let transaction = transaction_id(&[ghost.as_bytes(), room.as_bytes(), &relay.id.0]);
    let path = ["_matrix", "client", "v3", "rooms", room, "send", ROOM_ENCRYPTED, &transaction];
    let request = HomeserverRequest::new(Method::PUT, &path).by(ghost);
    let request = request.query("ts", relay.sent_ms.min(now_ms()).to_string());
    let content = application_message::encode(algorithm, &relay.message, relay.checkpoint.as_ref());
    homeserver.send(request.body(content)).await.map(|_| ())
}

/// Whether the ghost's messages in the room hold this one already.
async fn is_in_room(
    homeserver: &Homeserver,
    ghost: &str,
    relay: &Relay,
) -> Result<bool, HomeserverError> {
    let path = ["_matrix", "client", "v3", "rooms", &*relay.room.address, "messages"];
    let filter = json!({ "senders": [ghost], "types": [ROOM_ENCRYPTED] }).to_string();
    let ciphertext = base64_text(&relay.message);
    let mut from = None;
    for _ in 0..SEARCH_PAGES {
        let mut request = HomeserverRequest::new(Method::GET, &path)
            .by(ghost)
            .query("dir", "b".to_owned())
            .query("limit", "100".to_owned())
            .query("filter", filter.clone());
        if let Some(from) = from.take() {
            request = request.query("from", from);
        }
        let page = homeserver.send(request).await?;
        let events = page.get("chunk").and_then(Value::as_array);
        let said = |event: &Value| {
            event.pointer("/content/ciphertext").and_then(Value::as_str) == Some(&*ciphertext)
        };
        if events.into_iter().flatten().any(said) {
            return Ok(true);
        }
        from = page.get("end").and_then(Value::as_str).map(str::to_owned);
        if from.is_none() {
            break;
        }
    }
    Ok(false)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
