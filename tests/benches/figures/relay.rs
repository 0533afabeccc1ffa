//! How many messages one hub takes in, decides, stores and carries out in a second, with servers
//! that cost nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use appservice::carrier::{Carrier, Delivery};
use appservice::limits::DELIVERIES_WAITING_MAX;
use appservice::outbox::OUTBOX;
use appservice::runtime::{Decision, Runtime};
use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{Effect, Incoming, Input, RoomMessage};
use mls_core::store::Store;
use storage::{Database, Role};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{interval, timeout};

use crate::durable::content;
use crate::peer::Peer;
use crate::step;
use crate::world::{World, hub_path, now_ms, setup};

/// Senders, each with a leaf; so many that nobody's rate is reached.
const SENDERS: usize = 200;
/// Messages of each sender: less than a burst.
const EACH: usize = 40;
/// Into how many groups the senders are put.
const GROUPS: [usize; 2] = [1, 20];
/// What is aimed at, in messages a second.
const AIM: f64 = 1000.0;
const DEADLINE: Duration = Duration::from_secs(600);

/// Takes everything at once, and counts.
struct Stand {
    relayed: AtomicUsize,
    expected: usize,
    all: Notify,
}

impl Carrier for Stand {
    async fn carry_out(&self, effect: &Effect, _: bool) -> Result<Option<Input>, DeliveryError> {
        assert!(matches!(effect, Effect::Relay(_)), "{effect:?}");
        if self.relayed.fetch_add(1, Ordering::AcqRel) + 1 == self.expected {
            self.all.notify_one();
        }
        Ok(None)
    }

    fn ghost(&self, _: &UserId, _: &RoomAddress) -> Option<String> {
        None
    }
}

pub(crate) fn run() {
    let rates = GROUPS.map(|groups| (groups, measure(groups)));
    println!(
        "\nRelay: {} messages of {SENDERS} members on XMPP into Matrix rooms, each stored before it \
         is acknowledged and again when it has left; the servers cost nothing",
        SENDERS * EACH
    );
    for (groups, (relayed, done)) in rates {
        let rate =
            |time: Duration| f64::from(u32::try_from(SENDERS * EACH).unwrap()) / time.as_secs_f64();
        let verdict = if rate(relayed) >= AIM { "reaches" } else { "does NOT reach" };
        println!(
            "in {groups:>2} group(s): {:>6.0} messages a second carried out ({verdict} the aim of \
             {AIM:.0}), {:>6.0} with the outbox empty again",
            rate(relayed),
            rate(done),
        );
    }
}

/// The time until all were carried out, and until the outbox was empty.
fn measure(groups: usize) -> (Duration, Duration) {
    step(&format!("relay: {SENDERS} members in {groups} group(s)"));
    let mut world = World::new(&[("@alice:a.org", "PHONE")]);
    let mut peers: Vec<Peer> = (1..=SENDERS).map(Peer::new).collect();
    world.publish(&peers, 1);
    let mut messages = Vec::new();
    for members in peers.chunks_mut(SENDERS / groups) {
        messages.push(group_messages(&mut world, members));
    }
    let folder = world.into_folder();
    // Groups and senders take turns.
    let inputs: Vec<Input> = (0..messages[0].len())
        .flat_map(|number| messages.iter().map(move |group| group[number].clone()))
        .map(Input::Message)
        .collect();
    assert_eq!(inputs.len(), SENDERS * EACH);
    step(&format!("relay: {} messages in {groups} group(s)", inputs.len()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(carry(&hub_path(folder.path()), inputs))
}

/// A group of these members, and what they all send.
fn group_messages(world: &mut World, members: &mut [Peer]) -> Vec<RoomMessage> {
    let group = world.create_group();
    world.welcomes = Some(Vec::new());
    let users: Vec<_> = members.iter().map(|peer| peer.id.user()).collect();
    world.invite(&group, &users);
    let (_, muc) = world.rooms(&group);
    // Who joined in an early slice stays in that epoch: the hub takes three past ones.
    let welcomes = world.welcomes.take().unwrap();
    for peer in &mut *members {
        peer.join(welcomes.iter().find(|welcome| welcome.client == peer.id).unwrap());
    }
    let mut messages = Vec::new();
    for number in 0..EACH {
        for peer in &mut *members {
            messages.push(RoomMessage {
                room: muc.clone(),
                sender: peer.id.user(),
                event: format!("{number} of {}", peer.id),
                sent_ms: now_ms(),
                message: peer.encrypt(&content()),
                checkpoint: None,
            });
        }
    }
    messages
}

async fn carry(path: &Path, inputs: Vec<Input>) -> (Duration, Duration) {
    let database = Database::open(path, Role::Hub, None).unwrap();
    let decision = Decision::open(&setup(), &database).unwrap();
    let (relayed, expected, all) = (AtomicUsize::new(0), inputs.len(), Notify::new());
    let stand = Arc::new(Stand { relayed, expected, all });
    let (deliveries, receiver) = mpsc::channel(DELIVERIES_WAITING_MAX);
    let carrier = Arc::clone(&stand);
    let (_, orders) = mpsc::channel(1);
    let runtime = Runtime::new(setup(), database.clone(), decision, carrier, receiver, orders);
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(runtime.run(async move { stopped.await.unwrap() }));
    let begin = Instant::now();
    let mut stored = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (done, acknowledged) = oneshot::channel();
        let incoming = vec![Incoming::Input(input)];
        let delivery = Delivery { network: Network::Xmpp, incoming, mark: None, done };
        deliveries.send(delivery).await.unwrap();
        stored.push(acknowledged);
    }
    timeout(DEADLINE, stand.all.notified()).await.expect("every message is relayed");
    let relayed = begin.elapsed();
    let empty = async {
        let mut look = interval(Duration::from_millis(1));
        while !database.scan(OUTBOX, b"", b"", 1).unwrap().is_empty() {
            look.tick().await;
        }
    };
    timeout(DEADLINE, empty).await.expect("the outbox gets empty");
    let done = begin.elapsed();
    for acknowledged in stored {
        acknowledged.await.unwrap();
    }
    stop.send(()).unwrap();
    running.await.unwrap();
    (relayed, done)
}
