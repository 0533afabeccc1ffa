//! Which rooms are control rooms, and whose: asked of the homeserver once, until a member changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_core::delivery::DeliveryError;
use reqwest::Method;
use serde_json::Value;

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::HomeserverError;
use crate::mapping::namespace::{CONTROL_ROOM_TYPE, ROOM_CREATE};

/// Rooms that are remembered.
const ROOMS_MAX: usize = 10_000;

/// The control rooms, by room id; `None` for a room that is none.
pub(super) struct ControlRooms {
    homeserver: Arc<Homeserver>,
    known: Mutex<HashMap<String, Option<String>>>,
}

impl ControlRooms {
    /// With nothing known.
    pub(super) fn new(homeserver: Arc<Homeserver>) -> Self {
        Self { homeserver, known: Mutex::default() }
    }

    /// The membership of a room changed.
    pub(super) fn forget(&self, room: &str) {
        self.lock().remove(room);
    }

    /// The creator of a control room in which exactly the creator and the hub are joined.
    pub(super) async fn creator(&self, room: &str) -> Result<Option<String>, DeliveryError> {
        if let Some(known) = self.lock().get(room) {
            return Ok(known.clone());
        }
        let creator = match self.ask(room).await {
            Err(error) if error.is_no() => None,
            other => other.map_err(|e| e.delivery(&format!("looking at {room}")))?,
        };
        let mut known = self.lock();
        if known.len() >= ROOMS_MAX {
            known.clear();
        }
        known.insert(room.to_owned(), creator.clone());
        Ok(creator)
    }

    /// The type first: the members of a large room are not worth asking for.
    async fn ask(&self, room: &str) -> Result<Option<String>, HomeserverError> {
        let hub = self.homeserver.hub();
        let path = ["_matrix", "client", "v3", "rooms", room, "state", ROOM_CREATE, ""];
        let request = HomeserverRequest::new(Method::GET, &path).by_account(hub);
        let create = self.homeserver.send(request.query("format", "event".to_owned())).await?;
        let room_type = create.pointer("/content/type").and_then(Value::as_str);
        let creator = create.get("sender").and_then(Value::as_str);
        let (Some(CONTROL_ROOM_TYPE), Some(creator)) = (room_type, creator) else {
            return Ok(None);
        };
        let path = ["_matrix", "client", "v3", "rooms", room, "joined_members"];
        let request = HomeserverRequest::new(Method::GET, &path).by_account(hub);
        let members = self.homeserver.send(request).await?;
        let joined = members.get("joined").and_then(Value::as_object);
        let exactly_two = joined.is_some_and(|joined| {
            joined.len() == 2 && joined.contains_key(creator) && joined.contains_key(hub)
        });
        Ok(exactly_two.then(|| creator.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<String>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
