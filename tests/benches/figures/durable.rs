//! What one message costs a member with durable state, beside bare mls-rs in the same run.
//!
//! Committed and synced as the runner of `mls-bot` does it for a caller that gives one command
//! after the other. Once a second of the world's time a tick comes, as there, and what it takes
//! is shown beside.

mod bare;
mod print;

use std::time::{Duration, Instant};

use mls_core::content::encode_text;
use mls_core::limits::MESSAGES_UNCONFIRMED_MAX;
use mls_core::member::{
    Command, Confirmation, Durability, Event, Input, Outcome, OutgoingMessage, Output,
    ReceivedMessage, SendCommand,
};
use mls_core::wire::GroupId;

use bare::{Bare, measure_bare, measure_row};

use crate::peer::Peer;
use crate::spread::Spread;
use crate::step;
use crate::world::{Node, World};

/// Sizes of the groups.
const MEMBERS: [usize; 2] = [10, 1000];
/// Messages that are measured in each group.
const MESSAGES: usize = 640;
/// Messages before those, so that caches are warm.
const WARM_UP: usize = 64;
/// Time between two messages; ten times as many as one account may send through a hub for long.
const BETWEEN_MS: u64 = 10;
/// Messages from one tick to the next.
const MESSAGES_PER_TICK: usize = 100;
/// Messages that are sent together: as many as may be unconfirmed.
const TOGETHER: usize = MESSAGES_UNCONFIRMED_MAX;
/// How often; all messages of one sender are fewer than renew its leaf.
const TURNS_TOGETHER: usize = 60;
/// Characters of one message.
const TEXT: usize = 100;

/// What was measured in a group of one size.
struct Measured {
    bare: Bare,
    ours: Ours,
    row: Spread,
}

/// By our member, each from the beginning: `Member::handle`; the same and the commit of its writes
/// as safe as the outputs need it; the same and synced. And all that comes after.
#[derive(Default)]
struct Times {
    decided: Vec<Duration>,
    durable: Vec<Duration>,
    synced: Vec<Duration>,
    after: Vec<Duration>,
    ticks: Duration,
}

/// The same, in few numbers.
struct Spreads {
    decided: Spread,
    durable: Spread,
    synced: Spread,
    after: Spread,
    /// All ticks, spread over the messages.
    ticks: Duration,
}

struct Ours {
    send: Spreads,
    /// A message's share of some that are sent together, until all may leave.
    together: Spread,
    receive: Spreads,
}

pub(crate) fn run() {
    print::print(&MEMBERS.map(measure));
}

fn measure(members: usize) -> Measured {
    step(&format!("messages: a bare group of {members}"));
    let bare = measure_bare(members);
    step(&format!("messages: a group of {members} over a hub"));
    let mut world = World::new(&[("@alice:a.org", "PHONE"), ("bob@x.org", "00000000000000bb")]);
    let group = world.create_group();
    let peers: Vec<Peer> = (2..members).map(Peer::new).collect();
    world.publish(&peers, 1);
    world.invite(&group, &[world.nodes[1].client.user()]);
    let users: Vec<_> = peers.iter().map(|peer| peer.id.user()).collect();
    world.invite(&group, &users);
    assert_eq!(world.members(&group), members);
    step(&format!("messages: {MESSAGES} in the group of {members}"));
    let ours = measure_ours(&mut world, &group);
    Measured { bare, ours, row: measure_row() }
}

fn measure_ours(world: &mut World, group: &GroupId) -> Ours {
    let (mut send, mut receive) = (Times::default(), Times::default());
    for number in 0..WARM_UP + MESSAGES {
        if number == WARM_UP {
            (send, receive) = (Times::default(), Times::default());
        }
        pass(world, number, &mut send, &mut receive);
        let (content, input) = command(group, format!("m{number}"));
        let outputs = measure_input(world, 0, input, &mut send);
        let message = sent(outputs);
        let begin = Instant::now();
        comes_home(world, &message, &content);
        send.after.push(begin.elapsed());
        read(world, group, message, &content, &mut receive);
    }
    let together = measure_together(world, group);
    Ours { send: send.spreads(), together, receive: receive.spreads() }
}

/// Several commands that wait are taken one after the other, and synced and answered together: each
/// one's share of the time until all of them may leave.
fn measure_together(world: &mut World, group: &GroupId) -> Spread {
    let mut unused = [Times::default(), Times::default()];
    let turn = |turn: usize| {
        let [send, receive] = &mut unused;
        pass(world, turn * TOGETHER, send, receive);
        let commands: Vec<_> =
            (0..TOGETHER).map(|place| command(group, format!("t{turn}.{place}"))).collect();
        let (contents, inputs): (Vec<_>, Vec<_>) = commands.into_iter().unzip();
        let (node, now_ms) = (&mut world.nodes[0], world.now_ms);
        let begin = Instant::now();
        let outputs: Vec<_> = inputs.into_iter().map(|input| decide(node, now_ms, input)).collect();
        let taken = begin.elapsed();
        node.database.sync().unwrap();
        for (outputs, content) in outputs.into_iter().zip(contents) {
            let message = sent(outputs);
            comes_home(world, &message, &content);
            read(world, group, message, &content, receive);
        }
        taken / u32::try_from(TOGETHER).unwrap()
    };
    Spread::of((0..TURNS_TOGETHER).map(turn).collect())
}

