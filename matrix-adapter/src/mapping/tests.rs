//! Every message of the wire through JSON and back, and what decoders say of bad ones.

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::wire::ask_to_join::AskToJoin;
use mls_core::wire::blob::{BlobChunk, BlobRef, GetBlob, Part, PutBlob};
use mls_core::wire::claim_key_packages::{ClaimKeyPackages, ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::{CreateRoom, RoomCreated};
use mls_core::wire::device_waiting::DeviceWaiting;
use mls_core::wire::fetch_group_info::{FetchGroupInfo, SealedGroupInfo};
use mls_core::wire::fetch_handshakes::{FetchHandshakes, Handshakes};
use mls_core::wire::fetch_welcomes::{FetchWelcomes, Welcomes};
use mls_core::wire::find_group::{FindGroup, GroupFound};
use mls_core::wire::handshake::Handshake;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};
use mls_core::wire::key_packages_low::KeyPackagesLow;
use mls_core::wire::leave_room::LeaveRoom;
use mls_core::wire::membership_warning::MembershipWarning;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, KeyPackageCount, PublishKeyPackages};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::register_group::RegisterGroup;
use mls_core::wire::register_successor::RegisterSuccessor;
use mls_core::wire::report_invalid::ReportInvalid;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, Digest, GroupId, Notice, Request};
use serde_json::{Value, json};

use super::json::Invalid;
use super::request::RequestFault;
use super::{DecodeError, answer, group_state, notice, request};

fn group() -> GroupId {
    GroupId(vec![0xab; 16])
}

fn blob() -> Part {
    Part::Blob(BlobRef { hash: Digest([7; 32]), size: 70_000 })
}

fn handshake() -> Handshake {
    Handshake { group: group(), seq: 3, epoch: 2, message: vec![1, 2].into(), receipt: vec![9] }
}

fn welcome() -> Welcome {
    let client = UserId::matrix("@bob:example.org").unwrap().device("DEV").unwrap();
    Welcome {
        id: Digest([1; 32]),
        client,
        group: group(),
        former: Some(GroupId(vec![8; 16])),
        epoch: 4,
        receipt: vec![9],
        tree: blob(),
        welcome: vec![5].into(),
    }
}

fn requests() -> Vec<Request> {
    let (bob, juliet) =
        (UserId::matrix("@bob:b").unwrap(), UserId::xmpp("juliet@example.org").unwrap());
    let package = KeyPackageBytes(vec![1]);
    vec![
        Request::HubInfo,
        Request::CreateRoom(CreateRoom { matrix: true, xmpp: false, name: "Ü \"x\"".into() }),
        Request::FindGroup(FindGroup { room: RoomAddress::matrix("!r:b") }),
        Request::FindGroup(FindGroup { room: RoomAddress::xmpp("r@muc.b") }),
        Request::RegisterGroup(RegisterGroup { group_info: vec![1].into(), tree: blob() }),
        Request::RegisterSuccessor(RegisterSuccessor {
            former: GroupId(vec![9; 16]),
            group_info: vec![1].into(),
            tree: blob(),
            welcome: vec![2].into(),
        }),
        Request::PublishKeyPackages(PublishKeyPackages {
            device: "d".into(),
            one_time: vec![package.clone(), package.clone()],
            last_resort: Some(package),
        }),
        Request::ClaimKeyPackages(ClaimKeyPackages {
            group: group(),
            users: vec![bob, juliet],
            suites: vec![1, 3],
            successor: Some(GroupId(vec![9; 16])),
        }),
        Request::SubmitCommit(SubmitCommit {
            group: group(),
            epoch: 2,
            commit: vec![1].into(),
            welcome: Some(blob()),
            group_info: vec![2].into(),
            signature: vec![3; 64],
        }),
        Request::SubmitCommit(SubmitCommit {
            group: group(),
            epoch: u64::from(u32::MAX) + 1,
            commit: blob(),
            welcome: None,
            group_info: vec![].into(),
            signature: vec![],
        }),
        Request::SubmitProposal(SubmitProposal { group: group(), epoch: 1, proposal: vec![1] }),
        Request::ReportInvalid(ReportInvalid {
            group: group(),
            seq: 1,
            receipt: vec![1],
            why: "x".into(),
        }),
        Request::FetchGroupInfo(FetchGroupInfo { group: group(), seal_key: vec![1; 32] }),
        Request::FetchHandshakes(FetchHandshakes { group: group(), from_seq: 0 }),
        Request::FetchWelcomes(FetchWelcomes {
            device: "DEV".into(),
            acknowledged: vec![Digest([2; 32])],
        }),
        Request::LeaveRoom(LeaveRoom { group: group() }),
        Request::AskToJoin(AskToJoin { device: "DEV".into() }),
        Request::PutBlob(PutBlob {
            blob: BlobRef { hash: Digest([7; 32]), size: 3 },
            offset: 1,
            bytes: vec![2],
        }),
        Request::GetBlob(GetBlob { hash: Digest([7; 32]), offset: 24_576 }),
    ]
}

