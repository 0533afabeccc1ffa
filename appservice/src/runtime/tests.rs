//! Nothing that was acknowledged is lost, nothing overtakes within a lane, whatever fails when.

mod alice;
mod publish;

use std::collections::VecDeque;
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{
    AnswerEffect, Effect, HubSetup, Incoming, Input, Relay, Reply, ReplyTo, RequestInput,
    RoomMessage,
};
use mls_core::policy::MESSAGES_BURST;
use mls_core::store::{Store, Write};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::{Digest, GroupId, Request};
use storage::{Database, Role};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use super::{Decision, Runtime};
use crate::carrier::{Carrier, Delivery, Mark};
use crate::limits::LANE_ENTRIES_MAX;
use crate::marks;
use crate::outbox::{OUTBOX, Outbox};

const SOON: Duration = Duration::from_secs(20);

/// Tells each attempt and answers it as the script says; without a script, all goes well.
struct Fake {
    told: mpsc::UnboundedSender<(Effect, bool)>,
    script: Mutex<VecDeque<Outcome>>,
}

enum Outcome {
    Never,
    Panic,
    Fails(DeliveryError),
}

impl Carrier for Fake {
    async fn carry_out(
        &self,
        effect: &Effect,
        tried_before: bool,
    ) -> Result<Option<Input>, DeliveryError> {
        self.told.send((effect.clone(), tried_before)).unwrap();
        let outcome = self.script.lock().unwrap().pop_front();
        match outcome {
            None => Ok(None),
            Some(Outcome::Never) => pending().await,
            Some(Outcome::Panic) => panic!("as the test wants it"),
            Some(Outcome::Fails(error)) => Err(error),
        }
    }

    fn ghost(&self, _: &UserId, _: &RoomAddress) -> Option<String> {
        None
    }
}

