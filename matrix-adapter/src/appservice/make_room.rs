//! The Matrix room of a new group.

use mls_core::address::Network;
use mls_core::delivery::DeliveryError;
use mls_core::hub::MakeRooms;
use reqwest::Method;
use serde_json::{Value, json};

use super::ghost_account::GhostAccounts;
use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::{HomeserverError, refused};
use super::membership;
use super::relay::default_algorithm;
use crate::mapping::namespace::{
    ALIAS_PREFIX, CREATE_ALGORITHM, GROUP, HANDSHAKE, ROOM_ENCRYPTION,
};

/// In version 12 the creator is above all power levels; in 11 they say all there is.
const ROOM_VERSION: &str = "11";
/// Only the hub has it, so only the hub posts handshakes and bindings.
const HUB_POWER: u32 = 100;
/// Of the group's creator: more than anything else in the room needs, and the hub can still put
/// its account out when its last leaf goes.
const CREATOR_POWER: u32 = 99;

/// Makes the room, or finds the one that was made for the same job; its creator is let in.
pub(super) async fn make_room(
    ghosts: &GhostAccounts,
    make: &MakeRooms,
) -> Result<String, DeliveryError> {
    let homeserver = &*ghosts.homeserver;
    let alias = format!("{ALIAS_PREFIX}{}", make.job);
    let path = ["_matrix", "client", "v3", "createRoom"];
    let request = HomeserverRequest::new(Method::POST, &path).by_account(homeserver.hub());
    let room = match homeserver.send(request.body(body(homeserver, make, &alias)?)).await {
        Ok(made) => room_id(&made),
        Err(error) if error.is("M_ROOM_IN_USE") => find(homeserver, &alias).await,
        Err(error) => Err(error),
    };
    let room = room.map_err(|e| e.delivery("making the room"))?;
    match make.creator.network() {
        Network::Matrix => {
            membership::invite(homeserver, &room, &make.creator.address()).await?;
        }
        Network::Xmpp => {
            ghosts.ensure_in(&make.creator, &room).await?;
        }
    }
    Ok(room)
}

fn body(homeserver: &Homeserver, make: &MakeRooms, alias: &str) -> Result<Value, DeliveryError> {
    let algorithm = default_algorithm()?;
    let mut users = json!({ homeserver.hub(): HUB_POWER });
    let mut invite = Vec::new();
    if make.creator.network() == Network::Matrix {
        let creator = make.creator.address();
        if ruma::UserId::parse(&*creator).is_err() {
            return Err(refused(format!("{creator} is not a Matrix user id")));
        }
        if let Value::Object(users) = &mut users {
            users.insert(creator.clone(), Value::from(CREATOR_POWER));
        }
        invite.push(creator);
    }
    Ok(json!({
        "room_version": ROOM_VERSION,
        "preset": "private_chat",
        "visibility": "private",
        "name": make.rooms.name,
        "room_alias_name": alias,
        "invite": invite,
        "creation_content": { CREATE_ALGORITHM: algorithm },
        "initial_state": [
            { "type": ROOM_ENCRYPTION, "state_key": "", "content": { "algorithm": algorithm } },
            // All members may read back: who was added by a commit before being let into the
            // room must find the messages between the two.
            { "type": "m.room.history_visibility", "state_key": "",
              "content": { "history_visibility": "shared" } },
            { "type": "m.room.guest_access", "state_key": "",
              "content": { "guest_access": "forbidden" } },
        ],
        "power_level_content_override": {
            "users": users,
            "users_default": 0,
            "invite": 50,
            "events": {
                HANDSHAKE: HUB_POWER,
                GROUP: HUB_POWER,
                ROOM_ENCRYPTION: HUB_POWER,
                "m.room.power_levels": CREATOR_POWER,
                "m.room.history_visibility": CREATOR_POWER,
                "m.room.server_acl": CREATOR_POWER,
                "m.room.tombstone": CREATOR_POWER,
                "m.room.name": 50, "m.room.avatar": 50, "m.room.canonical_alias": 50,
            },
        },
    }))
}

async fn find(homeserver: &Homeserver, alias: &str) -> Result<String, HomeserverError> {
    let alias = format!("#{alias}:{}", homeserver.server_name());
    let path = ["_matrix", "client", "v3", "directory", "room", &alias];
    let request = HomeserverRequest::new(Method::GET, &path).by_account(homeserver.hub());
    room_id(&homeserver.send(request).await?)
}

fn room_id(answer: &Value) -> Result<String, HomeserverError> {
    let room = answer.get("room_id").and_then(Value::as_str).map(str::to_owned);
    room.ok_or_else(|| HomeserverError::Unreachable("its answer names no room".to_owned()))
}
