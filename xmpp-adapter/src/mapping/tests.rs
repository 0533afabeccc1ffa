//! Every message of the wire goes through XML text and back; broken ones are told from strange ones.

use minidom::Element;
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
use mls_core::wire::register_group::RegisterGroup;
use mls_core::wire::register_successor::RegisterSuccessor;
use mls_core::wire::report_invalid::ReportInvalid;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, Digest, GroupId, Notice, Request};

use super::application_message::{self, Application};
use super::*;

fn group() -> GroupId {
    GroupId(vec![0xab; 16])
}

fn user() -> UserId {
    UserId::from_human("@al/ice:example.org").unwrap()
}

fn blob() -> Part {
    Part::Blob(BlobRef { hash: Digest([9; 32]), size: 70_000 })
}

fn handshake_of(message: Part) -> Handshake {
    Handshake { group: group(), seq: 7, epoch: u64::MAX, message, receipt: vec![1, 2] }
}

fn welcome() -> Welcome {
    Welcome {
        id: Digest([3; 32]),
        client: user().device("D E/V").unwrap(),
        group: group(),
        former: Some(GroupId(vec![8; 16])),
        epoch: 1,
        receipt: vec![4],
        tree: blob(),
        welcome: vec![5; 300].into(),
    }
}

fn through_text(element: &Element) -> Element {
    String::from(element).parse().unwrap()
}

#[test]
fn every_request_survives_the_way() {
    let commit = SubmitCommit {
        group: group(),
        epoch: 17,
        commit: vec![1; 100].into(),
        welcome: Some(blob()),
        group_info: vec![].into(),
        signature: vec![2; 64],
    };
    let requests = [
        Request::HubInfo,
        Request::CreateRoom(CreateRoom {
            matrix: true, xmpp: false, name: "A & <B> \"ü\"".into()
        }),
        Request::FindGroup(FindGroup { room: RoomAddress::matrix("!r'oom:example.org") }),
        Request::RegisterGroup(RegisterGroup { group_info: vec![0].into(), tree: blob() }),
        Request::RegisterSuccessor(RegisterSuccessor {
            former: GroupId(vec![9; 16]),
            group_info: vec![1].into(),
            tree: blob(),
            welcome: vec![2].into(),
        }),
        Request::PublishKeyPackages(PublishKeyPackages {
            device: "00112233445566ff".into(),
            one_time: vec![KeyPackageBytes(vec![1]), KeyPackageBytes(vec![2])],
            last_resort: Some(KeyPackageBytes(vec![3])),
        }),
        Request::ClaimKeyPackages(ClaimKeyPackages {
            group: group(),
            users: vec![user(), UserId::xmpp("b@x.test").unwrap()],
            suites: vec![1, 3],
            successor: Some(GroupId(vec![9; 16])),
        }),
        Request::SubmitCommit(commit.clone()),
        Request::SubmitCommit(SubmitCommit { welcome: None, ..commit }),
        Request::SubmitProposal(SubmitProposal { group: group(), epoch: 0, proposal: vec![8] }),
        Request::ReportInvalid(ReportInvalid {
            group: group(),
            seq: 5,
            receipt: vec![1],
            why: "it does not verify".into(),
        }),
        Request::FetchGroupInfo(FetchGroupInfo { group: group(), seal_key: vec![6; 32] }),
        Request::FetchHandshakes(FetchHandshakes { group: group(), from_seq: 12 }),
        Request::FetchWelcomes(FetchWelcomes {
            device: "00112233445566ff".into(),
            acknowledged: vec![Digest([1; 32])],
        }),
        Request::LeaveRoom(LeaveRoom { group: group() }),
        Request::AskToJoin(AskToJoin { device: "00112233445566ff".into() }),
        Request::PutBlob(PutBlob {
            blob: BlobRef { hash: Digest([1; 32]), size: 9 },
            offset: 3,
            bytes: vec![255; 6],
        }),
        Request::GetBlob(GetBlob { hash: Digest([1; 32]), offset: 24_576 }),
    ];
    for request in requests {
        let xml = through_text(&request_to_xml(&request));
        assert_eq!(request_from_xml(&xml), Ok(request));
    }
}

