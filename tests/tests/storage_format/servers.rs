//! What a homeserver, an XMPP server and the adapters do, at once and without fail. Both people
//! are in the group's room on their own network as soon as there is one.

use mls_core::address::{Network, RoomAddress};
use mls_core::hub::{self, Effect, Reply, ReplyTo, RequestInput};
use mls_core::member::{Confirmation, Input, OutgoingMessage, Output, ReceivedMessage};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Notice, Request, RequestId};

use crate::world::{ALICE, BOB, Task, World};

impl World {
    pub(crate) fn act(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Request(_, id, request) => self.ask(index, id, request),
                Output::Send(message) => self.send(index, message),
                Output::UploadKeyPackages(upload) if index == BOB => {
                    let package = |(_, bytes): (Vec<u8>, Vec<u8>)| KeyPackageBytes(bytes);
                    let publish = PublishKeyPackages {
                        device: self.people[index].member.client().device(),
                        one_time: upload.one_time.into_iter().map(package).collect(),
                        last_resort: upload.last_resort.map(package),
                    };
                    let id = format!("up-{}", self.publishing.len());
                    self.publishing.insert(id.clone(), (index, upload.id));
                    self.ask(index, id, Request::PublishKeyPackages(publish));
                }
                Output::UploadKeyPackages(upload) => {
                    self.confirm(index, Confirmation::KeyPackagesUploaded(upload.id));
                }
                Output::JoinRoom(room) | Output::LeaveRoom(room) => {
                    self.confirm(index, Confirmation::Room(room, Ok(())));
                }
                Output::Event(_) => {}
            }
        }
    }

    fn confirm(&mut self, index: usize, confirmation: Confirmation) {
        self.give(index, Input::Confirmed(confirmation));
    }

    fn ask(&mut self, index: usize, id: RequestId, request: Request) {
        let from = self.people[index].member.client().user();
        let reply_to = match from.network() {
            Network::Matrix => ReplyTo::ControlRoom(index.to_string()),
            Network::Xmpp => ReplyTo::Jid(index.to_string()),
        };
        let input = RequestInput { from, reply_to, id, request };
        self.queue.push_back(Task::ToHub(hub::Input::Request(input)));
    }

    fn send(&mut self, index: usize, message: OutgoingMessage) {
        self.confirm(index, Confirmation::Sent(message.id));
        let sender = self.people[index].member.client().user();
        let posted = hub::RoomMessage {
            room: message.room,
            sender,
            event: message.id.to_string(),
            sent_ms: self.now_ms,
            message: message.message,
            checkpoint: message.checkpoint,
        };
        self.queue.push_back(Task::ToHub(hub::Input::Message(posted)));
    }

    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(answer) => self.answer(answer),
            Effect::Notify(notify) => {
                let to = |person: &_| *Self::client(person) == notify.to;
                let index = self.people.iter().position(to).unwrap();
                self.give(index, Input::Notice(notify.notice));
            }
            Effect::PostHandshake(post) => {
                self.give(inside(&post.room), Input::Notice(Notice::Handshake(post.handshake)));
            }
            Effect::Relay(relay) => {
                let message = ReceivedMessage {
                    room: relay.room.clone(),
                    sender: Some(relay.sender),
                    sent_ms: relay.sent_ms,
                    message: relay.message,
                    checkpoint: relay.checkpoint,
                };
                self.give(inside(&relay.room), Input::Message(message));
            }
            Effect::MakeRooms(make) => {
                let made = RoomCreated {
                    matrix_room: Some("!tea:a.org".to_owned()),
                    muc: Some("tea@muc.x.org".to_owned()),
                };
                self.list(RoomAddress::matrix("!tea:a.org"), make.creator);
                let done = hub::RoomsMade { job: make.job, result: Ok(made) };
                self.queue.push_back(Task::ToHub(hub::Input::RoomsMade(done)));
            }
            Effect::Admit(admit) if admit.user.network() == admit.room.network => {
                self.list(admit.room, admit.user);
            }
            Effect::Admit(_) | Effect::BindRoom(_) => {}
            // This homeserver never answers that.
            Effect::ListDevices(_) => {}
            Effect::QueryDevice(query) => {
                let asked = self.people.iter().find(|one| *one.member.client() == query.client);
                let result = Ok(asked.map(|one| one.member.signature_key().to_vec()));
                let said = hub::DeviceKey { job: query.job, result };
                self.queue.push_back(Task::ToHub(hub::Input::DeviceKey(said)));
            }
            Effect::ClaimMatrix(_) | Effect::Expel(_) => panic!("{effect:?}"),
        }
    }

    fn answer(&mut self, answer: hub::AnswerEffect) {
        if let Some((index, id)) = self.publishing.remove(&answer.id) {
            assert!(matches!(answer.reply, Reply::Ok(_)), "{answer:?}");
            return self.confirm(index, Confirmation::KeyPackagesUploaded(id));
        }
        let result = match answer.reply {
            Reply::Ok(answer) => Ok(answer),
            Reply::Refused(refusal) => Err(refusal),
            Reply::Sealed(_) => panic!("nothing was sealed"),
        };
        let (ReplyTo::ControlRoom(to) | ReplyTo::Jid(to)) = answer.to;
        self.give(to.parse().unwrap(), Input::Answer(answer.id, result));
    }

    fn list(&mut self, room: RoomAddress, user: mls_core::address::UserId) {
        let change = hub::Membership { room, user, listed: true };
        self.queue.push_back(Task::ToHub(hub::Input::Membership(change)));
    }

    fn client(person: &crate::people::Person) -> &mls_core::address::ClientId {
        person.member.client()
    }
}

/// Who reads a room.
fn inside(room: &RoomAddress) -> usize {
    match room.network {
        Network::Matrix => ALICE,
        Network::Xmpp => BOB,
    }
}
