//! Pins what people read.

use super::*;
use crate::json::{
    AlarmLine, AuthorityLine, CertificateLine, ChangeLine, EntryLine, ForkLine, HeadLine,
    IdentityLine, LogLine, MemberLine, MembershipLine, RoomLine,
};

const GROUP: &str = "000102030405060708090a0b0c0d0e0f";
const ALICE: &str = "matrix:u/alice:matrix.example/ALICEPHONE";
const BOB: &str = "xmpp:bob@xmpp.example/00112233445566ff";

fn message(text: &str, network_says: Option<&str>) -> Line {
    Line::Message {
        n: 1,
        time_ms: 0,
        group: GROUP.into(),
        epoch: 3,
        sender: BOB.into(),
        network_says: network_says.map(Into::into),
        sent_ms: (13 * 60 + 37) * 60_000,
        text: Some(text.into()),
        purpose: None,
        content_type: None,
    }
}

fn logged() -> MembershipLine {
    let change = |kind, by: &str| ChangeLine { kind, client: BOB.into(), by: Some(by.into()) };
    MembershipLine {
        group: GROUP.into(),
        seq: 12,
        epoch: 3,
        time_ms: 1_700_000_000_500,
        committer: Some(ALICE.into()),
        changes: vec![
            change("added", ALICE),
            change("removed", "hub"),
            change("updated", BOB),
            change("new_key", BOB),
        ],
    }
}

fn missing(count: u32) -> Line {
    let (group, sender) = (GROUP.into(), BOB.into());
    Line::Alarm(AlarmLine::MessagesMissing { n: 1, group, epoch: 7, sender, count })
}

fn unsigned(why: Option<String>) -> Line {
    let (group, client) = (GROUP.into(), BOB.into());
    Line::Alarm(AlarmLine::UnsignedDeviceOfVerifiedUser { n: 1, group, client, why })
}

