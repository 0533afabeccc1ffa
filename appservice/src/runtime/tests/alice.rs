//! A member alone in a group with a room on each network: what it takes for a relay.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{
    AnswerEffect, DeviceKey, Effect, Hub, HubSetup, Input, Reply, ReplyTo, RequestInput,
    RoomMessage, RoomsMade,
};
use mls_core::member::{self, Command, Confirmation, Member, Output, SendCommand};
use mls_core::store::MemoryStore;
use mls_core::wire::create_room::{CreateRoom, RoomCreated};
use mls_core::wire::{GroupId, Notice};
use storage::Database;

const ROOM: &str = "!room:example.org";
/// The other room of her group.
pub(super) const MUC: &str = "muc@rooms.example.net";

/// Alice's device, and the hub over a database.
struct World {
    hub: Hub,
    database: Database,
    alice: Member,
    store: MemoryStore,
    to_alice: VecDeque<member::Input>,
    group: Option<GroupId>,
    sent: Vec<Input>,
}

/// Makes Alice's group in the database, and `count` messages that she posts into its room.
pub(super) fn messages_of_alice(setup: HubSetup, database: &Database, count: usize) -> Vec<Input> {
    let (hub, writes) = Hub::open(Arc::new(database.clone()), setup).unwrap();
    database.commit(&writes).unwrap();
    let store = MemoryStore::default();
    let client = alice().device("PHONE").unwrap();
    let (member, writes) = Member::open(Arc::new(store.clone()), client).unwrap();
    store.apply(&writes);
    let (to_alice, sent) = (VecDeque::new(), Vec::new());
    let database = database.clone();
    let mut world = World { hub, database, alice: member, store, to_alice, group: None, sent };
    world.tell(member::Input::Connected);
    let rooms = CreateRoom { matrix: true, xmpp: true, name: "Tea".to_owned() };
    world.command("create", Command::CreateGroup(rooms));
    let group = world.group.clone().unwrap();
    for number in 0..count {
        let send = SendCommand { group: group.clone(), content: vec![0; 10] };
        world.command(&number.to_string(), Command::Send(send));
    }
    assert_eq!(world.sent.len(), count);
    // The homeserver never answers what it is asked now, so no test is asked that once more.
    world.ask(Input::Tick);
    world.sent
}

fn alice() -> UserId {
    UserId::matrix("@alice:example.org").unwrap()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    now.try_into().unwrap()
}

impl World {
    fn command(&mut self, id: &str, command: Command) {
        self.tell(member::Input::Command(id.to_owned(), command));
    }

    /// One input of the member, and all that follows from it.
    fn tell(&mut self, input: member::Input) {
        self.to_alice.push_back(input);
        while let Some(input) = self.to_alice.pop_front() {
            let outcome = self.alice.handle(now_ms(), input).unwrap();
            self.store.apply(&outcome.writes);
            outcome.outputs.into_iter().for_each(|output| self.output(output));
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Request(_, id, request) => {
                let reply_to = ReplyTo::ControlRoom("!control".to_owned());
                self.ask(Input::Request(RequestInput { from: alice(), reply_to, id, request }));
            }
            Output::UploadKeyPackages(upload) => {
                self.confirm(Confirmation::KeyPackagesUploaded(upload.id));
            }
            Output::JoinRoom(room) => self.confirm(Confirmation::Room(room, Ok(()))),
            Output::Send(message) => {
                self.sent.push(Input::Message(RoomMessage {
                    room: message.room,
                    sender: alice(),
                    event: "$event".to_owned(),
                    sent_ms: now_ms(),
                    message: message.message,
                    checkpoint: message.checkpoint,
                }));
                self.confirm(Confirmation::Sent(message.id));
            }
            Output::Event(record) => {
                if let member::Event::Joined(joined) = record.event {
                    self.group = Some(joined.group);
                }
            }
            Output::LeaveRoom(room) => panic!("alice leaves {room}"),
        }
    }

    fn confirm(&mut self, confirmation: Confirmation) {
        self.to_alice.push_back(member::Input::Confirmed(confirmation));
    }

    fn ask(&mut self, input: Input) {
        let outcome = self.hub.handle(now_ms(), input).unwrap();
        self.database.commit(&outcome.writes).unwrap();
        outcome.effects.into_iter().for_each(|effect| self.carry_out(effect));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(AnswerEffect { id, reply: Reply::Ok(answer), .. }) => {
                self.to_alice.push_back(member::Input::Answer(id, Ok(answer)));
            }
            Effect::MakeRooms(make) => {
                let muc = Some(MUC.to_owned());
                let made = RoomCreated { matrix_room: Some(ROOM.to_owned()), muc };
                self.ask(Input::RoomsMade(RoomsMade { job: make.job, result: Ok(made) }));
            }
            Effect::ListDevices(_) => {}
            Effect::QueryDevice(query) => {
                // The homeserver lists what the device uploaded.
                let key = self.alice.signature_key().to_vec();
                self.ask(Input::DeviceKey(DeviceKey { job: query.job, result: Ok(Some(key)) }));
            }
            Effect::PostHandshake(post) if post.room == RoomAddress::matrix(ROOM) => {
                let handshake = Notice::Handshake(post.handshake);
                self.to_alice.push_back(member::Input::Notice(handshake));
            }
            Effect::PostHandshake(_) | Effect::BindRoom(_) | Effect::Admit(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
