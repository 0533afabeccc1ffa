//! What one message costs a member with durable state, beside bare mls-rs in the same run.
//!
//! Committed and synced as the runner of `mls-bot` does it for a caller that gives one command
//! after the other. Once a second of the world's time a tick comes, as there, and what it takes
//! is shown beside.

mod print;

use std::time::{Duration, Instant};

use mls_core::content::encode_text;
use mls_core::member::{
    Command, Confirmation, Durability, Event, Input, OutgoingMessage, Output, ReceivedMessage,
    SendCommand,
};
use mls_core::store::Write;
use mls_core::wire::GroupId;

use crate::peer::{self, Peer};
use crate::spread::Spread;
use crate::step;
use crate::world::{World, folder, member_database, now_ms};

/// Sizes of the groups.
const MEMBERS: [usize; 2] = [10, 1000];
/// Messages that are measured in each group.
const MESSAGES: usize = 640;
/// Messages before those, so that caches are warm; fewer than renew a leaf, together.
const WARM_UP: usize = 64;
/// Time between two messages; ten times as many as one account may send through a hub for long.
const BETWEEN_MS: u64 = 10;
/// Messages from one tick to the next.
const MESSAGES_PER_TICK: usize = 100;
/// Characters of one message.
const TEXT: usize = 100;

/// What was measured in a group of one size.
struct Measured {
    bare: Bare,
    ours: Ours,
    row: Spread,
}

/// By mls-rs alone.
struct Bare {
    encrypt: Spread,
    decrypt: Spread,
    /// Right after a row was synced, as our member's messages are.
    encrypt_after_sync: Spread,
    decrypt_after_sync: Spread,
    encrypt_and_write: Spread,
    decrypt_and_write: Spread,
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

fn measure_bare(members: usize) -> Bare {
    let folder = folder();
    let databases = ["sender.db", "receiver.db"].map(|name| member_database(folder.path(), name));
    let other = member_database(folder.path(), "other.db");
    let (mut sender, mut receiver) = peer::pair(members, databases, now_ms());
    let mut turn = |between: &dyn Fn(), write: bool| {
        let content = content();
        between();
        let begin = Instant::now();
        let message = sender.encrypt(&content);
        if write {
            sender.write();
        }
        let encrypted = begin.elapsed();
        between();
        let begin = Instant::now();
        let read = receiver.decrypt(&message);
        if write {
            receiver.write();
        }
        assert_eq!(read, content);
        (encrypted, begin.elapsed())
    };
    let mut rounds = |between: &dyn Fn(), write| {
        let times = (0..WARM_UP + MESSAGES).map(|_| turn(between, write));
        let (encrypt, decrypt) = times.skip(WARM_UP).unzip();
        (Spread::of(encrypt), Spread::of(decrypt))
    };
    let (encrypt, decrypt) = rounds(&|| (), false);
    let (encrypt_after_sync, decrypt_after_sync) =
        rounds(&|| other.commit(&[small_row(0)]).unwrap(), false);
    let (encrypt_and_write, decrypt_and_write) = rounds(&|| (), true);
    Bare {
        encrypt,
        decrypt,
        encrypt_after_sync,
        decrypt_after_sync,
        encrypt_and_write,
        decrypt_and_write,
    }
}

fn measure_ours(world: &mut World, group: &GroupId) -> Ours {
    let (_, muc) = world.rooms(group);
    let (mut send, mut receive) = (Times::default(), Times::default());
    for number in 0..WARM_UP + MESSAGES {
        if number == WARM_UP {
            (send, receive) = (Times::default(), Times::default());
        }
        world.now_ms += BETWEEN_MS;
        if number % MESSAGES_PER_TICK == 0 {
            send.ticks += tick(world, 0);
            receive.ticks += tick(world, 1);
        }
        let content = content();
        let command = SendCommand { group: group.clone(), content: content.clone() };
        let input = Input::Command(format!("m{number}"), Command::Send(command));
        let outputs = measure_input(world, 0, input, &mut send);
        let message = sent(outputs);
        let begin = Instant::now();
        let (alice, now_ms) = (&mut world.nodes[0], world.now_ms);
        alice.input(now_ms, Input::Confirmed(Confirmation::Sent(message.id)));
        let own = ReceivedMessage {
            room: message.room,
            sender: Some(alice.client.user()),
            sent_ms: now_ms,
            message: message.message.clone(),
        };
        assert_eq!(shown(&alice.input(now_ms, Input::Message(own))), content);
        send.after.push(begin.elapsed());
        let received = ReceivedMessage {
            room: muc.clone(),
            sender: None,
            sent_ms: now_ms,
            message: message.message,
        };
        let outputs = measure_input(world, 1, Input::Message(received), &mut receive);
        assert_eq!(shown(&outputs), content);
        let begin = Instant::now();
        world.nodes[1].show(&outputs);
        receive.after.push(begin.elapsed());
    }
    Ours { send: send.spreads(), receive: receive.spreads() }
}

fn measure_input(world: &mut World, index: usize, input: Input, times: &mut Times) -> Vec<Output> {
    let (node, now_ms) = (&mut world.nodes[index], world.now_ms);
    let begin = Instant::now();
    let outcome = node.member.handle(now_ms, input).unwrap();
    times.decided.push(begin.elapsed());
    match outcome.durability {
        Durability::Synced => node.database.commit(&outcome.writes),
        Durability::Committed => node.database.commit_unsynced(&outcome.writes),
    }
    .unwrap();
    times.durable.push(begin.elapsed());
    node.database.sync().unwrap();
    times.synced.push(begin.elapsed());
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

/// What every durable thing costs at least: one small row in one transaction.
fn measure_row() -> Spread {
    let folder = folder();
    let database = member_database(folder.path(), "rows.db");
    let write = |number: usize| {
        let row = small_row(number);
        let begin = Instant::now();
        database.commit(&[row]).unwrap();
        begin.elapsed()
    };
    Spread::of((0..MESSAGES).map(write).collect())
}

fn small_row(number: usize) -> Write {
    let key = number.to_be_bytes().to_vec();
    Write::Put { space: "row", key, value: vec![7; 200].into() }
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
    let salt = mls_core::engine::random_bytes(16).unwrap();
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