/// A runtime at work.
struct Rig {
    database: Database,
    deliveries: mpsc::Sender<Delivery>,
    attempts: mpsc::UnboundedReceiver<(Effect, bool)>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Rig {
    fn start(path: &Path, script: Vec<Outcome>) -> Self {
        let database = Database::open(path, Role::Hub, None).unwrap();
        let setup = setup();
        let (told, attempts) = mpsc::unbounded_channel();
        let carrier = Arc::new(Fake { told, script: Mutex::new(script.into()) });
        let (deliveries, receiver) = mpsc::channel(16);
        let decision = Decision::open(&setup, &database).unwrap();
        let (_, orders) = mpsc::channel(1);
        let runtime = Runtime::new(setup, database.clone(), decision, carrier, receiver, orders);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(runtime.run(async move { stopped.await.unwrap() }));
        Self { database, deliveries, attempts, stop: Some(stop), task }
    }

    /// Hands over one delivery; the receiver hears when it is stored.
    async fn deliver(&self, inputs: Vec<Input>, mark: Option<&str>) -> oneshot::Receiver<()> {
        let (done, stored) = oneshot::channel();
        let incoming = inputs.into_iter().map(Incoming::Input).collect();
        let mark = mark.map(|key| Mark { key: key.to_owned(), value: "v".to_owned() });
        let delivery = Delivery { network: Network::Matrix, incoming, mark, done };
        self.deliveries.send(delivery).await.unwrap();
        stored
    }

    /// The room, request id and history of the next attempt to answer.
    async fn next(&mut self) -> (String, String, bool) {
        let attempt = timeout(SOON, self.attempts.recv()).await.unwrap().unwrap();
        match attempt {
            (Effect::Answer(AnswerEffect { to: ReplyTo::ControlRoom(to), id, .. }), tried) => {
                (to, id, tried)
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    /// The message of the next attempt to relay.
    async fn next_relay(&mut self) -> Vec<u8> {
        let (effect, _) = timeout(SOON, self.attempts.recv()).await.unwrap().unwrap();
        message_of(effect)
    }

    async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(SOON, &mut self.task).await.unwrap().unwrap();
    }

    /// As kill -9 would: whatever is not in the database is gone. What was attempted last.
    async fn kill(self) -> mpsc::UnboundedReceiver<(Effect, bool)> {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.attempts
    }

    async fn until_outbox_is_empty(&self) {
        let mut looks = interval(Duration::from_millis(5));
        let empty = async {
            while !self.database.scan(OUTBOX, b"", b"", 1).unwrap().is_empty() {
                looks.tick().await;
            }
        };
        timeout(SOON, empty).await.unwrap();
    }
}

fn setup() -> HubSetup {
    HubSetup {
        matrix: Some("@mls:example.org".to_owned()),
        xmpp: Some("mls.example.net".to_owned()),
        ..HubSetup::default()
    }
}

fn ask(room: &str, id: &str) -> Input {
    request(room, id, Request::HubInfo)
}

fn request(room: &str, id: &str, request: Request) -> Input {
    Input::Request(RequestInput {
        from: UserId::matrix("@alice:example.org").unwrap(),
        reply_to: ReplyTo::ControlRoom(room.to_owned()),
        id: id.to_owned(),
        request,
    })
}

fn later() -> Outcome {
    Outcome::Fails(DeliveryError::Later { after_ms: Some(10), why: "away".to_owned() })
}

fn refused() -> Outcome {
    Outcome::Fails(DeliveryError::Refused { why: "never".to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_stored_with_its_mark_and_answered_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(&folder.path().join("db"), Vec::new());
    let mut stored = Vec::new();
    for n in 0..40 {
        let inputs = vec![ask("!a", &format!("a{n}")), ask("!b", &format!("b{n}"))];
        stored.push(rig.deliver(inputs, Some(&n.to_string())).await);
    }
    for (n, stored) in stored.into_iter().enumerate() {
        timeout(SOON, stored).await.unwrap().unwrap();
        let mark = marks::read(&rig.database, Network::Matrix, &n.to_string());
        assert_eq!(mark.as_deref(), Some("v"));
    }
    let mut answered = [Vec::new(), Vec::new()];
    for _ in 0..80 {
        let (room, id, tried) = rig.next().await;
        assert!(!tried);
        answered[usize::from(room == "!b")].push(id);
    }
    for (lane, name) in answered.iter().zip(["a", "b"]) {
        assert_eq!(*lane, (0..40).map(|n| format!("{name}{n}")).collect::<Vec<_>>());
    }
    rig.until_outbox_is_empty().await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_everything_acknowledged_goes_out_in_order_marked_as_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let mut rig = Rig::start(&path, vec![Outcome::Never, Outcome::Never]);
    let inputs = vec![ask("!a", "1"), ask("!b", "2"), ask("!a", "3"), ask("!b", "4")];
    timeout(SOON, rig.deliver(inputs, None).await).await.unwrap().unwrap();
    rig.next().await;
    rig.next().await;
    rig.kill().await;
    let mut rig = Rig::start(&path, Vec::new());
    let mut lanes = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        let (room, id, tried) = rig.next().await;
        assert!(tried);
        lanes[usize::from(room == "!b")].push(id);
    }
    assert_eq!(lanes, [["1", "3"], ["2", "4"]]);
    rig.until_outbox_is_empty().await;
    rig.kill().await;
    let mut rig = Rig::start(&path, Vec::new());
    timeout(SOON, rig.deliver(vec![ask("!a", "5")], None).await).await.unwrap().unwrap();
    assert_eq!(rig.next().await, ("!a".to_owned(), "5".to_owned(), false));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_made_again_before_the_next_and_a_refused_one_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let script = vec![later(), later(), refused(), Outcome::Panic];
    let mut rig = Rig::start(&folder.path().join("db"), script);
    let inputs = vec![ask("!a", "1"), ask("!a", "2"), ask("!a", "3")];
    timeout(SOON, rig.deliver(inputs, None).await).await.unwrap().unwrap();
    for (id, tried) in
        [("1", false), ("1", true), ("1", true), ("2", false), ("2", true), ("3", false)]
    {
        assert_eq!(rig.next().await, ("!a".to_owned(), id.to_owned(), tried));
    }
    rig.until_outbox_is_empty().await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_job_hears_that_the_network_refused_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(&folder.path().join("db"), vec![refused()]);
    let create = CreateRoom { matrix: true, xmpp: true, name: "Tea".to_owned() };
    let input = request("!a", "1", Request::CreateRoom(create));
    timeout(SOON, rig.deliver(vec![input], None).await).await.unwrap().unwrap();
    let (job, _) = timeout(SOON, rig.attempts.recv()).await.unwrap().unwrap();
    assert!(matches!(job, Effect::MakeRooms(_)), "{job:?}");
    let (answer, _) = timeout(SOON, rig.attempts.recv()).await.unwrap().unwrap();
    let Effect::Answer(answer) = answer else { panic!("{answer:?}") };
    assert!(matches!(answer.reply, Reply::Refused(_)), "{answer:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_is_not_acknowledged_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(&folder.path().join("db"), Vec::new());
    // An entry that no program of ours wrote: every look at this room fails.
    let room = RoomAddress::matrix("!damaged");
    let key = [b"m", room.address.as_bytes(), &[0]].concat();
    let value = vec![255].into();
    rig.database.commit(&[Write::Put { space: "room", key, value }]).unwrap();
    let message = Input::Message(RoomMessage {
        room,
        sender: UserId::matrix("@alice:example.org").unwrap(),
        event: "$1".to_owned(),
        sent_ms: 0,
        message: Vec::new(),
        checkpoint: None,
    });
    let damaged = rig.deliver(vec![ask("!a", "1"), message], Some("lost")).await;
    assert!(timeout(SOON, damaged).await.unwrap().is_err());
    assert_eq!(marks::read(&rig.database, Network::Matrix, "lost"), None);
    timeout(SOON, rig.deliver(vec![ask("!a", "2")], None).await).await.unwrap().unwrap();
    assert_eq!(rig.next().await, ("!a".to_owned(), "2".to_owned(), false));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_messages_leave_at_the_rate_without_a_tick_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let burst = MESSAGES_BURST as usize;
    let messages = {
        let database = Database::open(&path, Role::Hub, None).unwrap();
        alice::messages_of_alice(setup(), &database, burst + 40)
    };
    let expected: Vec<Vec<u8>> = messages.iter().map(bytes).collect();
    let mut rig = Rig::start(&path, Vec::new());
    let start = Instant::now();
    timeout(SOON, rig.deliver(messages, None).await).await.unwrap().unwrap();
    let mut carried = Vec::new();
    // Carrying the burst takes a while; what is held beyond that has nothing else to wake it.
    while carried.len() < burst + 30 {
        carried.push(rig.next_relay().await);
    }
    let mut attempts = rig.kill().await;
    while let Ok((effect, _)) = attempts.try_recv() {
        carried.push(message_of(effect));
    }
    let mut rig = Rig::start(&path, Vec::new());
    while carried.last() != expected.last() {
        carried.push(rig.next_relay().await);
    }
    // Nobody knows whether the one that was under way had reached the network.
    carried.dedup();
    assert!(carried == expected, "{} of {}", carried.len(), expected.len());
    let took = start.elapsed();
    assert!(took > Duration::from_millis(2500), "40 messages above the burst took {took:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_room_that_is_lost_is_dropped_with_it_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let mut messages = {
        let database = Database::open(&path, Role::Hub, None).unwrap();
        alice::messages_of_alice(setup(), &database, 5)
    };
    let late = messages.split_off(3);
    let mut rig = Rig::start(&path, vec![Outcome::Never]);
    timeout(SOON, rig.deliver(messages, None).await).await.unwrap().unwrap();
    rig.next_relay().await;
    let room = RoomAddress::xmpp(alice::MUC);
    // Two more in the same turn: they wait nowhere yet.
    let lost = late.into_iter().chain([Input::RoomLost { room }, ask("!a", "1")]).collect();
    timeout(SOON, rig.deliver(lost, None).await).await.unwrap().unwrap();
    // Lanes go beside each other: the warning and the answer come in either order.
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(timeout(SOON, rig.attempts.recv()).await.unwrap().unwrap().0);
    }
    assert!(others.iter().any(|effect| matches!(effect, Effect::Notify(_))), "{others:?}");
    assert!(others.iter().any(|effect| matches!(effect, Effect::Answer(_))), "{others:?}");
    rig.until_outbox_is_empty().await;
    let mut attempts = rig.kill().await;
    assert!(attempts.try_recv().is_err(), "something was still done in the lost room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_for_which_too_much_waits_loses_its_oldest_messages_in_the_database_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let messages = {
        let database = Database::open(&path, Role::Hub, None).unwrap();
        let mut messages = alice::messages_of_alice(setup(), &database, 2);
        let many = std::iter::repeat_n(relay(&messages.remove(0)), LANE_ENTRIES_MAX + 1).collect();
        let mut outbox = Outbox::open(&database, |_| {}).unwrap();
        database.commit(&outbox.add(many).unwrap().1).unwrap();
        messages
    };
    let mut rig = Rig::start(&path, vec![Outcome::Never]);
    rig.next_relay().await;
    let entries = || rig.database.scan(OUTBOX, b"", b"", usize::MAX).unwrap();
    let number = |at: usize| u64::from_be_bytes(entries()[at].0.clone().try_into().unwrap());
    assert_eq!((entries().len(), number(0), number(1)), (LANE_ENTRIES_MAX, 0, 2));
    timeout(SOON, rig.deliver(messages, None).await).await.unwrap().unwrap();
    assert_eq!((entries().len(), number(0), number(1)), (LANE_ENTRIES_MAX, 0, 3));
    rig.kill().await;
}

/// The copy into the MUC that a message of Alice leads to.
fn relay(message: &Input) -> Effect {
    let Input::Message(message) = message else { panic!("{message:?}") };
    Effect::Relay(Relay {
        id: Digest([7; 32]),
        room: RoomAddress::xmpp(alice::MUC),
        sender: message.sender.clone(),
        sent_ms: message.sent_ms,
        group: GroupId(vec![1]),
        epoch: 0,
        message: message.message.clone(),
        checkpoint: message.checkpoint.clone(),
    })
}

fn message_of(effect: Effect) -> Vec<u8> {
    match effect {
        Effect::Relay(relay) => relay.message,
        other => panic!("{other:?}"),
    }
}

fn bytes(message: &Input) -> Vec<u8> {
    match message {
        Input::Message(message) => message.message.clone(),
        other => panic!("{other:?}"),
    }
}
