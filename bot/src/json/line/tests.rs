//! Pins every line that is printed: other programs read them.

use mls_core::address::{ClientId, Network, RoomAddress, UserId};
use mls_core::bridge_group::Order;
use mls_core::content::encode_text;
use mls_core::identity::{Standing, TrustAnchor, TrustAnchors};
use mls_core::member::{
    Alarm, AlarmEvent, AnchorSource, AnchorsChanged, Asked, ChangeKind, CommandDone, CommandFailed,
    DeviceCertified, DeviceWaiting, DomainAnchors, EpochEvent, Event, EventRecord, GroupSummary,
    HeardFrom, HubContradicts, IdentityStanding, IdentitySummary, Joined, KeptFork,
    KnockDeniedEvent, KnockedEvent, LogForked, LoneDevice, MemberSummary, MembershipChange,
    MembershipEntry, MessageEvent, MessagesMissing, NamedAnchor, NotAsked, NotLogged,
    OtherStateSeen, Proposer, RemovedEvent, Restarted, RewoundEvent, Sender, StartedAnew,
    Undecryptable, Unreadable, UnsignedDevice, VerifiedUserChanged, WarningEvent, WarningKind,
};
use mls_core::transparency::{
    HeadSigner, Issued, LogEntry, LogEvidence, RevocationReason, Revoked, SerialNumber, ShownHead,
    SignedTreeHead, TreeHead, TwoHeads,
};
use mls_core::user_identity::{DeviceRequest, DeviceStatement, Ed25519Key, SeenKey, Verification};
use mls_core::wire::issue_credential::CertificateBytes;
use mls_core::wire::{Digest, GroupId};

use super::*;

fn group() -> GroupId {
    GroupId((0..16).collect())
}

fn alice() -> ClientId {
    ClientId::parse("matrix:u/alice:matrix.example/ALICEPHONE").unwrap()
}

fn bob() -> ClientId {
    ClientId::parse("xmpp:bob@xmpp.example/00112233445566ff").unwrap()
}

fn anchor() -> TrustAnchor {
    TrustAnchor { domain: "xmpp.example".into(), certificate: vec![1] }
}

fn rooms() -> Vec<RoomAddress> {
    vec![RoomAddress::matrix("!tea:matrix.example"), RoomAddress::xmpp("tea@rooms.xmpp.example")]
}

fn message(content: Vec<u8>, network_says: Option<UserId>) -> Event {
    let sender = Sender { client: bob(), network_says };
    let sent_ms = 1_700_000_000_000;
    Event::Message(MessageEvent { group: group(), epoch: 3, sender, sent_ms, content })
}

fn logged() -> MembershipEntry {
    let change = |kind, by| MembershipChange { kind, client: bob(), by };
    MembershipEntry {
        seq: 12,
        epoch: 3,
        time_ms: 1_700_000_000_500,
        committer: Some(alice()),
        changes: vec![
            change(ChangeKind::Added, Proposer::Member(alice())),
            change(ChangeKind::Removed, Proposer::Hub),
            change(ChangeKind::Returned, Proposer::Member(bob())),
            change(ChangeKind::Updated, Proposer::Unknown),
        ],
    }
}

fn alarm(alarm: Alarm) -> Event {
    Event::Alarm(AlarmEvent { group: group(), alarm })
}

