//! A connection to a homeserver that answers as each test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, Uri};
use mls_core::address::UserId;
use mls_core::delivery::DeliveryError;
use mls_core::member::Input;
use mls_core::seal::Sealer;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{Batch, ClientSetup, Connection, Session};
use crate::mapping::namespace::algorithm;
use crate::mapping::{application_message, namespace};

/// Connects to a server that gives the answers one after another to /sync, and then the last one
/// again, and `other` to everything else.
async fn connect(
    answers: Vec<(u16, String)>,
    other: fn(&str) -> (u16, String),
) -> (Connection, mpsc::Receiver<Batch>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move |uri: Uri| {
        let (status, body) = match uri.path() {
            "/_matrix/client/v3/sync" => {
                let number = asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                answers[number].clone()
            }
            path => other(path),
        };
        async move { (StatusCode::from_u16(status).unwrap(), body) }
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    let setup = ClientSetup {
        session: Session {
            homeserver: url.parse().unwrap(),
            user_id: "@alice:hs".to_owned(),
            device_id: "DEV".to_owned(),
            access_token: Zeroizing::new("token".to_owned()),
        },
        hub: "@mls:hs".to_owned(),
        sealer: Sealer::new(
            UserId::matrix("@alice:hs").unwrap(),
            &mls_core::crypto::Crypto::system(),
        )
        .unwrap(),
        since: Some("s1".to_owned()),
        control_room: None,
        authority_room: None,
    };
    Connection::connect(setup).await.unwrap()
}

/// A joined room of ours with one message and more before it.
fn limited_room(text: &str) -> Value {
    let state = json!({
        "type": "m.room.encryption", "state_key": "", "sender": "@mls:hs", "event_id": "$1",
        "origin_server_ts": 1, "content": {"algorithm": algorithm(1).unwrap()},
    });
    let content = application_message::encode(&algorithm(1).unwrap(), text.as_bytes(), None);
    let message = json!({
        "type": namespace::ROOM_ENCRYPTED, "sender": "@bob:hs", "event_id": format!("${text}"),
        "origin_server_ts": 1, "content": content,
    });
    json!({
        "state": {"events": [state]},
        "timeline": {"events": [message], "limited": true, "prev_batch": "p1"},
    })
}

fn error(status: u16, errcode: &str) -> (u16, String) {
    (status, json!({"errcode": errcode, "error": "no"}).to_string())
}

fn page(status: u16) -> (u16, String) {
    (status, "<html><body>Access denied</body></html>".to_owned())
}

fn versions(path: &str) -> Option<(u16, String)> {
    path.ends_with("/versions").then(|| (200, json!({"versions": ["v1.11"]}).to_string()))
}

#[tokio::test]
async fn neither_a_proxys_page_nor_the_error_of_one_room_ends_the_session() {
    let rooms = json!({"join": {"!bad:hs": limited_room("bad"), "!good:hs": limited_room("good")}});
    let answers = vec![
        page(403),
        page(401),
        (404, json!({"message": "no route"}).to_string()),
        error(403, "M_FORBIDDEN"),
        (200, json!({"next_batch": "s2", "rooms": rooms}).to_string()),
        error(401, "M_UNKNOWN_TOKEN"),
    ];
    let (connection, mut batches) = connect(answers, |path| match versions(path) {
        Some(versions) => versions,
        None if path.contains("bad") => error(403, "M_FORBIDDEN"),
        None => (200, json!({"chunk": [], "start": "p1"}).to_string()),
    })
    .await;
    let batch = batches.recv().await.unwrap();
    let heard = batch.inputs.iter().filter(|input| matches!(input, Input::Message(_))).count();
    assert_eq!((batch.since.as_str(), heard), ("s2", 2));
    batch.done.send(()).unwrap();
    assert!(batches.recv().await.is_none(), "the homeserver's own word was not believed");
    assert!(matches!(connection.stop().await, Err(DeliveryError::Refused { .. })));
}

#[tokio::test]
async fn a_page_of_a_proxy_gives_no_message_up() {
    let (connection, _batches) =
        connect(vec![page(502)], |path| versions(path).unwrap_or_else(|| page(403))).await;
    let message = mls_core::member::OutgoingMessage {
        id: mls_core::wire::Digest([1; 32]),
        room: mls_core::address::RoomAddress::matrix("!r:hs"),
        group: mls_core::wire::GroupId(vec![1]),
        epoch: 1,
        suite: 1,
        message: vec![1],
        checkpoint: None,
    };
    let sent = connection.send(&message).await;
    assert!(matches!(sent, Err(DeliveryError::Later { .. })), "{sent:?}");
}