fn answers() -> Vec<Result<Answer, Refusal>> {
    let bob = UserId::matrix("@bob:b").unwrap();
    let claimed = |outcome, client| ClaimedClient { user: bob.clone(), client, outcome };
    let device = || Some(bob.device("DEV").unwrap());
    let ok = vec![
        Answer::HubInfo(HubInfo {
            receipt_key: vec![1; 32],
            senders: vec![SuiteSender { suite: 1, identity: vec![2] }],
            former: vec![FormerKeys {
                receipt_key: vec![6; 32],
                senders: vec![SuiteSender { suite: 1, identity: vec![7] }],
                handovers: vec![SuiteSignature { suite: 1, signature: vec![8] }],
            }],
            hub_matrix: Some("@mls:b".into()),
            hub_xmpp: None,
            inline_bytes_max: 32_768,
            versions: vec![0, 1],
            recovering: false,
        }),
        Answer::RoomCreated(RoomCreated { matrix_room: Some("!r:b".into()), muc: None }),
        Answer::GroupFound(GroupFound { group: group(), epoch: 7 }),
        Answer::Receipt(vec![1, 2, 3]),
        Answer::KeyPackageCount(KeyPackageCount { one_time: 100, last_resort: true }),
        Answer::KeyPackages(vec![
            claimed(ClaimOutcome::OneTime(vec![1]), device()),
            claimed(ClaimOutcome::LastResort(vec![1]), device()),
            claimed(ClaimOutcome::Exhausted, device()),
            claimed(ClaimOutcome::Incompatible, device()),
            claimed(ClaimOutcome::Unknown, None),
            claimed(ClaimOutcome::NoConsent, None),
        ]),
        Answer::GroupInfo(SealedGroupInfo {
            kem_output: vec![1],
            sealed: blob(),
            tree: vec![1].into(),
            receipt: vec![],
        }),
        Answer::Handshakes(Handshakes { handshakes: vec![handshake()], last_seq: 9 }),
        Answer::Welcomes(Welcomes { welcomes: vec![welcome()], more: true }),
        Answer::BlobChunk(BlobChunk { size: 3, bytes: vec![1, 2, 3] }),
        Answer::Done,
    ];
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
    ];
    ok.into_iter().map(Ok).chain(refused.into_iter().map(Err)).collect()
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
        let content = answer::encode(&"id-1".to_owned(), said.as_ref());
        assert_eq!(answer::decode(content.clone()), Ok(("id-1".to_owned(), said)), "{content}");
    }
}

#[test]
fn every_notice_comes_back_as_it_was() {
    for said in [
        Notice::Handshake(handshake()),
        Notice::Welcome(welcome()),
        Notice::KeyPackagesLow(KeyPackagesLow { device: "d".into(), suite: 1, count: 3 }),
        Notice::MembershipWarning(MembershipWarning { group: group(), text: "x".into() }),
        Notice::DeviceWaiting(DeviceWaiting {
            group: group(),
            client: ClientId::parse("matrix:u/a:x.org/DEV").unwrap(),
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
        "message": "AQI", "receipt": "CQ",
    });
    assert_eq!(content, expected);
    let request = Request::GetBlob(GetBlob { hash: Digest([0; 32]), offset: 0 });
    let expected = json!({
        "v": 1, "id": "x", "get_blob": { "sha256": "0".repeat(64), "offset": 0 },
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
        (
            json!({"v": 1, "id": "a", "hub_info": {}, "get_blob": {}}),
            invalid(Some("a"), one_wanted),
        ),
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
        (
            json!({"v": 1, "id": "a", "claim_key_packages":
                {"group": "00", "users": ["matrix:u/a"], "suites": []}}),
            invalid(
                Some("a"),
                "claim_key_packages.users should be a user such as \
                 matrix:u/alice:example.org or xmpp:alice@example.org",
            ),
        ),
        (
            json!({"v": 1, "id": "a", "leave_room": {"group": "AB"}}),
            invalid(Some("a"), "leave_room.group should be a group id in lower-case hex"),
        ),
    ] {
        assert_eq!(request::decode(content.clone()), Err(fault), "{content}");
    }
    let more = json!({"v": 1, "id": "a", "hub_info": {"new": 1}, "org.example.extra": {}});
    assert_eq!(request::decode(more), Ok(("a".to_owned(), Request::HubInfo)));
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
        ("message", json!({"blob": {"sha256": "00", "size": 1}})),
        ("message", json!({"blob": {"sha256": "0".repeat(64), "size": 1u64 << 32}})),
        ("message", json!({})),
        ("receipt", json!("AA==")),
    ] {
        let read = with(name, value.clone());
        assert!(matches!(read, Err(DecodeError::Invalid(_))), "{name} {value}: {read:?}");
    }
    for content in [
        json!({"v": 1, "id": "a"}),
        json!({"v": 1, "id": "a", "ok": {"done": {}}, "error": {"code": "gone"}}),
        json!({"v": 1, "id": "a", "ok": {}}),
        json!({"v": 1, "id": "a", "ok": {"new_answer": {}}}),
        json!({"v": 1, "id": "a", "error": {"code": "wrong_epoch"}}),
        json!([]),
    ] {
        let read = answer::decode(content.clone());
        assert!(matches!(read, Err(DecodeError::Invalid(_))), "{content}: {read:?}");
    }
    let newer = json!({"v": 1, "id": "a", "error": {"code": "brand_new"}});
    assert!(matches!(answer::decode(newer), Ok((_, Err(Refusal::NotAllowed(_))))));
}
