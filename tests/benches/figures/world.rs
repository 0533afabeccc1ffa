//! One hub and some members, each over its own database on disk, joined by a queue in place of
//! servers. Nothing here is measured; what is measured takes the parts out of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use appservice::batch::Batch;
use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::hub::{self, Hub, HubSetup};
use mls_core::member::{Command, Event, Input, Member, Output};
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Digest, GroupId};
use storage::{Database, Key, Role};
use tempfile::TempDir;

/// More steps than any growth needs.
const STEPS_MAX: usize = 10_000_000;
/// Inputs of the hub that share one transaction while a world is being made.
const INPUTS_TOGETHER: usize = 32;

/// One thing on its way.
pub(crate) enum Task {
    ToMember(usize, Input),
    ToHub(hub::Input),
}

/// One member over its database.
pub(crate) struct Node {
    pub(crate) client: ClientId,
    pub(crate) member: Member,
    pub(crate) database: Database,
    /// Answers to commands, as `None` or why not.
    pub(super) results: BTreeMap<String, Option<String>>,
    /// The group of the last `Joined` or `CommandDone`.
    pub(super) last_group: Option<GroupId>,
}

/// The hub, its members, and what the servers would hold.
pub(crate) struct World {
    folder: TempDir,
    pub(super) hub: Hub,
    batch: Batch,
    hub_inputs: usize,
    pub(crate) nodes: Vec<Node>,
    pub(super) queue: VecDeque<Task>,
    pub(crate) now_ms: u64,
    pub(super) lists: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    pub(super) inside: BTreeMap<RoomAddress, BTreeSet<UserId>>,
    pub(super) publishing: BTreeMap<String, (usize, Digest)>,
    /// Welcomes of clients that are no nodes here, where somebody wants them.
    pub(crate) welcomes: Option<Vec<Welcome>>,
    pub(super) commands: u64,
}

impl World {
    /// A hub and these devices, e.g. `@alice:a.org PHONE`, connected.
    pub(crate) fn new(devices: &[(&str, &str)]) -> Self {
        let folder = folder();
        let database = Database::open(&hub_path(folder.path()), Role::Hub, None).unwrap();
        let batch = Batch::new(database);
        let (hub, writes) = Hub::open(Arc::new(batch.clone()), setup()).unwrap();
        batch.add(writes);
        let mut world = Self {
            folder,
            hub,
            batch,
            hub_inputs: 0,
            nodes: Vec::new(),
            queue: VecDeque::new(),
            now_ms: now_ms(),
            lists: BTreeMap::new(),
            inside: BTreeMap::new(),
            publishing: BTreeMap::new(),
            welcomes: None,
            commands: 0,
        };
        for (account, device) in devices {
            world.add(account, device);
        }
        world.run();
        world
    }

    fn add(&mut self, account: &str, device: &str) {
        let client = UserId::from_human(account).unwrap().device(device).unwrap();
        let database = member_database(self.folder.path(), &format!("{}.db", self.nodes.len()));
        let (member, writes) = Member::open(Arc::new(database.clone()), client.clone()).unwrap();
        database.commit(&writes).unwrap();
        let results = BTreeMap::new();
        self.nodes.push(Node { client, member, database, results, last_group: None });
        self.give(self.nodes.len() - 1, Input::Connected);
    }

    /// Ends it; what remains are the databases. The hub's is at [`hub_path`].
    pub(crate) fn into_folder(self) -> TempDir {
        self.batch.commit().unwrap();
        self.folder
    }

    pub(super) fn user(&self, index: usize) -> UserId {
        self.nodes[index].client.user()
    }

    pub(super) fn give(&mut self, index: usize, input: Input) {
        self.queue.push_back(Task::ToMember(index, input));
    }

    /// Gives a command and works until it is fulfilled; the group that it made or changed.
    pub(crate) fn command(&mut self, index: usize, command: Command) -> Option<GroupId> {
        self.commands += 1;
        let id = format!("c{}", self.commands);
        self.give(index, Input::Command(id.clone(), command));
        self.run();
        match self.nodes[index].results.remove(&id) {
            Some(None) => self.nodes[index].last_group.clone(),
            Some(Some(why)) => panic!("{id} failed: {why}"),
            None => panic!("{id} did not come to an end"),
        }
    }

    /// Works until nothing is on its way.
    pub(crate) fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            self.now_ms += 1;
            match self.queue.pop_front() {
                Some(Task::ToMember(index, input)) => self.member_handles(index, input),
                Some(Task::ToHub(input)) => self.hub_handles(input),
                None => return self.batch.commit().unwrap(),
            }
        }
        panic!("the world does not come to rest");
    }

    fn member_handles(&mut self, index: usize, input: Input) {
        let now_ms = self.now_ms;
        let outputs = self.nodes[index].input(now_ms, input);
        self.act(index, outputs);
    }

    /// The hub decides; its effects are returned.
    pub(super) fn ask_hub(&mut self, input: hub::Input) -> Vec<hub::Effect> {
        let outcome = self.hub.handle(self.now_ms, input).unwrap();
        self.batch.add(outcome.writes);
        self.hub_inputs += 1;
        if self.hub_inputs.is_multiple_of(INPUTS_TOGETHER) {
            self.batch.commit().unwrap();
        }
        outcome.effects
    }

    fn hub_handles(&mut self, input: hub::Input) {
        for effect in self.ask_hub(input) {
            self.carry_out(effect);
        }
    }
}

impl Node {
    /// One input, durable; events are marked as seen, as a program does that has shown them.
    pub(crate) fn input(&mut self, now_ms: u64, input: Input) -> Vec<Output> {
        let outcome = self.member.handle(now_ms, input).unwrap();
        self.database.commit(&outcome.writes).unwrap();
        self.show(&outcome.outputs);
        outcome.outputs
    }

    /// Marks events as seen.
    pub(crate) fn show(&mut self, outputs: &[Output]) {
        let mut last = None;
        for output in outputs {
            let Output::Event(record) = output else { continue };
            last = Some(record.number);
            match &record.event {
                Event::CommandDone(done) => {
                    self.results.insert(done.id.clone(), None);
                    self.last_group.clone_from(&done.group);
                }
                Event::CommandFailed(failed) => {
                    self.results.insert(failed.id.clone(), Some(failed.why.clone()));
                }
                Event::Warning(warning) => panic!("a warning: {}", warning.text),
                _ => {}
            }
        }
        if let Some(number) = last {
            let writes = self.member.seen(number);
            self.database.commit(&writes).unwrap();
        }
    }
}

/// A folder on the disk that cargo's target folder is on: what is durable there is really so.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A member's database as `mls-bot` opens it: encrypted, every commit synced.
pub(crate) fn member_database(folder: &Path, name: &str) -> Database {
    let key = Key::from_bytes(&[7; 32]).unwrap();
    Database::open(&folder.join(name), Role::Member, Some(key)).unwrap()
}

/// Where a world's hub keeps its database.
pub(crate) fn hub_path(folder: &Path) -> std::path::PathBuf {
    folder.join("hub.db")
}

pub(crate) fn setup() -> HubSetup {
    HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        ..HubSetup::default()
    }
}

pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
