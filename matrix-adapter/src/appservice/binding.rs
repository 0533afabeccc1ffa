//! Writing the binding of a room to its group into the room's state.

use mls_core::delivery::DeliveryError;
use mls_core::hub::BindRoom;
use reqwest::Method;
use serde_json::{Value, json};

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::refused;
use super::membership::state;
use crate::mapping::group_state::{self, GroupState};
use crate::mapping::namespace::{GROUP, ROOM_ENCRYPTION, algorithm};

/// Names the group, and marks the room with the group's suite if it is marked otherwise.
pub(super) async fn bind(homeserver: &Homeserver, bind: &BindRoom) -> Result<(), DeliveryError> {
    let room = bind.room.address.as_str();
    let algorithm = algorithm(bind.suite)
        .ok_or_else(|| refused(format!("there is no cipher suite {}", bind.suite)))?;
    let marker = state(homeserver, room, ROOM_ENCRYPTION, "").await?;
    let marked = marker.as_ref().and_then(|m| m.get("algorithm")).and_then(Value::as_str);
    if marked != Some(&*algorithm) {
        let content = json!({ "algorithm": algorithm });
        write(homeserver, room, ROOM_ENCRYPTION, content).await?;
    }
    let binding = GroupState {
        group: bind.group.clone(),
        hub: homeserver.hub().to_owned(),
        receipt_key: bind.receipt_key.clone(),
    };
    write(homeserver, room, GROUP, group_state::encode(&binding)).await
}

async fn write(
    homeserver: &Homeserver,
    room: &str,
    event_type: &str,
    content: Value,
) -> Result<(), DeliveryError> {
    let path = ["_matrix", "client", "v3", "rooms", room, "state", event_type, ""];
    let request = HomeserverRequest::new(Method::PUT, &path).by_account(homeserver.hub());
    let written = homeserver.send(request.body(content)).await;
    written.map(|_| ()).map_err(|e| e.delivery(&format!("writing {event_type} of {room}")))
}
