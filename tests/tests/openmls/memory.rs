//! Both networks in memory: one hub, members on mls-rs, and places for peers on OpenMLS.
//!
//! Nothing waits: what a peer asks is answered at once; what is for members lies in a queue until
//! the world runs, what is for a peer in its inbox until it looks. Time is this machine's, for
//! OpenMLS looks at its clock, and goes on only when a test lets it.

mod carry;
mod engine;
mod place;
mod rogue;
mod story;

pub(crate) use place::{At, Place};
pub(crate) use story::{
    ALICE, BOB, JULIET, OTTO, PETRA, ROMEO, both_rooms, everybody_agrees, group_of, group_with,
};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::hub::{self, Hub, HubSetup, Reply, ReplyTo, RequestInput};
use mls_core::member::{Confirmation, Event, Input, Member, Output};
use mls_core::store::MemoryStore;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

/// More steps than any test needs.
const STEPS_MAX: usize = 50_000;

/// One device on mls-rs.
pub(crate) struct Node {
    pub(crate) client: ClientId,
    pub(crate) member: Member,
    pub(crate) store: MemoryStore,
    pub(crate) events: Vec<Event>,
    seen: BTreeSet<u64>,
    packages: Packages,
}

/// Key packages of a Matrix device at its homeserver, by suite.
#[derive(Default)]
struct Packages {
    one_time: BTreeMap<u16, VecDeque<Vec<u8>>>,
    last_resort: BTreeMap<u16, Vec<u8>>,
}

/// One thing on its way from or to a member.
enum Task {
    ToMember(usize, Input),
    ToHub(hub::Input),
}

/// The whole world.
pub(crate) struct World {
    hub: Hub,
    hub_store: MemoryStore,
    pub(crate) nodes: Vec<Node>,
    places: Vec<Place>,
    queue: VecDeque<Task>,
    pub(crate) now_ms: u64,
    /// Accounts in the list of each room, and in each room.
    lists: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    inside: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    /// Answers for peers, by request.
    replies: BTreeMap<String, Reply>,
    numbers: u64,
}

impl World {
    /// A hub and these devices on mls-rs; all are connected and have published.
    pub(crate) fn new(devices: &[(&str, &str)]) -> Self {
        let hub_store = MemoryStore::default();
        let hub = open_hub(&hub_store);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut world = Self {
            hub,
            hub_store,
            nodes: Vec::new(),
            places: Vec::new(),
            queue: VecDeque::new(),
            now_ms: u64::try_from(now.as_millis()).unwrap(),
            lists: BTreeMap::new(),
            inside: BTreeMap::new(),
            replies: BTreeMap::new(),
            numbers: 0,
        };
        for (account, device) in devices {
            world.add_member(account, device);
        }
        world.run();
        world
    }

    fn add_member(&mut self, account: &str, device: &str) {
        let client = UserId::from_human(account).unwrap().device(device).unwrap();
        let store = MemoryStore::default();
        let member = open_member(&store, &client);
        let (events, seen, packages) = (Vec::new(), BTreeSet::new(), Packages::default());
        self.nodes.push(Node { client, member, store, events, seen, packages });
        self.give(self.nodes.len() - 1, Input::Connected);
    }

    /// Opens the hub and all members anew, from what they have stored.
    pub(crate) fn restart(&mut self) {
        self.hub = open_hub(&self.hub_store);
        for node in &mut self.nodes {
            node.member = open_member(&node.store, &node.client);
        }
        for index in 0..self.nodes.len() {
            for output in self.nodes[index].member.pending().unwrap() {
                self.act(index, output);
            }
        }
    }

    /// Puts an input into a member's queue.
    pub(crate) fn give(&mut self, index: usize, input: Input) {
        self.queue.push_back(Task::ToMember(index, input));
    }

