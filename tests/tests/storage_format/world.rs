//! A hub over its database, alice, bob, and what is on its way between them.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use appservice::carrier::Mark;
use appservice::marks::{self, Marks};
use appservice::outbox::{Entry, Outbox};
use mls_core::address::Network;
use mls_core::hub::{self, Effect, Hub, HubSetup};
use mls_core::member::{Command, Event, Input};
use mls_core::wire::{Digest, GroupId, Notice};
use storage::{Database, Role};

use crate::people::Person;

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;
/// A mark of a transaction of the homeserver.
const MARK: &str = "transaction:7";
/// More steps than any story needs.
const STEPS_MAX: usize = 10_000;

/// One thing on its way.
pub(crate) enum Task {
    ToPerson(usize, Input),
    ToHub(hub::Input),
    /// An entry of the outbox, to be carried out.
    Carry(Entry),
}

/// Everything.
pub(crate) struct World {
    hub: Hub,
    database: Database,
    outbox: Outbox,
    pub(crate) people: [Person; 2],
    pub(crate) queue: VecDeque<Task>,
    pub(crate) now_ms: u64,
    /// What servers could have recorded of what goes to Bob: messages and handshakes.
    pub(crate) tape: Vec<Input>,
    /// Whether they keep that from him.
    pub(crate) withheld: bool,
    /// Messages stay in the outbox.
    pub(crate) relays_wait: bool,
    /// Publications of key packages that the hub has not answered.
    pub(crate) publishing: BTreeMap<String, (usize, Digest)>,
    commands: u32,
}

impl World {
    /// Opens what is in a folder; whatever was not done comes into the queue.
    pub(crate) fn open(folder: &Path, now_ms: u64) -> Result<Self, String> {
        let database = Database::open(&folder.join("hub.db"), Role::Hub, None).unwrap();
        let setup = HubSetup {
            matrix: Some("@mls:a.org".to_owned()),
            xmpp: Some("mls.x.org".to_owned()),
            ..HubSetup::default()
        };
        let (hub, writes) =
            Hub::open(Arc::new(database.clone()), setup).map_err(|error| error.to_string())?;
        database.commit(&writes).unwrap();
        let mut queue = VecDeque::new();
        let outbox = Outbox::open(&database, |entry| queue.push_back(Task::Carry(entry))).unwrap();
        let people = [Person::open(&folder.join("alice"))?, Person::open(&folder.join("bob"))?];
        let publishing = BTreeMap::new();
        let mut world = Self {
            hub,
            database,
            outbox,
            people,
            queue,
            now_ms,
            tape: Vec::new(),
            withheld: false,
            relays_wait: false,
            publishing,
            commands: 0,
        };
        for index in [ALICE, BOB] {
            let person = &mut world.people[index];
            let pending = person.member.pending().unwrap();
            let outputs = person.sees(pending);
            world.act(index, outputs);
            world.give(index, Input::Connected);
        }
        Ok(world)
    }

    /// Ends as a crash does; only what is in the logs of the databases is moved into them.
    pub(crate) fn end(self) {
        self.database.checkpoint().unwrap();
        self.people.iter().for_each(|person| person.database.checkpoint().unwrap());
    }

    pub(crate) fn give(&mut self, index: usize, input: Input) {
        self.queue.push_back(Task::ToPerson(index, input));
    }

    /// Gives a command, whose id is returned.
    pub(crate) fn command(&mut self, index: usize, command: Command) -> String {
        self.commands += 1;
        let id = format!("{}-{}", self.now_ms, self.commands);
        self.give(index, Input::Command(id.clone(), command));
        id
    }

    /// Gives a command and works until it is done; the group that it names, if any.
    pub(crate) fn done(&mut self, index: usize, command: Command) -> Option<GroupId> {
        let id = self.command(index, command);
        self.run();
        let end = self.people[index].events.iter().find_map(|event| match event {
            Event::CommandDone(done) if done.id == id => Some(Ok(done.group.clone())),
            Event::CommandFailed(failed) if failed.id == id => Some(Err(failed.why.clone())),
            _ => None,
        });
        match end {
            Some(Ok(group)) => group,
            Some(Err(why)) => panic!("{id} failed: {why}"),
            None => panic!("{id} did not end"),
        }
    }

    /// Works until nothing is on its way.
    pub(crate) fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            self.now_ms += 1;
            match self.queue.pop_front() {
                Some(Task::ToPerson(BOB, input)) if travels(&input) && self.withheld => {
                    self.tape.push(input);
                }
                Some(Task::ToPerson(index, input)) => {
                    if index == BOB && travels(&input) {
                        self.tape.push(input.clone());
                    }
                    let outputs = self.people[index].handle(self.now_ms, input);
                    self.act(index, outputs);
                }
                Some(Task::ToHub(input)) => self.hub_handles(input),
                Some(Task::Carry(entry)) => {
                    self.database.commit(&[Outbox::remove(entry.number)]).unwrap();
                    self.carry_out(entry.effect);
                }
                None => return,
            }
        }
        panic!("the world does not come to rest");
    }

    /// As `mls-bridge` does: what the hub decides and what must go out, in one transaction.
    fn hub_handles(&mut self, input: hub::Input) {
        let outcome = self.hub.handle(self.now_ms, input).unwrap();
        let (entries, writes) = self.outbox.add(outcome.effects).unwrap();
        self.database.commit(&[outcome.writes, writes].concat()).unwrap();
        let waits = |entry: &Entry| self.relays_wait && matches!(entry.effect, Effect::Relay(_));
        let (_, now): (Vec<_>, Vec<_>) = entries.into_iter().partition(waits);
        self.queue.extend(now.into_iter().map(Task::Carry));
    }

    /// Notes how far the homeserver was read.
    pub(crate) fn mark(&self) {
        let mark = Mark { key: MARK.to_owned(), value: "done".to_owned() };
        let writes = Marks::open(&self.database).unwrap().put(Network::Matrix, mark);
        self.database.commit(&writes).unwrap();
    }

    /// How far the homeserver was read.
    pub(crate) fn marked(&self) -> Option<String> {
        marks::read(&self.database, Network::Matrix, MARK)
    }

    /// Epoch and number of members of a person's one group.
    pub(crate) fn group(&self, index: usize) -> (GroupId, u64, usize) {
        let groups = self.people[index].member.groups().unwrap();
        let [group] = groups.as_slice() else { panic!("{groups:?}") };
        (group.group.clone(), group.epoch, group.members.len())
    }
}

/// Whether a server, or an archive, sees an input as it is.
fn travels(input: &Input) -> bool {
    matches!(input, Input::Message(_) | Input::Notice(Notice::Handshake(_)))
}
