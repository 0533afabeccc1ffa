//! Every message of the wire through JSON and back, and what decoders say of bad ones.

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::identity::TrustAnchor;
use mls_core::service::ServiceAddress;
use mls_core::wire::device_waiting::DeviceWaiting;
use mls_core::wire::handshake::SealedHandshake;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};
use mls_core::wire::key_packages_low::KeyPackagesLow;
use mls_core::wire::knock::{KnockDenied, Knocked};
use mls_core::wire::membership_warning::MembershipWarning;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::sealed::{RequestEnvelope, SealedRequest};
use mls_core::wire::welcome_waiting::WelcomeWaiting;
use mls_core::wire::{Answer, Digest, GroupId, Notice, Reply};
use serde_json::{Value, json};

use super::json::Invalid;
use super::request::RequestFault;
use super::{DecodeError, answer, group_state, notice, request};

fn group() -> GroupId {
    GroupId(vec![0xab; 16])
}

fn handshake() -> SealedHandshake {
    SealedHandshake { group: group(), seq: 3, epoch: 2, sealed: vec![1, 2] }
}

fn requests() -> [RequestEnvelope; 2] {
    let sealed = SealedRequest { kem_output: vec![1; 32], ciphertext: vec![2; 144] };
    [RequestEnvelope::HubInfo, RequestEnvelope::Sealed(sealed)]
}

fn answers() -> Vec<Reply> {
    let ok = vec![Answer::HubInfo(HubInfo {
        receipt_key: vec![1; 32],
        seal_key: vec![3; 32],
        seal_signature: vec![4; 64],
        senders: vec![SuiteSender { suite: 1, identity: vec![2] }],
        former: vec![FormerKeys {
            receipt_key: vec![6; 32],
            senders: vec![SuiteSender { suite: 1, identity: vec![7] }],
            handovers: vec![SuiteSignature { suite: 1, signature: vec![8] }],
        }],
        hub_matrix: Some("@mls:b".into()),
        hub_xmpp: None,
        anchors: vec![TrustAnchor { domain: "b".into(), certificate: vec![9; 40] }],
        inline_bytes_max: 32_768,
        versions: vec![0, 1],
        recovering: false,
    })];
    let refused = vec![
        Refusal::NotAllowed("x".into()),
        Refusal::RateLimited(5000),
        Refusal::UnknownGroup,
        Refusal::Invalid("x".into()),
        Refusal::Exists,
        Refusal::WrongEpoch(8),
        Refusal::MissingProposals(vec![Digest([3; 32])]),
        Refusal::InvalidCommit("x".into()),
        Refusal::TooLarge(32_768),
        Refusal::Gone,
        Refusal::Unsupported,
        Refusal::Unavailable(100),
        Refusal::NotOpened,
        Refusal::RoomOrders,
        Refusal::Elsewhere(ServiceAddress { matrix: Some("@a:b".into()), xmpp: None }),
    ];
    let sealed = [Reply::Sealed(vec![5; 156])];
    let refused = refused.into_iter().map(Reply::Refused);
    ok.into_iter().map(Reply::Ok).chain(refused).chain(sealed).collect()
}

#[test]
fn every_request_comes_back_as_it_was() {
    for request in requests() {
        let content = request::encode(&"id-1".to_owned(), &request);
        let text = content.to_string();
        assert_eq!(
            request::decode(serde_json::from_str(&text).unwrap()),
            Ok(("id-1".to_owned(), request)),
            "{text}"
        );
    }
}

#[test]
fn every_answer_comes_back_as_it_was() {
    for said in answers() {
        let content = answer::encode(&"id-1".to_owned(), &said);
        assert_eq!(answer::decode(content.clone()), Ok(("id-1".to_owned(), said)), "{content}");
    }
}

#[test]
fn every_notice_comes_back_as_it_was() {
    for said in [
        Notice::Handshake(handshake()),
        Notice::WelcomeWaiting(WelcomeWaiting { device: "d".into() }),
        Notice::KeyPackagesLow(KeyPackagesLow { device: "d".into(), suite: 1, count: 3 }),
        Notice::MembershipWarning(MembershipWarning { group: group(), text: "x".into() }),
        Notice::DeviceWaiting(DeviceWaiting {
            group: group(),
            client: ClientId::parse("matrix:u/a:x.org/DEV").unwrap(),
        }),
        Notice::Knocked(Knocked {
            group: group(),
            user: UserId::parse("matrix:u/a:x.org").unwrap(),
            since_ms: 7,
        }),
        Notice::KnockDenied(KnockDenied {
            device: "D".into(),
            room: RoomAddress::matrix("!r:x.org"),
        }),
    ] {
        let (event_type, content) = notice::encode(&said);
        assert_eq!(notice::decode(event_type, content), Ok(said), "{event_type}");
    }
    let state =
        group_state::GroupState { group: group(), hub: "@mls:b".into(), receipt_key: vec![1; 32] };
    assert_eq!(group_state::decode(group_state::encode(&state)), Ok(state));
}

