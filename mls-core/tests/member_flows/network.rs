//! Two networks in memory, with one hub and some members: rooms, a homeserver's key packages,
//! and a queue whose entries can be doubled, reordered and lost. Time stands still unless told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mls_core::address::{ClientId, Network, RoomAddress, UserId};
use mls_core::hub::{self, Effect, Hub, HubSetup, Reply, ReplyTo};
use mls_core::member::{
    Command, Confirmation, Event, Input, KeyPackageUpload, Member, Output, ReceivedMessage,
};
use mls_core::store::{MemoryStore, Write};
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Digest, Notice, Request};

/// When the tests begin: some day in 2027.
pub(crate) const START_MS: u64 = 1_800_000_000_000;
/// More steps than any test needs.
const STEPS_MAX: usize = 200_000;

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

/// One device.
pub(crate) struct Node {
    pub(crate) client: ClientId,
    pub(crate) store: MemoryStore,
    pub(crate) member: Member,
    pub(crate) events: Vec<Event>,
    seen: BTreeSet<u64>,
    /// One-time packages at the homeserver, and the last resort.
    one_time: VecDeque<Vec<u8>>,
    last_resort: Option<Vec<u8>>,
    /// Nothing reaches a device that is away; what is for it waits.
    pub(crate) away: bool,
    waiting: VecDeque<Input>,
}

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
    /// Looks at, and may change, what goes to a member; false loses it.
    pub(crate) tamper: Box<dyn FnMut(usize, &mut Input) -> bool>,
    hub_store: MemoryStore,
    /// All that the hub ever wrote, and all that it was given since the test cleared it.
    hub_writes: Vec<Write>,
    pub(crate) hub_inputs: Vec<hub::Input>,
    /// Accounts in the list of each room.
    lists: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    /// Accounts in each room.
    pub(crate) inside: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    publishing: BTreeMap<String, (usize, Digest)>,
    commands: u64,
}

