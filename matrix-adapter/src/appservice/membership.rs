//! Letting accounts into rooms and putting them out, and reading who is there.

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{Admit, Expel, Input};
use reqwest::Method;
use serde_json::{Value, json};

use super::ghost_account::GhostAccounts;
use super::homeserver::{Homeserver, HomeserverRequest};
use crate::mapping::namespace::ROOM_MEMBER;
use crate::mapping::room_event::RoomEvent;

/// Invites an account of Matrix; lets the ghost of an account of the other network in.
pub(super) async fn admit(ghosts: &GhostAccounts, admit: &Admit) -> Result<(), DeliveryError> {
    let room = &admit.room.address;
    match admit.user.network() {
        Network::Matrix => invite(&ghosts.homeserver, room, &admit.user.address()).await,
        Network::Xmpp => ghosts.ensure_in(&admit.user, room).await.map(|_| ()),
    }
}

/// Kicks an account of Matrix; lets the ghost of an account of the other network leave. To be out
/// already is fine.
pub(super) async fn expel(ghosts: &GhostAccounts, expel: &Expel) -> Result<(), DeliveryError> {
    let (homeserver, room) = (&*ghosts.homeserver, expel.room.address.as_str());
    let ghost = homeserver.ghost(&expel.user);
    let user = ghost.clone().unwrap_or_else(|| expel.user.address());
    if !is_listed(homeserver, room, &user).await? {
        return Ok(());
    }
    let path = |action| ["_matrix", "client", "v3", "rooms", room, action];
    let done = if let Some(ghost) = &ghost {
        ghosts.forget(ghost, room);
        let path = path("leave");
        let request = HomeserverRequest::new(Method::POST, &path).by_account(ghost);
        homeserver.send(request.body(json!({ "reason": expel.why }))).await
    } else {
        let path = path("kick");
        let request = HomeserverRequest::new(Method::POST, &path).by_account(homeserver.hub());
        homeserver.send(request.body(json!({ "user_id": user, "reason": expel.why }))).await
    };
    done.map(|_| ()).map_err(|e| e.delivery(&format!("putting {user} out of {room}")))
}

/// Invites a user, in the hub's name; to be in the room or invited already is fine.
pub(super) async fn invite(
    homeserver: &Homeserver,
    room: &str,
    user: &str,
) -> Result<(), DeliveryError> {
    if is_listed(homeserver, room, user).await? {
        return Ok(());
    }
    let path = ["_matrix", "client", "v3", "rooms", room, "invite"];
    let request = HomeserverRequest::new(Method::POST, &path).by_account(homeserver.hub());
    let invited = homeserver.send(request.body(json!({ "user_id": user }))).await;
    match invited {
        // They may have come in between.
        Err(error) if error.is_no() && is_listed(homeserver, room, user).await? => Ok(()),
        other => other.map(|_| ()).map_err(|e| e.delivery(&format!("inviting {user} to {room}"))),
    }
}

/// The list of a room: who is joined or invited, without ghosts and the hub.
pub(super) async fn list(
    homeserver: &Homeserver,
    room: &RoomAddress,
) -> Result<Input, DeliveryError> {
    let path = ["_matrix", "client", "v3", "rooms", &*room.address, "members"];
    let request = HomeserverRequest::new(Method::GET, &path).by_account(homeserver.hub());
    let answer = homeserver.send(request.query("not_membership", "leave".to_owned())).await;
    let mut answer = answer.map_err(|e| e.delivery(&format!("the list of {room}")))?;
    let events = match answer.get_mut("chunk").map(Value::take) {
        Some(Value::Array(events)) => events,
        _ => Vec::new(),
    };
    let users = events.into_iter().filter_map(|event| {
        let event: RoomEvent = serde_json::from_value(event).ok()?;
        let user = event.state_key.as_deref()?;
        let listed = matches!(event.content_text("membership"), Some("join" | "invite"));
        let native = user != homeserver.hub() && !homeserver.is_ghost(user);
        if listed && native { UserId::matrix(user).ok() } else { None }
    });
    Ok(Input::Listed { room: room.clone(), users: users.collect() })
}

/// The content of a state event, as the hub sees it; `None` if there is none, or not for us.
pub(super) async fn state(
    homeserver: &Homeserver,
    room: &str,
    event_type: &str,
    state_key: &str,
) -> Result<Option<Value>, DeliveryError> {
    let path = ["_matrix", "client", "v3", "rooms", room, "state", event_type, state_key];
    let request = HomeserverRequest::new(Method::GET, &path).by_account(homeserver.hub());
    match homeserver.send(request).await {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.is_no() => Ok(None),
        Err(error) => Err(error.delivery(&format!("reading {event_type} of {room}"))),
    }
}

/// Whether a user is joined or invited now; `false` also where we may not know.
pub(super) async fn is_listed(
    homeserver: &Homeserver,
    room: &str,
    user: &str,
) -> Result<bool, DeliveryError> {
    let member = state(homeserver, room, ROOM_MEMBER, user).await?;
    let membership = member.as_ref().and_then(|m| m.get("membership")).and_then(Value::as_str);
    Ok(matches!(membership, Some("join" | "invite")))
}