    /// Works until nothing is on its way to or from a member.
    pub(crate) fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.step() {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Takes one thing; false if there is none.
    pub(crate) fn step(&mut self) -> bool {
        match self.queue.pop_front() {
            Some(Task::ToMember(index, input)) => self.member_handles(index, input),
            Some(Task::ToHub(input)) => self.hub_handles(input),
            None => return false,
        }
        true
    }

    /// Lets time pass in steps of one second, and members come to rest after each.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ms += 1000;
            for index in 0..self.nodes.len() {
                self.give(index, Input::Tick);
            }
            self.run();
        }
    }

    fn member_handles(&mut self, index: usize, input: Input) {
        let node = &mut self.nodes[index];
        let outcome = node.member.handle(self.now_ms, input).unwrap();
        node.store.apply(&outcome.writes);
        for output in outcome.outputs {
            self.act(index, output);
        }
    }

    fn act(&mut self, index: usize, output: Output) {
        let user = self.nodes[index].client.user();
        match output {
            Output::Request(_, id, request) => {
                let reply_to = ReplyTo::Jid(index.to_string());
                let input = RequestInput { from: user, reply_to, id, request };
                self.queue.push_back(Task::ToHub(hub::Input::Request(input)));
            }
            Output::Send(message) => {
                self.give(index, Input::Confirmed(Confirmation::Sent(message.id)));
                self.post(&message.room, &user, message.message, message.checkpoint);
            }
            Output::UploadKeyPackages(upload) => self.upload(index, upload),
            Output::JoinRoom(room) => {
                let result = self.enter(&room, &user);
                self.give(index, Input::Confirmed(Confirmation::Room(room, result)));
            }
            Output::LeaveRoom(room) => {
                self.leave(&room, &user);
                self.give(index, Input::Confirmed(Confirmation::Room(room, Ok(()))));
            }
            Output::Event(record) => {
                let node = &mut self.nodes[index];
                if node.seen.insert(record.number) {
                    node.events.push(record.event);
                }
                node.store.apply(&node.member.seen(record.number));
            }
        }
    }

    fn hub_handles(&mut self, input: hub::Input) {
        let outcome = self.hub.handle(self.now_ms, input).unwrap();
        self.hub_store.apply(&outcome.writes);
        for effect in outcome.effects {
            self.carry_out(effect);
        }
    }

    /// A place in the networks for a device that is no member of ours.
    pub(crate) fn place(&mut self, client: &ClientId) {
        self.places.push(Place::new(client.clone()));
    }

    /// The link of the device in its place.
    pub(crate) fn at(&mut self, client: &ClientId) -> At<'_> {
        let index = self.places.iter().position(|place| place.client == *client).unwrap();
        At { world: self, index }
    }

    /// A request of an account, answered at once.
    fn ask(&mut self, from: &UserId, request: Request) -> Reply {
        self.numbers += 1;
        let id = format!("peer-{}", self.numbers);
        let reply_to = ReplyTo::Jid("peer".to_owned());
        let input = RequestInput { from: from.clone(), reply_to, id: id.clone(), request };
        self.hub_handles(hub::Input::Request(input));
        self.replies.remove(&id).expect("an answer at once")
    }

    /// A request in the name of any account.
    pub(crate) fn ask_as(&mut self, from: &UserId, request: Request) -> Result<Answer, Refusal> {
        match self.ask(from, request) {
            Reply::Ok(answer) => Ok(answer),
            Reply::Refused(refusal) => Err(refusal),
            Reply::Sealed(_) => panic!("nothing was sealed"),
        }
    }

    /// What is on its way comes the other way round.
    pub(crate) fn turn_around(&mut self) {
        self.queue = std::mem::take(&mut self.queue).into_iter().rev().collect();
    }

    /// The node of a client.
    fn node_of(&self, client: &ClientId) -> Option<usize> {
        self.nodes.iter().position(|node| node.client == *client)
    }

    /// Whether a user's own network is the room's.
    fn is_at_home(user: &UserId, room: &RoomAddress) -> bool {
        user.network() == room.network
    }
}

fn open_hub(store: &MemoryStore) -> Hub {
    let setup = HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        ..HubSetup::default()
    };
    let (hub, writes) = Hub::open(Arc::new(store.clone()), setup).unwrap();
    store.apply(&writes);
    hub
}

fn open_member(store: &MemoryStore, client: &ClientId) -> Member {
    let (member, writes) = Member::open(Arc::new(store.clone()), client.clone()).unwrap();
    store.apply(&writes);
    member
}