#[test]
fn every_answer_survives_the_way() {
    let claimed = |client: bool, outcome| ClaimedClient {
        user: user(),
        client: client.then(|| user().device("DEV").unwrap()),
        outcome,
    };
    let answers = [
        Answer::HubInfo(HubInfo {
            receipt_key: vec![1; 32],
            senders: vec![SuiteSender { suite: 1, identity: vec![2] }],
            former: vec![FormerKeys {
                receipt_key: vec![6; 32],
                senders: vec![SuiteSender { suite: 1, identity: vec![7] }],
                handovers: vec![SuiteSignature { suite: 1, signature: vec![8] }],
            }],
            hub_matrix: Some("@mls:example.org".into()),
            hub_xmpp: None,
            inline_bytes_max: 32768,
            versions: vec![0, 1],
            recovering: true,
        }),
        Answer::RoomCreated(RoomCreated { matrix_room: Some("!r:x".into()), muc: None }),
        Answer::GroupFound(GroupFound { group: group(), epoch: 3 }),
        Answer::Receipt(vec![1; 200]),
        Answer::KeyPackageCount(KeyPackageCount { one_time: 57, last_resort: true }),
        Answer::KeyPackages(vec![
            claimed(true, ClaimOutcome::OneTime(vec![1])),
            claimed(true, ClaimOutcome::LastResort(vec![2])),
            claimed(true, ClaimOutcome::Exhausted),
            claimed(true, ClaimOutcome::Incompatible),
            claimed(false, ClaimOutcome::Unknown),
            claimed(false, ClaimOutcome::NoConsent),
        ]),
        Answer::GroupInfo(SealedGroupInfo {
            kem_output: vec![1],
            sealed: vec![2].into(),
            tree: blob(),
            receipt: vec![3],
        }),
        Answer::Handshakes(Handshakes {
            handshakes: vec![handshake_of(vec![1].into()), handshake_of(blob())],
            last_seq: 9,
        }),
        Answer::Welcomes(Welcomes { welcomes: vec![welcome()], more: true }),
        Answer::BlobChunk(BlobChunk { size: 9, bytes: vec![0; 5] }),
        Answer::Done,
    ];
    for answer in answers {
        let xml = through_text(&answer_to_xml(&answer));
        assert_eq!(answer_from_xml(&xml), Ok(answer));
    }
}

#[test]
fn every_notice_survives_the_way() {
    let notices = [
        Notice::Handshake(handshake_of(vec![1; 9].into())),
        Notice::Welcome(welcome()),
        Notice::KeyPackagesLow(KeyPackagesLow {
            device: "00112233445566ff".into(),
            suite: 1,
            count: 3,
        }),
        Notice::MembershipWarning(MembershipWarning { group: group(), text: "bob left".into() }),
        Notice::DeviceWaiting(DeviceWaiting {
            group: group(),
            client: ClientId::parse("xmpp:bob@x.org/00112233445566ff").unwrap(),
        }),
    ];
    for notice in notices {
        let message = through_text(&notice_message("a@x.test", "1", &notice));
        assert_eq!(notice_from_message(&message), Ok(notice));
        assert_eq!(message.attr("type"), Some("chat"));
    }
}

#[test]
fn an_application_message_survives_the_way_and_shows_no_body() {
    let application = Application { group: group(), epoch: 3, message: vec![1; 500] };
    let message = through_text(&application_message::message("r@muc.test", "id1", &application));
    assert_eq!(application_message::from_message(&message), Ok(application));
    assert_eq!(hints::sender_id(&message), Some("id1"));
    assert!(message.has_child("store", namespace::HINTS));
    assert!(message.has_child("encryption", namespace::ENCRYPTION));
    assert!(!message.has_child("body", namespace::CLIENT));
}

#[test]
fn a_handshake_is_silent_for_a_client_without_mls() {
    let message = handshake::message("r@muc.test", "id1", &handshake_of(blob()));
    assert!(message.has_child("store", namespace::HINTS));
    assert!(!message.has_child("encryption", namespace::ENCRYPTION));
    assert!(!message.has_child("body", namespace::CLIENT));
}

fn check_request(xml: &str, expected: fn(&Unread) -> bool) {
    let result = request_from_xml(&xml.parse().unwrap());
    assert!(matches!(&result, Err(error) if expected(error)), "{xml}: {result:?}");
}

#[test]
fn what_is_not_ours_is_told_from_what_is_unknown_and_from_what_is_broken() {
    check_request("<hub-info xmlns='urn:other:0'/>", |e| *e == Unread::NotMine);
    check_request("<dance xmlns='urn:mls-bridge:0'/>", |e| matches!(e, Unread::Unknown(_)));
    for broken in [
        "<leave-room xmlns='urn:mls-bridge:0'/>",
        "<leave-room xmlns='urn:mls-bridge:0' group='not hex'/>",
        "<create-room xmlns='urn:mls-bridge:0' matrix='maybe'><name/></create-room>",
        "<fetch-handshakes xmlns='urn:mls-bridge:0' group='ab' from-seq='-1'/>",
        "<get-blob xmlns='urn:mls-bridge:0' sha-256='abcd' offset='0'/>",
        "<put-blob xmlns='urn:mls-bridge:0' sha-256='00' size='1' offset='0'>YQ==</put-blob>",
        "<fetch-group-info xmlns='urn:mls-bridge:0' group='ab'><seal-key>YQ</seal-key>\
         </fetch-group-info>",
        "<register-group xmlns='urn:mls-bridge:0'><group-info>YQ==</group-info></register-group>",
        "<claim-key-packages xmlns='urn:mls-bridge:0' group='ab'><user>nobody</user>\
         </claim-key-packages>",
        "<find-group xmlns='urn:mls-bridge:0' network='irc' room='x'/>",
    ] {
        check_request(broken, |e| matches!(e, Unread::Broken(_)));
    }
}

#[test]
fn a_name_with_characters_that_xml_cannot_carry_loses_them_and_nothing_else() {
    let request = CreateRoom { matrix: true, xmpp: true, name: "a\u{0}b\u{1b}c\u{ffff}".into() };
    let xml = through_text(&request_to_xml(&Request::CreateRoom(request)));
    let Ok(Request::CreateRoom(read)) = request_from_xml(&xml) else { panic!("{xml:?}") };
    assert_eq!(read.name, "abc");
}