/// Time passes before the `number`th message, with a tick now and then.
fn pass(world: &mut World, number: usize, send: &mut Times, receive: &mut Times) {
    world.now_ms += BETWEEN_MS;
    if number.is_multiple_of(MESSAGES_PER_TICK) {
        send.ticks += tick(world, 0);
        receive.ticks += tick(world, 1);
    }
}

fn command(group: &GroupId, id: String) -> (Vec<u8>, Input) {
    let content = content();
    let send = SendCommand { group: group.clone(), content: content.clone() };
    (content, Input::Command(id, Command::Send(send)))
}

/// The room has the message, and its sender hears so and sees it.
fn comes_home(world: &mut World, message: &OutgoingMessage, content: &[u8]) {
    let (alice, now_ms) = (&mut world.nodes[0], world.now_ms);
    alice.input(now_ms, Input::Confirmed(Confirmation::Sent(message.id)));
    let own = ReceivedMessage {
        room: message.room.clone(),
        sender: Some(alice.client.user()),
        sent_ms: now_ms,
        message: message.message.clone(),
        checkpoint: message.checkpoint.clone(),
    };
    assert_eq!(shown(&alice.input(now_ms, Input::Message(own))), content);
}

fn read(
    world: &mut World,
    group: &GroupId,
    message: OutgoingMessage,
    content: &[u8],
    times: &mut Times,
) {
    let (_, room) = world.rooms(group);
    let received = ReceivedMessage {
        room,
        sender: None,
        sent_ms: world.now_ms,
        message: message.message,
        checkpoint: message.checkpoint,
    };
    let outputs = measure_input(world, 1, Input::Message(received), times);
    assert_eq!(shown(&outputs), content);
    let begin = Instant::now();
    world.nodes[1].show(&outputs);
    times.after.push(begin.elapsed());
}

fn measure_input(world: &mut World, index: usize, input: Input, times: &mut Times) -> Vec<Output> {
    let (node, now_ms) = (&mut world.nodes[index], world.now_ms);
    let begin = Instant::now();
    let outcome = node.member.handle(now_ms, input).unwrap();
    times.decided.push(begin.elapsed());
    commit(node, &outcome);
    times.durable.push(begin.elapsed());
    node.database.sync().unwrap();
    times.synced.push(begin.elapsed());
    outcome.outputs
}

/// As the runner does it.
fn commit(node: &Node, outcome: &Outcome) {
    match outcome.durability {
        Durability::Synced => node.database.commit(&outcome.writes),
        Durability::Committed => node.database.commit_unsynced(&outcome.writes),
    }
    .unwrap();
}

fn decide(node: &mut Node, now_ms: u64, input: Input) -> Vec<Output> {
    let outcome = node.member.handle(now_ms, input).unwrap();
    commit(node, &outcome);
    outcome.outputs
}

/// What comes once a second.
fn tick(world: &mut World, index: usize) -> Duration {
    let (node, now_ms) = (&mut world.nodes[index], world.now_ms);
    let begin = Instant::now();
    let outputs = node.input(now_ms, Input::Tick);
    let taken = begin.elapsed();
    assert!(outputs.is_empty(), "nothing else was to happen: {outputs:?}");
    taken
}

impl Times {
    fn spreads(self) -> Spreads {
        let messages = u32::try_from(self.decided.len()).unwrap();
        Spreads {
            decided: Spread::of(self.decided),
            durable: Spread::of(self.durable),
            synced: Spread::of(self.synced),
            after: Spread::of(self.after),
            ticks: self.ticks / messages,
        }
    }
}

pub(crate) fn content() -> Vec<u8> {
    let salt = mls_core::crypto::Crypto::system().random_bytes(16).unwrap();
    encode_text(&"m".repeat(TEXT), salt.try_into().unwrap()).unwrap()
}

fn sent(outputs: Vec<Output>) -> OutgoingMessage {
    let mut messages = outputs.into_iter().filter_map(|output| match output {
        Output::Send(message) => Some(message),
        _ => None,
    });
    messages.next().expect("a Send command sends at once")
}

fn shown(outputs: &[Output]) -> Vec<u8> {
    let mut contents = outputs.iter().filter_map(|output| match output {
        Output::Event(record) => match &record.event {
            Event::Message(message) => Some(message.content.clone()),
            _ => None,
        },
        _ => None,
    });
    contents.next().expect("the message is shown")
}
