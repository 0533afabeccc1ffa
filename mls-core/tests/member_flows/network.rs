//! Two networks in memory, with one hub and some members: rooms, a homeserver's key packages,
//! and a queue whose entries can be doubled, reordered and lost. Time stands still unless told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mls_core::address::{ClientId, Network, RoomAddress, UserId};
use mls_core::checkpoint::CheckpointBytes;
use mls_core::hub::{self, Hub, HubSetup, ReplyTo};
use mls_core::member::{
    Command, Confirmation, Durability, Event, Input, Member, Output, ReceivedMessage,
};
use mls_core::service::Service;
use mls_core::store::{MemoryStore, Write};
use mls_core::wire::{Digest, Request};
use mls_rs_codec::MlsEncode;

use crate::handshake_keys::HandshakeKeys;
use crate::two_services::Apart;

/// When the tests begin: some day in 2027.
pub(crate) const START_MS: u64 = 1_800_000_000_000;
/// More steps than any test needs.
const STEPS_MAX: usize = 50_000;

/// What a restart finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Restarts {
    /// None.
    #[default]
    Never,
    /// Every member is opened again before every input.
    BeforeEveryInput,
    /// After every input its outputs are lost and given again by `pending`.
    AfterEveryInput,
}

/// One thing on its way.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    ToMember(usize, Input),
    ToHub(hub::Input),
}

impl Task {
    /// Whether it brings the hub a request of some kind.
    pub(crate) fn asks(&self, wanted: impl Fn(&Request) -> bool) -> bool {
        matches!(self, Self::ToHub(hub::Input::Request(asked)) if wanted(&asked.request))
    }

    /// Whether it brings the hub a commit.
    pub(crate) fn is_commit(&self) -> bool {
        self.asks(|request| matches!(request, Request::SubmitCommit(_)))
    }
}

/// One device.
pub(crate) struct Node {
    pub(crate) client: ClientId,
    pub(crate) store: MemoryStore,
    pub(crate) member: Member,
    /// All that is on the disk, and what is committed after it.
    pub(crate) synced: Vec<Write>,
    pub(crate) unsynced: Vec<Write>,
    pub(crate) events: Vec<Event>,
    seen: BTreeSet<u64>,
    /// One-time packages at the homeserver, and the last resorts, by suite.
    pub(crate) one_time: BTreeMap<u16, VecDeque<Vec<u8>>>,
    pub(crate) last_resort: BTreeMap<u16, Vec<u8>>,
    /// Nothing reaches a device that is away; what is for it waits.
    pub(crate) away: bool,
    pub(crate) waiting: VecDeque<Input>,
}

/// Looks at, and may change, what goes to a member; false loses it.
pub(crate) type Tamper = Box<dyn FnMut(usize, &mut Input) -> bool>;

/// The whole world.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) nodes: Vec<Node>,
    pub(crate) queue: VecDeque<Task>,
    pub(crate) now_ms: u64,
    pub(crate) restarts: Restarts,
    /// Every notice and room message comes twice.
    pub(crate) doubled: bool,
    /// The queue is worked on in an order drawn from this seed.
    pub(crate) shuffled: Option<u64>,
    pub(crate) tamper: Tamper,
    /// Looks at, and may change, what goes to the hub.
    pub(crate) hub_tamper: Box<dyn FnMut(&mut hub::Input)>,
    pub(crate) hub_store: MemoryStore,
    /// All that the hub ever wrote, and all that it was given since the test cleared it.
    pub(crate) hub_writes: Vec<Write>,
    pub(crate) hub_inputs: Vec<hub::Input>,
    /// Accounts in the list of each room.
    pub(crate) lists: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    /// Accounts in each room.
    pub(crate) inside: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    pub(crate) publishing: BTreeMap<String, (usize, Digest)>,
    /// Of all groups and epochs.
    pub(crate) keys: HandshakeKeys,
    /// Requests and answers travel sealed, and here is all of it that servers see.
    pub(crate) servers_see: Option<Vec<Vec<u8>>>,
    /// The authority, where it is a service of its own.
    pub(crate) authority: Option<Apart>,
    /// The hubs of other domains.
    pub(crate) other_hubs: Vec<Apart>,
    commands: u64,
}

impl World {
    /// A hub and these devices, e.g. `@alice:a.org PHONE` or `juliet@x.org 0011223344556677`;
    /// all are connected and have published.
    pub(crate) fn new(devices: &[(&str, &str)]) -> Self {
        Self::new_at(START_MS, devices)
    }

