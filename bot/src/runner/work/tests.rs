//! Tasks over a network that misbehaves. Time is tokio's: it passes when everything waits.

use std::time::Duration;

use mls_core::limits::INLINE_BYTES_MAX;
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::wire::GroupId;
use mls_core::wire::blob::{BlobChunk, BlobRef, Part};
use mls_core::wire::fetch_group_info::GroupState;
use mls_core::wire::fetch_log_leaves::{FetchLogLeaves, LogLeaves};
use mls_core::wire::fetch_revocations::RevocationLists;
use mls_core::wire::fetch_tree_head::FetchTreeHead;
use mls_core::wire::register_group::RegisterGroup;
use tokio::time::{Instant, timeout};

use super::*;
use crate::network::fake::{Call, FakeNetwork};

struct Bench {
    work: Work,
    reports: mpsc::Receiver<Report>,
    calls: mpsc::UnboundedReceiver<Call>,
}

impl Bench {
    fn new(
        say: impl Fn(&Call, usize) -> Result<(), DeliveryError> + Send + Sync + 'static,
    ) -> Self {
        let (fake, calls) = FakeNetwork::new(say);
        let (work, reports) = Work::new(Arc::new(Network::Fake(fake)));
        Self { work, reports, calls }
    }

    async fn next_call(&mut self) -> Call {
        timeout(Duration::from_secs(3600), self.calls.recv()).await.unwrap().unwrap()
    }

    async fn next_report(&mut self) -> Report {
        timeout(Duration::from_secs(3600), self.reports.recv()).await.unwrap().unwrap()
    }

    /// The next posted message, taken in as the runner does.
    async fn next_posted(&mut self) -> (String, u8) {
        match self.next_report().await {
            Report::Posted(room, id, Ok(())) => {
                self.work.posted(&room, &id);
                (room.address, id.0[0])
            }
            other => panic!("{other:?}"),
        }
    }
}

fn later() -> Result<(), DeliveryError> {
    Err(DeliveryError::Later { after_ms: None, why: "busy".to_owned() })
}

