//! What the hub says in its own name: answers, notices to devices, handshakes in rooms.

use mls_core::address::Network;
use mls_core::crypto::Crypto;
use mls_core::delivery::DeliveryError;
use mls_core::hub::{AnswerEffect, Notify, PostHandshake, Reply, ReplyTo};
use mls_core::limits::INLINE_BYTES_MAX;
use mls_core::wire::Notice;
use mls_core::wire::refusal::Refusal;
use reqwest::Method;
use serde_json::{Value, json};

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::{HomeserverError, refused};
use crate::mapping::namespace::ANSWER;
use crate::mapping::{answer as answer_mapping, notice};
use crate::transport::transaction_id;

/// Answers in the control room. The same answer to the same request is the same event, but for
/// "not now": the client asks again under the same id, and must see each answer.
pub(super) async fn answer(
    homeserver: &Homeserver,
    answer: &AnswerEffect,
) -> Result<(), DeliveryError> {
    let ReplyTo::ControlRoom(room) = &answer.to else {
        return Err(refused("an answer to XMPP cannot go through Matrix".to_owned()));
    };
    let reply = &answer.reply;
    let content = answer_mapping::encode(&answer.id, reply);
    let nonce = match reply {
        Reply::Refused(Refusal::RateLimited(_) | Refusal::Unavailable(_)) => {
            Crypto::system().random_bytes(16).map_err(|e| refused(e.to_string()))?
        }
        _ => Vec::new(),
    };
    let text = content.to_string();
    let transaction = transaction_id(&[b"answer", room.as_bytes(), text.as_bytes(), &nonce]);
    match post(homeserver, room, ANSWER, &transaction, content).await {
        Err(error) if error.is("M_TOO_LARGE") && !matches!(reply, Reply::Refused(_)) => {
            // Never silence: the client would ask for ever.
            let limit = u32::try_from(INLINE_BYTES_MAX).unwrap_or(u32::MAX);
            let content =
                answer_mapping::encode(&answer.id, &Reply::Refused(Refusal::TooLarge(limit)));
            let transaction = transaction_id(&[b"too large", transaction.as_bytes()]);
            post(homeserver, room, ANSWER, &transaction, content).await
        }
        other => other,
    }
    .map_err(|e| e.delivery(&format!("answering in {room}")))
}

/// Sends a notice to one device. The homeserver keeps it until the device has read it.
pub(super) async fn notify(homeserver: &Homeserver, notify: &Notify) -> Result<(), DeliveryError> {
    if notify.to.network() != Network::Matrix {
        return Err(refused(format!("{} is not on Matrix", notify.to)));
    }
    let (event_type, content) = notice::encode(&notify.notice);
    let (user, device) = (notify.to.user().address(), notify.to.device());
    let transaction = transaction_id(&[b"notice", &notify.id.0]);
    let path = ["_matrix", "client", "v3", "sendToDevice", event_type, &transaction];
    let request = HomeserverRequest::new(Method::PUT, &path).by(homeserver.hub());
    let body = json!({ "messages": { user: { device: content } } });
    let sent = homeserver.send(request.body(body)).await;
    sent.map(|_| ()).map_err(|e| e.delivery(&format!("a notice to {}", notify.to)))
}

/// Posts a handshake into a room. A repeat is harmless: its receipt says which it is.
pub(super) async fn post_handshake(
    homeserver: &Homeserver,
    handshake: &PostHandshake,
) -> Result<(), DeliveryError> {
    let room = &handshake.room.address;
    let (event_type, content) = notice::encode(&Notice::Handshake(handshake.handshake.clone()));
    let transaction = transaction_id(&[b"handshake", &handshake.id.0]);
    let posted = post(homeserver, room, event_type, &transaction, content).await;
    posted.map_err(|e| e.delivery(&format!("a handshake in {room}")))
}

async fn post(
    homeserver: &Homeserver,
    room: &str,
    event_type: &str,
    transaction: &str,
    content: Value,
) -> Result<(), HomeserverError> {
    let path = ["_matrix", "client", "v3", "rooms", room, "send", event_type, transaction];
    let request = HomeserverRequest::new(Method::PUT, &path).by(homeserver.hub());
    homeserver.send(request.body(content)).await.map(|_| ())
}