    /// The same, at a time.
    pub(crate) fn new_at(now_ms: u64, devices: &[(&str, &str)]) -> Self {
        let hub_store = MemoryStore::default();
        let (hub, hub_writes) = make_hub(&hub_store);
        let mut world = Self {
            hub,
            nodes: Vec::new(),
            queue: VecDeque::new(),
            now_ms,
            restarts: Restarts::Never,
            doubled: false,
            shuffled: None,
            tamper: Box::new(|_, _| true),
            hub_tamper: Box::new(|_| ()),
            hub_store,
            hub_writes,
            hub_inputs: Vec::new(),
            lists: BTreeMap::new(),
            inside: BTreeMap::new(),
            publishing: BTreeMap::new(),
            keys: HandshakeKeys::default(),
            servers_see: None,
            authority: None,
            other_hubs: Vec::new(),
            commands: 0,
        };
        for (account, device) in devices {
            world.add(account, device);
        }
        world.run();
        world
    }

    /// One more device, which connects.
    pub(crate) fn add(&mut self, account: &str, device: &str) -> usize {
        let client = UserId::from_human(account).unwrap().device(device).unwrap();
        let store = MemoryStore::default();
        let (member, synced) = open_member(&store, &client);
        let node = Node {
            client,
            store,
            member,
            synced,
            unsynced: Vec::new(),
            events: Vec::new(),
            seen: BTreeSet::new(),
            one_time: BTreeMap::new(),
            last_resort: BTreeMap::new(),
            away: false,
            waiting: VecDeque::new(),
        };
        self.nodes.push(node);
        let index = self.nodes.len() - 1;
        self.give(index, Input::Connected);
        index
    }

    pub(crate) fn user(&self, index: usize) -> UserId {
        self.nodes[index].client.user()
    }

    /// Puts an input into a member's queue.
    pub(crate) fn give(&mut self, index: usize, input: Input) {
        self.queue.push_back(Task::ToMember(index, input));
    }

    /// Gives a command under a fresh id, which is returned.
    pub(crate) fn command(&mut self, index: usize, command: Command) -> String {
        self.commands += 1;
        let id = format!("c{}", self.commands);
        self.give(index, Input::Command(id.clone(), command));
        id
    }