impl World {
    /// A hub and these devices, e.g. `@alice:a.org PHONE` or `juliet@x.org 0011223344556677`;
    /// all are connected and have published.
    pub(crate) fn new(devices: &[(&str, &str)]) -> Self {
        let hub_store = MemoryStore::default();
        let (hub, hub_writes) = make_hub(&hub_store);
        let mut world = Self {
            hub,
            nodes: Vec::new(),
            queue: VecDeque::new(),
            now_ms: START_MS,
            restarts: Restarts::Never,
            doubled: false,
            shuffled: None,
            tamper: Box::new(|_, _| true),
            hub_store,
            hub_writes,
            hub_inputs: Vec::new(),
            lists: BTreeMap::new(),
            inside: BTreeMap::new(),
            publishing: BTreeMap::new(),
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
        let member = open_member(&store, &client);
        let node = Node {
            client,
            store,
            member,
            events: Vec::new(),
            seen: BTreeSet::new(),
            one_time: VecDeque::new(),
            last_resort: None,
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

    /// Lets time pass in steps of one second, and everything come to rest after each.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ms += 1000;
            for index in 0..self.nodes.len() {
                self.give(index, Input::Tick);
            }
            self.run();
        }
    }

    /// Opens a member again from what was committed, as after kill -9; its outputs that were on
    /// their way are given again by `pending`.
    pub(crate) fn restart(&mut self, index: usize) {
        self.reopen(index);
        let outputs = self.nodes[index].member.pending().unwrap();
        self.act(index, outputs);
    }

    fn reopen(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.member = open_member(&node.store, &node.client);
    }

    /// Restarts the hub.
    pub(crate) fn restart_hub(&mut self) {
        self.hub = open_hub(&self.hub_store);
    }

    /// A copy of the hub as it is now, which may go on with another story.
    pub(crate) fn hub_twin(&self) -> Hub {
        let store = MemoryStore::default();
        store.apply(&self.hub_writes);
        open_hub(&store)
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
        node.store.apply(&outcome.writes);
        if self.restarts == Restarts::AfterEveryInput && !outcome.outputs.is_empty() {
            self.restart(index);
        } else {
            self.act(index, outcome.outputs);
        }
    }

    fn act(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Request(id, request) => self.ask(index, id, request),
                Output::Send(message) => {
                    let (room, sender) = (message.room.clone(), self.user(index));
                    self.give(index, Input::Confirmed(Confirmation::Sent(message.id)));
                    self.post(&room, &sender, message.message);
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
                    node.store.apply(&writes);
                }
            }
        }
    }

    fn ask(&mut self, index: usize, id: String, request: Request) {
        let from = self.user(index);
        let reply_to = match from.network() {
            Network::Matrix => ReplyTo::ControlRoom(index.to_string()),
            Network::Xmpp => ReplyTo::Jid(index.to_string()),
        };
        let request = hub::RequestInput { from, reply_to, id, request };
        self.queue.push_back(Task::ToHub(hub::Input::Request(request)));
    }

    /// Somebody posts an encrypted message into a room.
    pub(crate) fn post(&mut self, room: &RoomAddress, sender: &UserId, message: Vec<u8>) {
        let sent_ms = self.now_ms;
        let posted = hub::RoomMessage {
            room: room.clone(),
            sender: sender.clone(),
            event: format!("event{}", self.queue.len()),
            sent_ms,
            message: message.clone(),
        };
        self.queue.push_back(Task::ToHub(hub::Input::Message(posted)));
        let received = ReceivedMessage {
            room: room.clone(),
            sender: Some(sender.clone()),
            sent_ms,
            message,
        };
        self.to_room(room, Input::Message(received));
    }

    fn to_room(&mut self, room: &RoomAddress, input: Input) {
        let inside = self.inside.get(room).cloned().unwrap_or_default();
        for index in 0..self.nodes.len() {
            if inside.contains(&self.user(index)) {
                for _ in 0..=usize::from(self.doubled) {
                    self.give(index, input.clone());
                }
            }
        }
    }

    fn upload(&mut self, index: usize, upload: KeyPackageUpload) {
        match self.nodes[index].client.network() {
            Network::Matrix => {
                let node = &mut self.nodes[index];
                node.one_time.extend(upload.one_time.into_iter().map(|(_, bytes)| bytes));
                node.last_resort = upload.last_resort.map(|(_, bytes)| bytes).or(node.last_resort.take());
                self.give(index, Input::Confirmed(Confirmation::KeyPackagesUploaded(upload.id)));
            }
            Network::Xmpp => {
                let package = |(_, bytes): (Vec<u8>, Vec<u8>)| KeyPackageBytes(bytes);
                let id = format!("up{}", upload.id.to_string().split_at(30).0);
                self.publishing.insert(id.clone(), (index, upload.id));
                let publish = PublishKeyPackages {
                    device: self.nodes[index].client.device(),
                    one_time: upload.one_time.into_iter().map(package).collect(),
                    last_resort: upload.last_resort.map(package),
                };
                self.ask(index, id, Request::PublishKeyPackages(publish));
            }
        }
    }

    fn join_room(&mut self, index: usize, room: &RoomAddress) {
        let user = self.user(index);
        let listed = self.lists.get(room).is_some_and(|list| list.contains(&user));
        let result = if listed { Ok(()) } else { Err("not invited".to_owned()) };
        if listed {
            self.inside.entry(room.clone()).or_default().insert(user.clone());
            for other in 0..self.nodes.len() {
                if other != index && self.user(other) == user {
                    self.give(other, Input::RoomJoined(room.clone()));
                }
            }
        }
        self.give(index, Input::Confirmed(Confirmation::Room(room.clone(), result)));
    }

    /// An account is no longer in a room's list.
    pub(crate) fn leave_room(&mut self, room: &RoomAddress, user: &UserId) {
        self.list(room, user, false);
        self.inside.entry(room.clone()).or_default().remove(user);
        for index in 0..self.nodes.len() {
            if self.user(index) == *user {
                self.give(index, Input::RoomLeft(room.clone()));
            }
        }
    }

    fn list(&mut self, room: &RoomAddress, user: &UserId, listed: bool) {
        let list = self.lists.entry(room.clone()).or_default();
        let changed = if listed { list.insert(user.clone()) } else { list.remove(user) };
        if changed {
            let change = hub::Membership { room: room.clone(), user: user.clone(), listed };
            self.queue.push_back(Task::ToHub(hub::Input::Membership(change)));
        }
    }

    fn hub_handles(&mut self, input: hub::Input) {
        self.hub_inputs.push(input.clone());
        let outcome = self.hub.handle(self.now_ms, input).unwrap();
        self.hub_store.apply(&outcome.writes);
        self.hub_writes.extend(outcome.writes);
        for effect in outcome.effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(answer) => {
                if let Some((index, id)) = self.publishing.remove(&answer.id) {
                    assert!(matches!(answer.reply, Reply::Ok(_)), "{:?}", answer.reply);
                    self.give(index, Input::Confirmed(Confirmation::KeyPackagesUploaded(id)));
                    return;
                }
                let (ReplyTo::ControlRoom(to) | ReplyTo::Jid(to)) = answer.to;
                let result = match answer.reply {
                    Reply::Ok(answer) => Ok(answer),
                    Reply::Refused(refusal) => Err(refusal),
                };
                if let Ok(index) = to.parse() {
                    self.give(index, Input::Answer(answer.id, result));
                }
            }
            Effect::Notify(notify) => {
                let to = self.nodes.iter().position(|node| node.client == notify.to);
                for _ in 0..=usize::from(self.doubled) {
                    if let Some(index) = to {
                        self.give(index, Input::Notice(notify.notice.clone()));
                    }
                }
            }
            Effect::PostHandshake(post) => {
                self.to_room(&post.room, Input::Notice(Notice::Handshake(post.handshake)));
            }
            Effect::Relay(relay) => {
                let received = ReceivedMessage {
                    room: relay.room.clone(),
                    sender: None,
                    sent_ms: relay.sent_ms,
                    message: relay.message,
                };
                self.to_room(&relay.room, Input::Message(received));
            }
            Effect::MakeRooms(make) => {
                let name = make.job.to_string().split_at(8).0.to_owned();
                let made = RoomCreated {
                    matrix_room: make.rooms.matrix.then(|| format!("!{name}:a.org")),
                    muc: make.rooms.xmpp.then(|| format!("{name}@muc.x.org")),
                };
                let rooms = made.matrix_room.iter().map(RoomAddress::matrix);
                let rooms = rooms.chain(made.muc.iter().map(RoomAddress::xmpp)).collect::<Vec<_>>();
                for room in rooms.into_iter().filter(|r| r.network == make.creator.network()) {
                    self.list(&room, &make.creator, true);
                }
                let done = hub::RoomsMade { job: make.job, result: Ok(made) };
                self.queue.push_back(Task::ToHub(hub::Input::RoomsMade(done)));
            }
            Effect::BindRoom(_) => {}
            Effect::ClaimMatrix(claim) => {
                let mut clients = Vec::new();
                for target in claim.targets {
                    clients.extend(self.claim(&target.user, target.device.as_deref()));
                }
                let claimed = hub::Claimed { job: claim.job, clients };
                self.queue.push_back(Task::ToHub(hub::Input::Claimed(claimed)));
            }
            Effect::Admit(admit) => {
                if admit.user.network() == admit.room.network {
                    self.list(&admit.room, &admit.user, true);
                }
            }
            Effect::Expel(expel) => {
                if expel.user.network() == expel.room.network {
                    self.leave_room(&expel.room, &expel.user);
                }
            }
        }
    }

    fn claim(&mut self, user: &UserId, device: Option<&str>) -> Vec<ClaimedClient> {
        let mut found = Vec::new();
        for node in &mut self.nodes {
            let client = &node.client;
            if client.user() != *user || device.is_some_and(|device| client.device() != device) {
                continue;
            }
            let outcome = match (node.one_time.pop_front(), &node.last_resort) {
                (Some(package), _) => ClaimOutcome::OneTime(package),
                (None, Some(package)) => ClaimOutcome::LastResort(package.clone()),
                (None, None) => ClaimOutcome::Exhausted,
            };
            found.push(ClaimedClient { user: user.clone(), client: Some(client.clone()), outcome });
        }
        if found.is_empty() {
            let outcome = ClaimOutcome::Unknown;
            found.push(ClaimedClient { user: user.clone(), client: None, outcome });
        }
        found
    }

    /// The homeserver hands out this device's last resort only.
    pub(crate) fn use_up_one_time_packages(&mut self, index: usize) {
        self.nodes[index].one_time.clear();
    }
}

fn open_hub(store: &MemoryStore) -> Hub {
    make_hub(store).0
}

fn make_hub(store: &MemoryStore) -> (Hub, Vec<Write>) {
    let setup = HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
    };
    let (hub, writes) = Hub::open(Arc::new(store.clone()), setup).unwrap();
    store.apply(&writes);
    (hub, writes)
}

fn open_member(store: &MemoryStore, client: &ClientId) -> Member {
    let (member, writes) = Member::open(Arc::new(store.clone()), client.clone()).unwrap();
    store.apply(&writes);
    member
}