#[test]
fn a_handshake_looks_like_this() {
    let (event_type, content) = notice::encode(&Notice::Handshake(handshake()));
    assert_eq!(event_type, "dev.mls_bridge.handshake");
    let expected = json!({
        "v": 1, "group": "abababababababababababababababab", "seq": 3, "epoch": 2,
        "sealed": "AQI",
    });
    assert_eq!(content, expected);
    let request = SealedRequest { kem_output: vec![1, 2], ciphertext: vec![9] };
    let request = RequestEnvelope::Sealed(request);
    let expected = json!({
        "v": 1, "id": "x", "sealed": { "kem_output": "AQI", "ciphertext": "CQ" },
    });
    assert_eq!(request::encode(&"x".to_owned(), &request), expected);
}

#[test]
fn a_bad_request_says_whether_it_is_unknown_or_broken() {
    let unsupported = |id: &str| RequestFault::Unsupported { id: id.to_owned() };
    let invalid = |id: Option<&str>, why: &str| RequestFault::Invalid {
        id: id.map(str::to_owned),
        why: Invalid(why.to_owned()),
    };
    let one_wanted = "one request is wanted beside v and id";
    let bad_id = "id should be 1 to 64 of A-Z a-z 0-9 - _";
    for (content, fault) in [
        (json!({"v": 1, "id": "a", "fly": {}}), unsupported("a")),
        (json!({"v": 2, "id": "a", "hub_info": {}}), unsupported("a")),
        (json!({"v": 1, "id": "a"}), invalid(Some("a"), one_wanted)),
        (json!({"v": 1, "id": "a", "hub_info": {}, "sealed": {}}), invalid(Some("a"), one_wanted)),
        (
            json!({"v": 1, "id": "a", "hub_info": 3}),
            invalid(Some("a"), "hub_info should be an object"),
        ),
        (
            json!({"id": "a", "hub_info": {}}),
            invalid(Some("a"), "v should be an integer of 0 or more"),
        ),
        (json!({"v": 1, "id": "a/b", "hub_info": {}}), invalid(None, bad_id)),
        (json!({"v": 1, "id": "a".repeat(65), "hub_info": {}}), invalid(None, bad_id)),
        (json!({"v": 1, "hub_info": {}}), invalid(None, "id should be text")),
        (json!({"v": 1, "id": "a", "submit_commit": {}}), unsupported("a")),
        (
            json!({"v": 1, "id": "a", "sealed": {"kem_output": "AQI=", "ciphertext": ""}}),
            invalid(Some("a"), "sealed.kem_output should be standard base64 without padding"),
        ),
    ] {
        assert_eq!(request::decode(content.clone()), Err(fault), "{content}");
    }
    let more = json!({"v": 1, "id": "a", "hub_info": {"new": 1}, "org.example.extra": {}});
    assert_eq!(request::decode(more), Ok(("a".to_owned(), RequestEnvelope::HubInfo)));
}

#[test]
fn a_bad_notice_or_answer_is_told_from_a_foreign_one() {
    let ours = notice::encode(&Notice::Handshake(handshake())).1;
    let with = |name: &str, value: Value| {
        let mut content = ours.clone();
        content[name] = value;
        notice::decode("dev.mls_bridge.handshake", content)
    };
    assert_eq!(notice::decode("m.room.message", ours.clone()), Err(DecodeError::Mismatch));
    assert_eq!(with("v", json!(2)), Err(DecodeError::Mismatch));
    for (name, value) in [
        ("v", json!("1")),
        ("seq", json!(-1)),
        ("seq", json!(1.5)),
        ("epoch", Value::Null),
        ("sealed", json!({})),
        ("sealed", json!("AA==")),
    ] {
        let read = with(name, value.clone());
        assert!(matches!(read, Err(DecodeError::Invalid(_))), "{name} {value}: {read:?}");
    }
    for content in [
        json!({"v": 1, "id": "a"}),
        json!({"v": 1, "id": "a", "sealed": "AA", "error": {"code": "gone"}}),
        json!({"v": 1, "id": "a", "ok": {"done": {}}}),
        json!({"v": 1, "id": "a", "ok": {}}),
        json!({"v": 1, "id": "a", "ok": {"new_answer": {}}}),
        json!({"v": 1, "id": "a", "error": {"code": "wrong_epoch"}}),
        json!([]),
    ] {
        let read = answer::decode(content.clone());
        assert!(matches!(read, Err(DecodeError::Invalid(_))), "{content}: {read:?}");
    }
    let newer = json!({"v": 1, "id": "a", "error": {"code": "brand_new"}});
    assert!(matches!(answer::decode(newer), Ok((_, Reply::Refused(Refusal::NotAllowed(_))))));
}

#[test]
fn an_answer_that_must_be_sealed_is_never_said_in_clear() {
    let content = answer::encode(&"a".to_owned(), &Reply::Ok(Answer::Receipt(vec![7; 200])));
    assert_eq!(content, json!({"v": 1, "id": "a", "error": {"code": "unsupported"}}));
}