#[test]
fn every_line_reads_as_pinned() {
    let room = RoomLine { network: "xmpp", address: "tea@rooms.xmpp.example".into() };
    let member = |client: &str, admin: bool| MemberLine {
        unheard_since: (!admin).then_some(1_700_000_000_000),
        client: client.into(),
        admin,
        leaf_index: 2,
        signature_key: "ab".repeat(32),
        certified_until: admin.then_some(1_800_000_000),
        revoked: !admin,
        identity: if admin { "verified" } else { "unsigned" },
        identity_key: None,
    };
    let head = |root: &str| HeadLine { size: 9, root: root.repeat(32), time: 1_700_000_000_500 };
    let fork = |accepted| ForkLine {
        found: 1_700_000_000_500,
        accepted,
        first: head("ab"),
        second: head("cd"),
        evidence: "mls-log-evidence:0:AAAA".into(),
    };
    let log = LogLine {
        size: 9,
        root: "ab".repeat(32),
        time: 1_700_000_000_500,
        read: 9,
        forked: true,
        forks: vec![fork(Some(1_700_000_100_000)), fork(None)],
    };
    let entry = |index: u64, asked: &'static str| EntryLine {
        index,
        what: "issued",
        client: BOB.into(),
        asked,
        time: 1_700_000_000_500,
        certificate: Some("cd".repeat(32)),
    };
    let entries = vec![entry(3, "here"), entry(5, "elsewhere"), entry(8, "nowhere")];
    let group = GroupLine {
        order: "room",
        group: GROUP.into(),
        branched_from: Some("0f0e".into()),
        epoch: 3,
        epoch_digits: "12345 67890".into(),
        suite: 1,
        shared_suites: vec![1, 2],
        rooms: vec![room.clone()],
        anchors: vec![AnchorLine {
            domain: "xmpp.example".into(),
            fingerprint: "cd".repeat(32),
            known: false,
        }],
        members: vec![member(ALICE, true), member(BOB, false)],
    };
    let certificate =
        |print: &str| CertificateLine { fingerprint: print.repeat(32), certificate: "00".into() };
    let authority = AuthorityLine {
        domain: "xmpp.example".into(),
        source: "group",
        since: 1_700_000_000_000,
        known: vec![certificate("cd")],
        offered: vec![certificate("ab")],
    };
    let lines = [
        Line::LoggedIn { client: BOB.into() },
        Line::Ready { client: ALICE.into() },
        Line::CommandDone { n: 1, id: "x".into(), group: Some(GROUP.into()) },
        Line::CommandFailed { n: None, id: "x".into(), why: "not allowed".into() },
        Line::Joined {
            n: 1,
            group: GROUP.into(),
            epoch: 1,
            rooms: vec![room],
            members: vec![ALICE.into(), BOB.into()],
            branched_from: Some(GROUP.into()),
        },
        message("two\nlines", None),
        message("hello", Some("xmpp:eve@xmpp.example")),
        Line::Epoch {
            n: 1,
            group: GROUP.into(),
            epoch: 4,
            seq: 4,
            committer: ALICE.into(),
            added: vec![BOB.into()],
            removed: vec![],
            members: 3,
        },
        Line::Removed { n: 1, group: GROUP.into(), by: ALICE.into() },
        Line::Undecryptable {
            n: 1,
            group: GROUP.into(),
            epoch: 1,
            network_sender: None,
            reason: "too_late",
            why: "too old".into(),
        },
        Line::Warning {
            n: 1,
            group: GROUP.into(),
            kind: "message_in_clear",
            text: "a message in clear".into(),
        },
        Line::AnchorsChanged {
            n: 1,
            domain: "xmpp.example".into(),
            known: vec!["cd".repeat(32)],
            named: vec!["ab".repeat(32)],
            group: None,
        },
        Line::Authorities { id: None, authorities: vec![] },
        Line::Authorities { id: None, authorities: vec![authority] },
        Line::DeviceCertified { n: 1, client: BOB.into(), time: 1_700_000_000_000 },
        Line::DeviceInOneGroupOnly { n: 1, client: BOB.into(), group: GROUP.into() },
        Line::Certificates { id: None, log: None, entries: vec![] },
        Line::Certificates { id: None, log: Some(log), entries },
        Line::KeyPackagesPublished { n: 1, count: 100 },
        Line::Rewound {
            n: 1,
            group: GROUP.into(),
            to_epoch: 3,
            from_epoch: 5,
            again: vec!["c1".into()],
        },
        Line::Alarm(AlarmLine::LogForked { n: 1, first: 9, second: 7 }),
        Line::Alarm(AlarmLine::NotAsked { n: 1, index: 8, key: "ab".repeat(32), time: 1 }),
        Line::Alarm(AlarmLine::NotLogged {
            n: 1,
            group: GROUP.into(),
            client: BOB.into(),
            certificate: "cd".repeat(32),
        }),
        Line::Alarm(AlarmLine::VerifiedUserChanged {
            n: 1,
            group: GROUP.into(),
            client: BOB.into(),
            known: "ab".repeat(32),
            shown: "cd".repeat(32),
        }),
        unsigned(Some("it carries no device statement".into())),
        unsigned(None),
        Line::Alarm(AlarmLine::FellApart {
            n: 1,
            group: GROUP.into(),
            why: "members follow other commits than this device".into(),
        }),
        Line::StartedAnew {
            n: 1,
            group: "1f2e3d".repeat(5),
            successor: "9a8b7c".repeat(5),
            suite: 3,
            committer: "matrix:u/alice:matrix.example/PHONE".into(),
        },
        Line::Restarted {
            n: 1,
            group: GROUP.into(),
            successor: "9a8b7c".repeat(5),
            by: "matrix:u/alice:a.org/PHONE".into(),
            changed: vec!["xmpp:bob@x.org/00112233445566ff".into()],
            unknown: vec!["matrix:u/carol:a.org/TABLET".into()],
        },
        Line::Knocked { n: 1, group: GROUP.into(), user: "xmpp:bob@x.org".into() },
        Line::KnockDenied { n: 1, room: "tea@rooms.x.org".into() },
        Line::DeviceWaiting {
            n: 1,
            group: GROUP.into(),
            client: "matrix:u/alice:a.org/PHONE".into(),
        },
        Line::HeardFrom { n: 1, group: GROUP.into(), client: "matrix:u/alice:a.org/PHONE".into() },
        Line::Alarm(AlarmLine::HubContradicts {
            n: 1,
            group: GROUP.into(),
            seq: 7,
            evidence: "ab".repeat(32),
        }),
        Line::Alarm(AlarmLine::OtherState {
            n: 1,
            group: GROUP.into(),
            epoch: 7,
            client: BOB.into(),
            evidence: "cd".repeat(32),
        }),
        Line::Alarm(AlarmLine::NoCheckpoints { n: 1, group: GROUP.into(), network: "xmpp" }),
        missing(3),
        missing(0),
        Line::Alarm(AlarmLine::ReAddNeeded {
            n: 1,
            group: GROUP.into(),
            why: "the hub's handshakes cannot be processed".into(),
        }),
        Line::Identity(IdentityLine::Identity {
            id: None,
            client: ALICE.into(),
            state: "none",
            identity_key: None,
            fingerprint: None,
            signed: None,
        }),
        Line::Identity(IdentityLine::IdentityStatement {
            id: None,
            client: ALICE.into(),
            device_fingerprint: "ab".repeat(32),
            statement: "mls-device-statement:0:AAAA".into(),
        }),
        Line::Membership(logged()),
        Line::Groups { id: None, groups: vec![] },
        Line::Groups { id: None, groups: vec![group.clone()] },
        Line::Error { why: "not a command".into(), line: None },
    ];
    let mut shown: Vec<String> = lines.iter().map(render).collect();
    shown.push(members(&group));
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_message_cannot_steer_the_terminal_or_pretend_to_be_another_line() {
    let shown = render(&message("\u{1b}[2J\r\u{202e}x\n13:37 [00010203] e3 alice: hi", None));
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    assert!(!shown.contains('\u{202e}'));
    assert!(shown.lines().skip(1).all(|line| line.starts_with("    ")), "{shown:?}");
}
