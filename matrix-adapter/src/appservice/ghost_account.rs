//! The ghosts' accounts: registered, with one device and a name, and in the rooms where they speak.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_core::address::UserId;
use mls_core::delivery::DeliveryError;
use reqwest::Method;
use serde_json::json;

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::{HomeserverError, refused};
use super::membership;
use crate::mapping::namespace::APPSERVICE_DEVICE;

/// Ghosts, and ghosts in rooms, that are remembered.
const KNOWN_MAX: usize = 100_000;

/// Which ghosts are known to be ready.
pub(super) struct GhostAccounts {
    /// The homeserver that they live on.
    pub(super) homeserver: Arc<Homeserver>,
    ready: Mutex<HashSet<String>>,
    joined: Mutex<HashSet<(String, String)>>,
}

impl GhostAccounts {
    /// With nothing known.
    pub(super) fn new(homeserver: Arc<Homeserver>) -> Self {
        Self { homeserver, ready: Mutex::default(), joined: Mutex::default() }
    }

    /// The ghost of an account, with its device and its name.
    pub(super) async fn ensure(&self, user: &UserId) -> Result<String, DeliveryError> {
        let ghost = self
            .homeserver
            .ghost(user)
            .ok_or_else(|| refused(format!("{user} is on Matrix and needs no ghost")))?;
        if lock(&self.ready).contains(&ghost) {
            return Ok(ghost);
        }
        let failed = |e: HomeserverError| e.delivery(&format!("making the ghost {ghost}"));
        register(&self.homeserver, &ghost).await.map_err(failed)?;
        let path = ["_matrix", "client", "v3", "profile", &ghost, "displayname"];
        let request = HomeserverRequest::new(Method::PUT, &path).by_account(&ghost);
        let named = json!({ "displayname": user.address() });
        self.homeserver.send(request.body(named)).await.map_err(failed)?;
        remember(&self.ready, ghost.clone());
        Ok(ghost)
    }

    /// The ghost of an account, joined to a room; the hub invites it where it must.
    pub(super) async fn ensure_in(
        &self,
        user: &UserId,
        room: &str,
    ) -> Result<String, DeliveryError> {
        let ghost = self.ensure(user).await?;
        let place = (ghost.clone(), room.to_owned());
        if lock(&self.joined).contains(&place) {
            return Ok(ghost);
        }
        match self.join(&ghost, room).await {
            Err(error) if error.is_no() => {
                membership::invite(&self.homeserver, room, &ghost).await?;
                let joined = self.join(&ghost, room).await;
                joined.map_err(|e| e.delivery(&format!("{ghost} joining {room}")))?;
            }
            other => other.map_err(|e| e.delivery(&format!("{ghost} joining {room}")))?,
        }
        remember(&self.joined, place);
        Ok(ghost)
    }

    /// The homeserver says that it is not as we thought: look again.
    pub(super) fn forget(&self, ghost: &str, room: &str) {
        lock(&self.ready).remove(ghost);
        lock(&self.joined).remove(&(ghost.to_owned(), room.to_owned()));
    }

    async fn join(&self, ghost: &str, room: &str) -> Result<(), HomeserverError> {
        let path = ["_matrix", "client", "v3", "join", room];
        let request = HomeserverRequest::new(Method::POST, &path).by_account(ghost);
        self.homeserver.send(request.body(json!({}))).await.map(|_| ())
    }
}

/// Registers an account of ours, if it is not, and makes its one device; `true` if it is new.
pub(super) async fn register(
    homeserver: &Homeserver,
    user_id: &str,
) -> Result<bool, HomeserverError> {
    let localpart = user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
    let path = ["_matrix", "client", "v3", "register"];
    // No login: no token that could leak, and servers with OAuth refuse anything else.
    let body = json!({
        "type": "m.login.application_service", "username": localpart, "inhibit_login": true,
    });
    let registered = homeserver.send(HomeserverRequest::new(Method::POST, &path).body(body)).await;
    let new = match registered {
        Ok(_) => true,
        Err(error) if error.is("M_USER_IN_USE") => false,
        Err(error) => return Err(error),
    };
    let path = ["_matrix", "client", "v3", "devices", APPSERVICE_DEVICE];
    let request = HomeserverRequest::new(Method::PUT, &path).by_account(user_id);
    homeserver.send(request.body(json!({ "display_name": "mls-bridge" }))).await?;
    Ok(new)
}

fn remember<T: Eq + std::hash::Hash>(known: &Mutex<HashSet<T>>, entry: T) {
    let mut known = lock(known);
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
    known.insert(entry);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
