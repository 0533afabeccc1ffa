//! Every message of the wire goes through XML text and back; broken ones are told from strange ones.

use minidom::Element;
use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::checkpoint::CheckpointBytes;
use mls_core::identity::TrustAnchor;
use mls_core::wire::device_waiting::DeviceWaiting;
use mls_core::wire::handshake::SealedHandshake;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};
use mls_core::wire::key_packages_low::KeyPackagesLow;
use mls_core::wire::knock::{KnockDenied, Knocked};
use mls_core::wire::membership_warning::MembershipWarning;
use mls_core::wire::sealed::SealedRequest;
use mls_core::wire::welcome_waiting::WelcomeWaiting;
use mls_core::wire::{Answer, GroupId, Reply};

use super::application_message::{self, Application};
use super::*;

fn group() -> GroupId {
    GroupId(vec![0xab; 16])
}

fn sealed() -> SealedHandshake {
    SealedHandshake { group: group(), seq: 7, epoch: u64::MAX, sealed: vec![1; 300] }
}

fn through_text(element: &Element) -> Element {
    String::from(element).parse().unwrap()
}

#[test]
fn every_request_survives_the_way() {
    let sealed = SealedRequest { kem_output: vec![1; 32], ciphertext: vec![2; 500] };
    let requests = [RequestEnvelope::HubInfo, RequestEnvelope::Sealed(sealed)];
    for request in requests {
        let xml = through_text(&request_to_xml(&request));
        assert_eq!(request_from_xml(&xml), Ok(request));
    }
}

#[test]
fn every_answer_survives_the_way() {
    let answers = [
        Reply::Ok(Answer::HubInfo(HubInfo {
            receipt_key: vec![1; 32],
            seal_key: vec![3; 32],
            seal_signature: vec![4; 64],
            senders: vec![SuiteSender { suite: 1, identity: vec![2] }],
            former: vec![FormerKeys {
                receipt_key: vec![6; 32],
                senders: vec![SuiteSender { suite: 1, identity: vec![7] }],
                handovers: vec![SuiteSignature { suite: 1, signature: vec![8] }],
            }],
            hub_matrix: Some("@mls:example.org".into()),
            hub_xmpp: None,
            anchors: vec![TrustAnchor { domain: "b".into(), certificate: vec![9; 40] }],
            inline_bytes_max: 32768,
            versions: vec![0, 1],
            recovering: true,
        })),
        Reply::Sealed(vec![5; 200]),
    ];
    for answer in answers {
        let xml = through_text(&iq::answer("hub.test", "a@x.test/r", "1", &answer));
        assert_eq!(iq::read_answer(&xml), Ok(answer));
    }
}

#[test]
fn every_notice_survives_the_way() {
    let notices = [
        Notice::Handshake(sealed()),
        Notice::WelcomeWaiting(WelcomeWaiting { device: "D E/V".into() }),
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
        Notice::Knocked(Knocked {
            group: group(),
            user: UserId::parse("xmpp:bob@x.org").unwrap(),
            since_ms: 7,
        }),
        Notice::KnockDenied(KnockDenied {
            device: "D".into(),
            room: RoomAddress::matrix("!r:x.org"),
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
    let checkpoint = Some(CheckpointBytes(vec![2; 300]));
    let application = Application { group: group(), epoch: 3, message: vec![1; 500], checkpoint };
    let message = through_text(&application_message::message("r@muc.test", "id1", &application));
    assert_eq!(application_message::from_message(&message), Ok(application));
    assert_eq!(hints::sender_id(&message), Some("id1"));
    assert!(message.has_child("store", namespace::HINTS));
    assert!(message.has_child("encryption", namespace::ENCRYPTION));
    assert!(!message.has_child("body", namespace::CLIENT));
}

#[test]
fn a_handshake_is_silent_for_a_client_without_mls() {
    let message = handshake::message("r@muc.test", "id1", &sealed());
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
    check_request("<submit-commit xmlns='urn:mls-bridge:0'/>", |e| matches!(e, Unread::Unknown(_)));
    check_request("<dance xmlns='urn:mls-bridge:0'/>", |e| matches!(e, Unread::Unknown(_)));
    for broken in [
        "<sealed xmlns='urn:mls-bridge:0'/>",
        "<sealed xmlns='urn:mls-bridge:0'><kem-output>YQ==</kem-output></sealed>",
        "<sealed xmlns='urn:mls-bridge:0'><kem-output>YQ</kem-output>\
         <ciphertext>YQ==</ciphertext></sealed>",
    ] {
        check_request(broken, |e| matches!(e, Unread::Broken(_)));
    }
}

#[test]
fn a_name_with_characters_that_xml_cannot_carry_loses_them_and_nothing_else() {
    let text = "a\u{0}b\u{1b}c\u{ffff}".to_owned();
    let notice = Notice::MembershipWarning(MembershipWarning { group: group(), text });
    let message = through_text(&notice_message("a@x.test", "1", &notice));
    let Ok(Notice::MembershipWarning(read)) = notice_from_message(&message) else {
        panic!("{message:?}")
    };
    assert_eq!(read.text, "abc");
}

#[test]
fn an_answer_that_must_be_sealed_is_never_said_in_clear() {
    let stanza = iq::answer("hub.test", "a@x.test/r", "1", &Reply::Ok(Answer::Receipt(vec![7; 9])));
    assert_eq!(
        iq::read_answer(&stanza),
        Ok(Reply::Refused(mls_core::wire::refusal::Refusal::Unsupported))
    );
}
