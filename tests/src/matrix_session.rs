//! A Matrix client without MLS: logs in and calls the client-server API by hand.

use serde_json::{Value, json};

use crate::bot::Account;
use crate::deadline::{STEP, until};
use crate::error::RigError;
use crate::http::{Request, encode};
use crate::synapse::SERVER_NAME;

/// One more login of an account.
#[derive(Debug)]
pub struct MatrixSession {
    port: u16,
    token: String,
}

impl MatrixSession {
    /// Logs in with the password.
    pub fn login(port: u16, account: &Account) -> Result<Self, RigError> {
        let session = Self { port, token: String::new() };
        let body = json!({
            "type": "m.login.password", "password": account.password,
            "identifier": {"type": "m.id.user", "user": account.address},
        });
        let answer = session.call("POST", "/_matrix/client/v3/login", &body)?;
        let token = answer["access_token"].as_str().unwrap_or_default().to_owned();
        Ok(Self { port, token })
    }

    /// With the token of a login that was made elsewhere.
    pub fn with_token(port: u16, token: &str) -> Self {
        Self { port, token: token.to_owned() }
    }

    /// Deletes a room as the homeserver's operator: all who are in it are put out.
    pub fn delete_room(&self, room: &str) -> Result<(), RigError> {
        let path = format!("/_synapse/admin/v1/rooms/{}", encode(room));
        self.call("DELETE", &path, &json!({ "purge": false })).map(drop)
    }

    /// One call; an error for every status but 200.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, RigError> {
        let text = if method == "GET" { String::new() } else { body.to_string() };
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        let request = Request { port: self.port, method, path, token, body: text.as_bytes() };
        let answer = request.send()?;
        if answer.status == 200 {
            Ok(answer.json)
        } else {
            Err(RigError::Answer(format!("{method} {path}: {} {}", answer.status, answer.json)))
        }
    }

    /// Kicks, bans or unbans `user` (`action` is `kick`, `ban`, `unban`).
    pub fn moderate(&self, room: &str, action: &str, user: &str) -> Result<(), RigError> {
        let path = format!("/_matrix/client/v3/rooms/{}/{action}", encode(room));
        self.call("POST", &path, &json!({"user_id": user})).map(drop)
    }

    /// Makes a room from the body of `createRoom`, and returns its id.
    pub fn create_room(&self, body: &Value) -> Result<String, RigError> {
        let made = self.call("POST", "/_matrix/client/v3/createRoom", body)?;
        Ok(made["room_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Joins a room that it is invited to.
    pub fn join(&self, room: &str) -> Result<(), RigError> {
        let path = format!("/_matrix/client/v3/join/{}", encode(room));
        self.call("POST", &path, &json!({})).map(drop)
    }

    /// Changes the name that is shown; every room gets an event of that.
    pub fn rename(&self, user: &str, name: &str) -> Result<(), RigError> {
        let path = format!("/_matrix/client/v3/profile/{}/displayname", encode(user));
        self.call("PUT", &path, &json!({"displayname": name})).map(drop)
    }

    /// Leaves a room, as any client does.
    pub fn leave(&self, room: &str) -> Result<(), RigError> {
        let path = format!("/_matrix/client/v3/rooms/{}/leave", encode(room));
        self.call("POST", &path, &json!({})).map(drop)
    }

    /// Sends an event and returns its id.
    pub fn send(
        &self,
        room: &str,
        kind: &str,
        transaction: &str,
        content: &Value,
    ) -> Result<String, RigError> {
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/{}/{}",
            encode(room),
            encode(kind),
            encode(transaction)
        );
        let answer = self.call("PUT", &path, content)?;
        Ok(answer["event_id"].as_str().unwrap_or_default().to_owned())
    }

    /// The newest events of a room, newest first.
    pub fn newest(&self, room: &str) -> Result<Vec<Value>, RigError> {
        let path = format!("/_matrix/client/v3/rooms/{}/messages?dir=b&limit=100", encode(room));
        let answer = self.call("GET", &path, &Value::Null)?;
        Ok(answer["chunk"].as_array().cloned().unwrap_or_default())
    }

    /// The rooms that the account is in, sorted.
    pub fn joined_rooms(&self) -> Result<Vec<String>, RigError> {
        let answer = self.call("GET", "/_matrix/client/v3/joined_rooms", &Value::Null)?;
        let rooms = answer["joined_rooms"].as_array().into_iter().flatten();
        let mut rooms: Vec<_> = rooms.filter_map(Value::as_str).map(str::to_owned).collect();
        rooms.sort();
        Ok(rooms)
    }

    /// The users in a room.
    pub fn joined_members(&self, room: &str) -> Result<Vec<String>, RigError> {
        let path = format!("/_matrix/client/v3/rooms/{}/joined_members", encode(room));
        let answer = self.call("GET", &path, &Value::Null)?;
        let joined = answer["joined"].as_object();
        Ok(joined.map(|map| map.keys().cloned().collect()).unwrap_or_default())
    }

    /// A control room: made, and joined by the hub. Returns its id.
    pub fn control_room(&self) -> Result<String, RigError> {
        let hub = format!("@mls:{SERVER_NAME}");
        let content = json!({
            "preset": "trusted_private_chat", "is_direct": true, "invite": [hub],
            "creation_content": {"type": "dev.mls_bridge.control"},
        });
        let answer = self.call("POST", "/_matrix/client/v3/createRoom", &content)?;
        let room = answer["room_id"].as_str().unwrap_or_default().to_owned();
        let joined = || Ok(self.joined_members(&room)?.contains(&hub).then_some(()));
        until("the hub joins", STEP, joined, String::new)?;
        Ok(room)
    }

    /// Asks the hub in a control room; `request` has an `id`. Returns the content of the answer.
    pub fn ask(&self, control_room: &str, request: &Value) -> Result<Value, RigError> {
        let id = request["id"].as_str().unwrap_or_default();
        self.send(control_room, "dev.mls_bridge.request", id, request)?;
        let answered = || {
            let events = self.newest(control_room)?.into_iter();
            let mut answers = events.filter(|event| event["type"] == "dev.mls_bridge.answer");
            Ok(answers.find(|event| event["content"]["id"] == id))
        };
        let answer = until(&format!("an answer to {id}"), STEP, answered, String::new)?;
        Ok(answer["content"].clone())
    }
}