    /// Works until nothing is on its way.
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
        let place = match &mut self.shuffled {
            Some(seed) if !self.queue.is_empty() => {
                *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                usize::try_from(*seed >> 33).unwrap() % self.queue.len()
            }
            _ => 0,
        };
        match self.queue.remove(place) {
            Some(Task::ToMember(index, input)) => self.member_handles(index, input),
            Some(Task::ToHub(input)) => self.hub_handles(input),
            None => return false,
        }
        true
    }

    /// Lets time pass in steps of one second, and everything come to rest after each; the hub looks at
    /// its clock each minute.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ms += 1000;
            if self.now_ms.is_multiple_of(60_000) {
                self.queue.push_back(Task::ToHub(hub::Input::Tick));
            }
            for index in 0..self.nodes.len() {
                self.give(index, Input::Tick);
            }
            self.run();
        }
    }

    /// The device is back: what waited comes, then the connection is there.
    pub(crate) fn come_back(&mut self, index: usize) {
        self.nodes[index].away = false;
        let waiting = std::mem::take(&mut self.nodes[index].waiting);
        self.queue.extend(waiting.into_iter().map(|input| Task::ToMember(index, input)));
        self.give(index, Input::Connected);
    }

    fn member_handles(&mut self, index: usize, mut input: Input) {
        if self.nodes[index].away && !matches!(input, Input::Command(..)) {
            if !matches!(input, Input::Tick) {
                self.nodes[index].waiting.push_back(input);
            }
            return;
        }
        if !(self.tamper)(index, &mut input) {
            return;
        }
        if self.restarts == Restarts::BeforeEveryInput {
            self.reopen(index);
        }
        let node = &mut self.nodes[index];
        let outcome = node.member.handle(self.now_ms, input).unwrap();
        node.commit(&outcome.writes, outcome.durability);
        if self.restarts == Restarts::AfterEveryInput && !outcome.outputs.is_empty() {
            self.restart(index);
        } else {
            self.act(index, outcome.outputs);
        }
    }

    pub(crate) fn act(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Request(Service::Delivery, id, request) => self.ask(index, id, request),
                Output::Request(to, id, request) => self.ask_apart(&to, index, &id, &request),
                Output::Send(message) => {
                    let (room, sender) = (message.room.clone(), self.user(index));
                    self.give(index, Input::Confirmed(Confirmation::Sent(message.id)));
                    self.post(&room, &sender, message.message, message.checkpoint);
                }
                Output::UploadKeyPackages(upload) => self.upload(index, upload),
                Output::JoinRoom(room) => self.join_room(index, &room),
                Output::LeaveRoom(room) => {
                    let user = self.user(index);
                    self.leave_room(&room, &user);
                    self.give(index, Input::Confirmed(Confirmation::Room(room, Ok(()))));
                }
                Output::Event(record) => {
                    let node = &mut self.nodes[index];
                    if node.seen.insert(record.number) {
                        node.events.push(record.event);
                    }
                    let writes = node.member.seen(record.number);
                    node.commit(&writes, Durability::Synced);
                }
            }
        }
    }

    pub(crate) fn ask(&mut self, index: usize, id: String, request: Request) {
        let from = self.user(index);
        let reply_to = match from.network() {
            Network::Matrix => ReplyTo::ControlRoom(index.to_string()),
            Network::Xmpp => ReplyTo::Jid(index.to_string()),
        };
        let input = match &mut self.servers_see {
            Some(seen) => {
                self.keys.learn(&request);
                let sealer = self.nodes[index].member.sealer();
                let sealed = sealer.seal(&Service::Delivery, &id, &request).unwrap();
                seen.push(sealed.mls_encode_to_vec().unwrap());
                hub::Input::asked(from, reply_to, id, sealed)
            }
            None => hub::Input::Request(hub::RequestInput { from, reply_to, id, request }),
        };
        self.queue.push_back(Task::ToHub(input));
    }

    /// Somebody posts an encrypted message into a room.
    pub(crate) fn post(
        &mut self,
        room: &RoomAddress,
        sender: &UserId,
        message: Vec<u8>,
        checkpoint: Option<CheckpointBytes>,
    ) {
        let sent_ms = self.now_ms;
        let posted = hub::RoomMessage {
            room: room.clone(),
            sender: sender.clone(),
            event: format!("event{}", self.queue.len()),
            sent_ms,
            message: message.clone(),
            checkpoint: checkpoint.clone(),
        };
        self.queue.push_back(Task::ToHub(hub::Input::Message(posted)));
        let (room_of, sender) = (room.clone(), Some(sender.clone()));
        let received = ReceivedMessage { room: room_of, sender, sent_ms, message, checkpoint };
        self.post_into_room(room, Input::Message(received));
    }

    pub(crate) fn post_into_room(&mut self, room: &RoomAddress, input: Input) {
        let inside = self.inside.get(room).cloned().unwrap_or_default();
        for index in 0..self.nodes.len() {
            if inside.contains(&self.user(index)) {
                for _ in 0..=usize::from(self.doubled) {
                    self.give(index, input.clone());
                }
            }
        }
    }

    fn hub_handles(&mut self, mut input: hub::Input) {
        if let hub::Input::Request(request) = &input {
            self.keys.learn(&request.request);
        }
        (self.hub_tamper)(&mut input);
        self.hub_inputs.push(input.clone());
        let outcome = self.hub.handle(self.now_ms, input).unwrap();
        self.note_what_servers_see(&outcome.effects);
        self.hub_store.apply(&outcome.writes);
        self.hub_writes.extend(outcome.writes);
        for effect in outcome.effects {
            self.carry_out(&Service::Delivery, effect);
        }
    }
}

impl Node {
    pub(crate) fn commit(&mut self, writes: &[Write], durability: Durability) {
        self.store.apply(writes);
        self.unsynced.extend_from_slice(writes);
        if durability == Durability::Synced {
            self.sync();
        }
    }

    pub(crate) fn sync(&mut self) {
        self.synced.append(&mut self.unsynced);
    }
}

pub(crate) fn open_hub(store: &MemoryStore) -> Hub {
    make_hub(store).0
}

fn make_hub(store: &MemoryStore) -> (Hub, Vec<Write>) {
    let setup = HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        ..HubSetup::default()
    };
    let (hub, writes) = Hub::open(Arc::new(store.clone()), setup).unwrap();
    store.apply(&writes);
    (hub, writes)
}

pub(crate) fn open_member(store: &MemoryStore, client: &ClientId) -> (Member, Vec<Write>) {
    let (member, writes) = Member::open(Arc::new(store.clone()), client.clone()).unwrap();
    store.apply(&writes);
    (member, writes)
}