fn events() -> Vec<Event> {
    let text = encode_text("Grüße,\n\"Bob\" \u{1b}[31m", [7; 16]).unwrap();
    let carol = UserId::matrix("@carol:matrix.example").unwrap();
    vec![
        Event::CommandDone(CommandDone { id: "1".into(), group: Some(group()) }),
        Event::CommandDone(CommandDone { id: "2".into(), group: None }),
        Event::CommandFailed(CommandFailed { id: "3".into(), why: "not allowed".into() }),
        Event::Joined(Joined {
            branched_from: Some(GroupId(vec![9; 16])),
            group: group(),
            epoch: 2,
            rooms: rooms(),
            members: vec![alice(), bob()],
        }),
        message(text.clone(), None),
        message(text, Some(carol.clone())),
        message(b"not a content".to_vec(), None),
        Event::Epoch(EpochEvent {
            group: group(),
            epoch: 4,
            seq: 9,
            committer: alice(),
            added: vec![bob()],
            removed: vec![],
            changes: vec![MembershipChange {
                kind: ChangeKind::Added,
                client: bob(),
                by: Proposer::Member(alice()),
            }],
            members: 5,
        }),
        Event::Removed(RemovedEvent { group: group(), by: alice() }),
        Event::Undecryptable(Undecryptable {
            group: group(),
            epoch: 1,
            network_sender: Some(carol),
            reason: Unreadable::TooLate,
            why: "its epoch is no longer kept".into(),
        }),
        Event::Warning(WarningEvent {
            group: group(),
            kind: WarningKind::MessageInClear,
            text: "a message in clear".into(),
        }),
        Event::KeyPackagesPublished(100),
        Event::DeviceWaiting(DeviceWaiting { group: group(), client: bob() }),
        Event::HeardFrom(HeardFrom { group: group(), client: bob() }),
        Event::Knocked(KnockedEvent { group: group(), user: bob().user() }),
        Event::KnockDenied(KnockDeniedEvent { room: RoomAddress::xmpp("tea@rooms.d") }),
        Event::AnchorsChanged(AnchorsChanged {
            domain: "xmpp.example".into(),
            known: vec![anchor().fingerprint()],
            named: vec![Digest([0xab; 32])],
            group: Some(group()),
        }),
        Event::DeviceCertified(DeviceCertified { client: bob(), at_ms: 1_700_000_000_000 }),
        Event::LoneDevice(LoneDevice { client: bob(), group: group() }),
        Event::StartedAnew(StartedAnew {
            group: group(),
            successor: GroupId(vec![9; 16]),
            suite: 3,
            committer: alice(),
        }),
        alarm(Alarm::LogForked(LogForked { first: 9, second: 7 })),
        alarm(Alarm::NotAsked(NotAsked { index: 8, key: Digest([0xab; 32]), at_ms: 1 })),
        alarm(Alarm::NotLogged(NotLogged { client: bob(), certificate: Digest([0xcd; 32]) })),
        alarm(Alarm::VerifiedUserChanged(VerifiedUserChanged {
            client: bob(),
            known: Ed25519Key([0xab; 32]),
            shown: Ed25519Key([0xcd; 32]),
        })),
        alarm(Alarm::UnsignedDevice(UnsignedDevice { client: bob(), why: None })),
        alarm(Alarm::HubContradicts(HubContradicts { seq: 7, evidence: Digest([0xab; 32]) })),
        alarm(Alarm::OtherState(OtherStateSeen {
            epoch: 7,
            client: bob(),
            evidence: Digest([0xcd; 32]),
        })),
        alarm(Alarm::NoCheckpoints(Network::Xmpp)),
        alarm(Alarm::MessagesMissing(MessagesMissing { epoch: 7, sender: bob(), count: 3 })),
        alarm(Alarm::FellApart("members follow other commits than this device".into())),
        alarm(Alarm::ReAddNeeded("a handshake cannot be processed".into())),
        Event::Rewound(RewoundEvent {
            group: group(),
            to_epoch: 3,
            from_epoch: 5,
            again: vec!["c1".into()],
        }),
        Event::Restarted(Restarted {
            group: group(),
            successor: GroupId(vec![9; 16]),
            by: alice(),
            changed: vec![bob()],
            unknown: Vec::new(),
        }),
    ]
}