fn message(room: &str, number: u8) -> OutgoingMessage {
    OutgoingMessage {
        id: Digest([number; 32]),
        room: RoomAddress::matrix(room),
        group: GroupId(vec![1]),
        epoch: number.into(),
        suite: 1,
        message: vec![number],
        checkpoint: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_another_service_answers_is_put_there_and_no_more_to_the_first() {
    let mut bench = Bench::new(|_, _| Ok(()));
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::FetchRevocations);
    assert_eq!(bench.next_call().await, "request r1");
    for _ in 0..2 {
        bench.work.request(Service::Authentication, "r1".to_owned(), Request::FetchRevocations);
    }
    for _ in 0..3 {
        assert_eq!(bench.next_call().await, "request r1 of the authority");
    }
    // What is too large for the answer lies at the service that answers.
    let list = Part::Blob(BlobRef { hash: Digest([7; 32]), size: 9 });
    let answer = Answer::Revocations(RevocationLists { lists: vec![list] });
    assert!(bench.work.answered("r1".to_owned(), Ok(answer)).is_none());
    let call = bench.next_call().await;
    assert!(call.starts_with("request blob-") && call.ends_with(" of the authority"), "{call}");
}

#[tokio::test(start_paused = true)]
async fn the_hub_of_another_domain_is_asked_for_a_while_and_its_trouble_told() {
    for (trouble, told) in [(later as fn() -> _, "busy"), (|| Ok(()), "nobody answered")] {
        let mut bench = Bench::new(move |_, _| trouble());
        let (start, at) = (Instant::now(), Service::OtherHub("mls.y.org".to_owned()));
        bench.work.request(at, "r1".to_owned(), Request::HubInfo);
        assert_eq!(bench.next_call().await, "request r1 of mls.y.org");
        let report = bench.next_report().await;
        let Report::NotAsked(id, Refusal::Invalid(why)) = report else { panic!("{report:?}") };
        assert_eq!((&*id, &*why, start.elapsed().as_secs()), ("r1", told, 30));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_room_stay_in_order_and_a_busy_room_delays_no_other() {
    let busy = |call: &Call, before| match call.contains("!busy") {
        true if before < 3 => later(),
        _ => Ok(()),
    };
    let mut bench = Bench::new(busy);
    for number in 1..=3 {
        bench.work.post(message("!busy", number), false);
        bench.work.post(message("!free", number + 10), true);
        // Said twice, sent once.
        bench.work.post(message("!busy", number), false);
    }
    let mut posted = Vec::new();
    for _ in 0..6 {
        posted.push(bench.next_posted().await);
    }
    let expected =
        [("!free", 11), ("!free", 12), ("!free", 13), ("!busy", 1), ("!busy", 2), ("!busy", 3)];
    assert_eq!(posted, expected.map(|(room, number)| (room.to_owned(), number)));
    assert!(bench.work.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_request_is_put_under_the_same_id_until_it_is_answered() {
    let mut bench = Bench::new(|_, before| if before == 0 { later() } else { Ok(()) });
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::HubInfo);
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::HubInfo);
    let start = Instant::now();
    let mut seconds = Vec::new();
    for _ in 0..4 {
        assert_eq!(bench.next_call().await, "request r1");
        seconds.push(start.elapsed().as_secs());
    }
    // At once, after a short wait because it was busy, then every 15 s, 30 s.
    assert_eq!(seconds, [0, 0, 15, 45]);
    let input = bench.work.answered("r1".to_owned(), Ok(Answer::Done));
    assert!(matches!(input, Some(Input::Answer(id, Ok(Answer::Done))) if id == "r1"));
    assert!(bench.work.is_idle());
    let quiet = timeout(Duration::from_secs(3600), bench.calls.recv()).await;
    assert!(quiet.is_err(), "it was put again after its answer");
}

#[tokio::test(start_paused = true)]
async fn a_reconnection_puts_unanswered_requests_again_at_once() {
    let mut bench = Bench::new(|_, _| Ok(()));
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::HubInfo);
    bench.next_call().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let start = Instant::now();
    bench.work.reconnected();
    bench.next_call().await;
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_network_keeps_refusing_ends_as_a_refusal() {
    let why = || DeliveryError::Refused { why: "no such room".to_owned() };
    let mut bench = Bench::new(move |_, _| Err(why()));
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::HubInfo);
    let Report::NotAsked(id, refusal) = bench.next_report().await else { panic!("no refusal") };
    bench.work.not_asked(&id);
    assert_eq!(refusal, Refusal::Invalid("no such room".to_owned()));
    assert!(bench.work.is_idle());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_reading_of_the_log_who_did_not_ask_for_it() {
    let mut bench = Bench::new(|_, _| Ok(()));
    let page = Request::FetchLogLeaves(FetchLogLeaves { from: 0, size: 1_000_000 });
    bench.work.request(Service::Authentication, "page".to_owned(), page);
    assert!(bench.work.is_idle() && bench.work.is_reading_log());
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::HubInfo);
    assert!(!bench.work.is_idle());
    bench.work.answered("r1".to_owned(), Ok(Answer::Done));
    assert!(bench.work.is_idle() && bench.work.is_reading_log());
    let leaves = LogLeaves { leaves: Vec::new() };
    bench.work.answered("page".to_owned(), Ok(Answer::LogLeaves(leaves)));
    assert!(bench.work.is_idle() && !bench.work.is_reading_log());
    // One that the network refuses is not waited for either.
    let head = Request::FetchTreeHead(FetchTreeHead { since_size: 0 });
    bench.work.request(Service::Authentication, "head".to_owned(), head);
    bench.work.not_asked(&"head".to_owned());
    assert!(bench.work.is_idle() && !bench.work.is_reading_log());
}

#[tokio::test(start_paused = true)]
async fn a_large_part_is_stored_before_its_request_is_put() {
    let mut bench = Bench::new(|_, _| Ok(()));
    let tree = vec![7; INLINE_BYTES_MAX];
    let handshake_key = HandshakeKey::from_exported(&[5; LENGTH]).unwrap();
    let request = RegisterGroup { group_info: vec![1].into(), tree: tree.into(), handshake_key };
    bench.work.request(Service::Delivery, "r1".to_owned(), Request::RegisterGroup(request));
    for _ in 0..2 {
        let call = bench.next_call().await;
        let id = call.strip_prefix("request ").unwrap().to_owned();
        assert!(id.starts_with("blob-") && id.len() <= 64, "{id}");
        assert!(bench.work.answered(id, Ok(Answer::Done)).is_none(), "the member saw a chunk");
    }
    assert_eq!(bench.next_call().await, "request r1");
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_a_blob_reaches_the_member_whole_or_not_at_all() {
    let hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"; // of "a"
    let hash = Digest(hex::decode(hash).unwrap().try_into().unwrap());
    for (bytes, whole) in [(b"a", true), (b"b", false)] {
        let mut bench = Bench::new(|_, _| Ok(()));
        let tree = Part::Blob(BlobRef { hash, size: 1 });
        let answer = GroupState { group_info: vec![].into(), tree, receipt: vec![] };
        let answer = Ok(Answer::GroupInfo(answer));
        assert!(bench.work.answered("r1".to_owned(), answer).is_none());
        assert!(!bench.work.is_idle());
        let id = bench.next_call().await.strip_prefix("request ").unwrap().to_owned();
        let chunk = BlobChunk { size: 1, bytes: bytes.to_vec() };
        assert!(bench.work.answered(id, Ok(Answer::BlobChunk(chunk))).is_none());
        let Report::Fetched(input) = bench.next_report().await else { panic!("not fetched") };
        bench.work.fetched();
        let part = match input {
            Input::Answer(_, Ok(Answer::GroupInfo(state))) => Some(state.tree),
            _ => None,
        };
        assert_eq!(part, whole.then(|| Part::Inline(bytes.to_vec())));
        assert!(bench.work.is_idle());
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_entered_is_told_and_one_that_refuses_too() {
    let refuse = |call: &Call, _| match call.contains("!shut") {
        true => Err(DeliveryError::Refused { why: "banned".to_owned() }),
        false => Ok(()),
    };
    let mut bench = Bench::new(refuse);
    for (room, invited, inputs) in
        [("!open", true, 1), ("!open", false, 2), ("!shut", true, 0), ("!shut", false, 1)]
    {
        let room = RoomAddress::matrix(room);
        match invited {
            true => bench.work.accept(room, Duration::from_secs(1)),
            false => bench.work.enter(room),
        }
        let Report::Room(task, result) = bench.next_report().await else { panic!("no room") };
        assert_eq!(bench.work.room_done(&task, result).len(), inputs);
        assert!(bench.work.is_idle());
    }
}

#[tokio::test(start_paused = true)]
async fn an_invitation_that_comes_before_its_room_knows_of_it_is_accepted_a_little_later() {
    let early = |_: &Call, before| match before {
        0 | 1 => Err(DeliveryError::Refused { why: "not invited".to_owned() }),
        _ => Ok(()),
    };
    let mut bench = Bench::new(early);
    bench.work.accept(RoomAddress::matrix("!r:elsewhere.org"), Duration::from_secs(3600));
    let Report::Room(task, result) = bench.next_report().await else { panic!("no room") };
    assert_eq!(result, Ok(()));
    assert_eq!(bench.work.room_done(&task, result).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invitation_into_a_room_that_never_answers_comes_to_an_end() {
    let away = |call: &Call, _| if call.starts_with("join") { later() } else { Ok(()) };
    let mut bench = Bench::new(away);
    let (start, patience) = (Instant::now(), Duration::from_secs(24 * 3600));
    bench.work.accept(RoomAddress::xmpp("evil@evil.test"), patience);
    bench.work.accept(RoomAddress::xmpp("evil@evil.test"), patience);
    let report = timeout(patience * 2, bench.reports.recv()).await.unwrap();
    let Some(Report::Room(task, Err(why))) = report else { panic!("{report:?}") };
    assert!(start.elapsed() >= patience && start.elapsed() < patience * 2);
    assert!(bench.work.room_done(&task, Err(why)).is_empty());
    assert!(bench.work.is_idle());
    let mut last = None;
    while let Ok(call) = bench.calls.try_recv() {
        last = Some(call);
    }
    assert!(last.as_ref().is_some_and(|call| call.starts_with("leave")), "{last:?}");
}
