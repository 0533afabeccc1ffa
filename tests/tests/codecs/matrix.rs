//! The wire as JSON, in events of Matrix.

use matrix_adapter::mapping::room_event::RoomEvent;
use matrix_adapter::mapping::{
    answer, application_message, device_keys, group_state, key_package, namespace, notice, request,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::{any_json, change};
use crate::requests::id;
use crate::values::{bytes, checkpoint, group, text};
use crate::{answers, requests};

/// As a homeserver passes it on.
fn through_text(content: &Value) -> Value {
    serde_json::from_str(&content.to_string()).unwrap()
}

fn read_by_all(content: &Value) {
    let _ = request::decode(content.clone());
    let _ = answer::decode(content.clone());
    let _ = application_message::decode(content.clone());
    let _ = application_message::marks_our_room(content);
    let _ = group_state::decode(content.clone());
    let _ = key_package::claimed(content.clone());
    let _ = device_keys::announced_suites(content);
    let _ = serde_json::from_value::<RoomEvent>(content.clone());
    for event_type in [
        namespace::HANDSHAKE,
        namespace::WELCOME,
        namespace::KEY_PACKAGES_LOW,
        namespace::MEMBERSHIP_WARNING,
        namespace::DEVICE_WAITING,
    ] {
        let _ = notice::decode(event_type, content.clone());
    }
}

proptest! {
    #[test]
    fn every_request_comes_back(id in id(), said in requests::request()) {
        let content = through_text(&request::encode(&id, &said));
        prop_assert_eq!(request::decode(content), Ok((id, said)));
    }

    #[test]
    fn every_answer_comes_back(
        id in id(), said in answers::reply()
    ) {
        let content = through_text(&answer::encode(&id, &said));
        prop_assert_eq!(answer::decode(content), Ok((id, said)));
    }

    #[test]
    fn every_notice_comes_back(said in answers::notice()) {
        let (event_type, content) = notice::encode(&said);
        prop_assert_eq!(notice::decode(event_type, through_text(&content)), Ok(said));
    }

    #[test]
    fn every_application_message_and_binding_comes_back(
        suite in 1..8u16, message in bytes(), checkpoint in checkpoint(),
        group in group(), hub in text(), key in bytes()
    ) {
        let algorithm = namespace::algorithm(suite).unwrap();
        let content = through_text(&application_message::encode(
            &algorithm, &message, checkpoint.as_ref(),
        ));
        prop_assert_eq!(application_message::decode(content), Ok((message, checkpoint)));
        let state = group_state::GroupState { group, hub, receipt_key: key };
        let content = through_text(&group_state::encode(&state));
        prop_assert_eq!(group_state::decode(content), Ok(state));
    }

    #[test]
    fn no_content_makes_a_reader_panic(content in any_json()) {
        read_by_all(&content);
        for (field, value) in [("hub_info", json!({})), ("ok", content.clone())] {
            read_by_all(&json!({"v": 1, "id": "a", field: value, "sealed": content}));
        }
    }

    #[test]
    fn a_changed_content_is_refused_or_read_as_what_it_says(
        said in requests::request(), heard in answers::reply(), told in answers::notice(),
        change in change()
    ) {
        if let Ok((id, read)) = request::decode(change.done_to(request::encode(&"a".into(), &said))) {
            prop_assert_eq!(request::decode(request::encode(&id, &read)), Ok((id, read)));
        }
        let content = change.done_to(answer::encode(&"a".into(), &heard));
        if let Ok((id, read)) = answer::decode(content) {
            prop_assert_eq!(answer::decode(answer::encode(&id, &read)), Ok((id, read)));
        }
        let (event_type, content) = notice::encode(&told);
        if let Ok(read) = notice::decode(event_type, change.done_to(content)) {
            prop_assert_eq!(notice::decode(event_type, notice::encode(&read).1), Ok(read));
        }
    }
}