#[test]
fn every_event_has_its_pinned_line() {
    let lines = events().into_iter().zip(1..).map(|(event, number)| {
        Line::from(&EventRecord { number, time_ms: 1_700_000_000_500, event }).to_json()
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_answer_has_its_pinned_line() {
    let member = |client, leaf_index, admin: bool| MemberSummary {
        unheard_since_ms: (!admin).then_some(1_700_000_000_000),
        client,
        leaf_index,
        admin,
        signature_key: vec![0xab; 32],
        identity: IdentityStanding::Unsigned,
        standing: match admin {
            true => Standing::Vouched { until_s: 1_800_000_000 },
            false => Standing::Unvouched,
        },
    };
    let summary = GroupSummary {
        branched_from: Some(GroupId(vec![9; 16])),
        order: Order::Room,
        group: group(),
        epoch: 3,
        epoch_digits: "12345 67890".into(),
        rooms: rooms(),
        anchors: vec![NamedAnchor { anchor: anchor(), known: true }],
        suite: 1,
        shared_suites: vec![1, 3],
        members: vec![member(alice(), 0, true), member(bob(), 2, false)],
    };
    let known = DomainAnchors {
        domain: "xmpp.example".into(),
        known: TrustAnchors(vec![anchor()]),
        source: AnchorSource::Hub,
        since_ms: 1_700_000_000_000,
        offered: TrustAnchors(vec![TrustAnchor { certificate: vec![2], ..anchor() }]),
        issued_by_hub: true,
    };
    let key = Ed25519Key([0xab; 32]);
    let asked = DeviceRequest { client: alice(), device_key: Ed25519Key([0xcd; 32]) };
    let DeviceRequest { client, device_key } = asked.clone();
    let statement =
        DeviceStatement { client, identity_key: key, device_key, day: 20_000, signature: [7; 64] };
    let signed = Some(statement.clone());
    let signed = IdentitySummary { client: alice(), statement: signed, made_here: true };
    let unsigned = IdentitySummary { client: alice(), statement: None, made_here: false };
    let seen = Verification {
        own: alice().user(),
        own_key: key,
        user: bob().user(),
        keys: vec![SeenKey { key: device_key, verified: true, clients: [bob()].into() }],
        unsigned: [bob()].into(),
    };
    let lines = [
        Line::LoggedIn { client: alice().to_string() },
        Line::Ready { client: alice().to_string() },
        Line::groups(Some("7".into()), &[summary]),
        Line::groups(None, &[]),
        Line::authorities(Some("9".into()), &[known]),
        Line::certificates(Some("9".into()), None, &[]),
        Line::certificates(None, Some(&log()), &own_entries()),
        Line::Identity(IdentityLine::summary(Some("5".into()), &unsigned)),
        Line::Identity(IdentityLine::request(None, &asked)),
        Line::Identity(IdentityLine::statement(None, &statement)),
        Line::Identity(IdentityLine::summary(None, &signed)),
        Line::Identity(IdentityLine::verification(Some("6".into()), &seen)),
        Line::Membership(MembershipLine::new(&group(), &logged())),
        Line::CommandFailed { n: None, id: "8".into(), why: "too many commands wait".into() },
        Line::EvidenceHolds { text: "the evidence holds".into() },
        Line::Error { why: "missing field `id`".into(), line: Some("{\"text\":\"1\"}".into()) },
        Line::Error { why: "the server is away".into(), line: None },
    ];
    insta::assert_snapshot!(lines.map(|line| line.to_json()).join("\n"));
}

fn log() -> LogSummary {
    let head = TreeHead { size: 9, root: Digest([0xab; 32]), time_ms: 1_700_000_000_000 };
    let head = SignedTreeHead { head, signature: vec![1] };
    LogSummary {
        head: head.clone(),
        read: 9,
        fork: Some(TwoHeads { first: head.clone(), second: head.clone() }),
        forks: vec![KeptFork {
            evidence: LogEvidence {
                domain: "xmpp.example".into(),
                first: shown(head.clone()),
                second: shown(head),
            },
            found_ms: 1_700_000_000_000,
            accepted_ms: None,
        }],
    }
}

fn shown(head: SignedTreeHead) -> ShownHead {
    ShownHead { head, signer: HeadSigner { root: CertificateBytes(vec![1]), chain: vec![] } }
}

fn own_entries() -> [LoggedEntry; 2] {
    let issued = Issued {
        client: alice(),
        certificate: Digest([0xcd; 32]),
        key: Digest([1; 32]),
        serial: SerialNumber(vec![7]),
        not_after_s: 1_800_000_000,
        at_ms: 1_700_000_000_000,
    };
    let revoked = Revoked {
        client: bob(),
        serial: None,
        at_ms: 1_700_000_000_000,
        reason: RevocationReason::KeyCompromise,
    };
    [
        LoggedEntry { index: 3, entry: LogEntry::Issued(issued), asked: Asked::Nowhere },
        LoggedEntry { index: 8, entry: LogEntry::Revoked(revoked), asked: Asked::Elsewhere },
    ]
}
