//! What servers and adapters do for the hub and the members of a [`World`], at once and for free.

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::hub::{self, Effect, Reply, ReplyTo, RequestInput};
use mls_core::member::{Confirmation, Input, KeyPackageUpload, Output};
use mls_core::wire::blob::{BlobRef, GetBlob, Part};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Answer, Notice, Request};

use crate::world::{Task, World};

impl World {
    pub(super) fn act(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Request(_, id, request) => self.ask(index, id, request),
                Output::Send(message) => {
                    self.give(index, Input::Confirmed(Confirmation::Sent(message.id)));
                }
                Output::UploadKeyPackages(upload) => self.upload(index, upload),
                Output::JoinRoom(room) => self.join_room(index, room),
                Output::LeaveRoom(room) => panic!("somebody leaves {room}"),
                Output::Event(_) => {}
            }
        }
    }

    fn ask(&mut self, index: usize, id: String, request: Request) {
        let from = self.user(index);
        let reply_to = match from.network() {
            Network::Matrix => ReplyTo::ControlRoom(index.to_string()),
            Network::Xmpp => ReplyTo::Jid(index.to_string()),
        };
        let request = RequestInput { from, reply_to, id, request };
        self.queue.push_back(Task::ToHub(hub::Input::Request(request)));
    }

    fn upload(&mut self, index: usize, upload: KeyPackageUpload) {
        if self.nodes[index].client.network() == Network::Matrix {
            // Nobody claims a key package of a Matrix device here.
            return self
                .give(index, Input::Confirmed(Confirmation::KeyPackagesUploaded(upload.id)));
        }
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

    fn join_room(&mut self, index: usize, room: RoomAddress) {
        let user = self.user(index);
        let listed = self.lists.get(&room).is_some_and(|list| list.contains(&user));
        if listed {
            self.inside.entry(room.clone()).or_default().insert(user);
        }
        let result = if listed { Ok(()) } else { Err("not invited".to_owned()) };
        self.give(index, Input::Confirmed(Confirmation::Room(room, result)));
    }

    fn list(&mut self, room: &RoomAddress, user: &UserId) {
        if self.lists.entry(room.clone()).or_default().insert(user.clone()) {
            let (room, user) = (room.clone(), user.clone());
            let change = hub::Membership { room, user, listed: true };
            self.queue.push_back(Task::ToHub(hub::Input::Membership(change)));
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(answer) => self.answer(answer),
            Effect::Notify(notify) => {
                let to = self.nodes.iter().position(|node| node.client == notify.to);
                match (to, notify.notice) {
                    (Some(index), notice) => self.notify(index, notice),
                    (None, Notice::WelcomeWaiting(waiting)) if self.welcomes.is_some() => {
                        self.fetch_welcome(notify.to.user(), waiting.device);
                    }
                    (None, _) => {}
                }
            }
            Effect::PostHandshake(post) => {
                let inside = self.inside.get(&post.room).cloned().unwrap_or_default();
                for index in 0..self.nodes.len() {
                    if inside.contains(&self.user(index)) {
                        self.notify(index, Notice::Handshake(post.handshake.clone()));
                    }
                }
            }
            Effect::Relay(relay) => panic!("{} sends while a world is made", relay.sender),
            Effect::MakeRooms(make) => self.make_rooms(make),
            Effect::BindRoom(_) => {}
            // This homeserver never answers that.
            Effect::ListDevices(_) => {}
            Effect::QueryDevice(query) => {
                let asked = self.nodes.iter().find(|node| node.client == query.client);
                let result = Ok(asked.map(|node| node.member.signature_key().to_vec()));
                let said = hub::DeviceKey { job: query.job, result };
                self.queue.push_back(Task::ToHub(hub::Input::DeviceKey(said)));
            }
            Effect::ClaimMatrix(_) => panic!("nobody of the homeserver is invited"),
            Effect::Admit(admit) if admit.user.network() == admit.room.network => {
                self.list(&admit.room, &admit.user);
            }
            Effect::Admit(_) => {}
            Effect::Expel(expel) => panic!("{} is put out of {}", expel.user, expel.room),
        }
    }

    fn answer(&mut self, answer: hub::AnswerEffect) {
        let mut result = match answer.reply {
            Reply::Ok(answer) => Ok(answer),
            Reply::Refused(refusal) => Err(refusal),
            Reply::Sealed(_) => panic!("nothing was sealed"),
        };
        if let Some((index, id)) = self.publishing.remove(&answer.id) {
            result.unwrap();
            return self.give(index, Input::Confirmed(Confirmation::KeyPackagesUploaded(id)));
        }
        let (ReplyTo::ControlRoom(to) | ReplyTo::Jid(to)) = answer.to;
        for part in result.iter_mut().flat_map(Answer::parts_mut) {
            self.make_inline(part);
        }
        self.give(to.parse().unwrap(), Input::Answer(answer.id, result));
    }

    fn notify(&mut self, index: usize, notice: Notice) {
        self.give(index, Input::Notice(notice));
    }

    fn make_rooms(&mut self, make: hub::MakeRooms) {
        let name = make.job.to_string().split_at(16).0.to_owned();
        let matrix = RoomAddress::matrix(format!("!{name}:a.org"));
        let made = RoomCreated {
            matrix_room: Some(matrix.address.clone()),
            muc: Some(format!("{name}@muc.x.org")),
        };
        self.list(&matrix, &make.creator);
        let done = hub::RoomsMade { job: make.job, result: Ok(made) };
        self.queue.push_back(Task::ToHub(hub::Input::RoomsMade(done)));
    }

    fn make_inline(&mut self, part: &mut Part) {
        if let Part::Blob(blob) = part {
            *part = Part::Inline(self.fetch(*blob));
        }
    }

    /// Takes in what waits for a device that is no node.
    fn fetch_welcome(&mut self, user: UserId, device: String) {
        let fetch = FetchWelcomes { device, acknowledged: Vec::new(), held: Vec::new() };
        let Answer::Welcomes(answer) = self.request(user, Request::FetchWelcomes(fetch)) else {
            panic!("no Welcomes");
        };
        for mut welcome in answer.welcomes {
            welcome.parts_mut().into_iter().for_each(|part| self.make_inline(part));
            self.welcomes.iter_mut().for_each(|all| all.push(welcome.clone()));
        }
    }

    fn fetch(&mut self, blob: BlobRef) -> Vec<u8> {
        let size = usize::try_from(blob.size).unwrap();
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            let offset = u32::try_from(bytes.len()).unwrap();
            let request = Request::GetBlob(GetBlob { hash: blob.hash, offset });
            match self.request(UserId::xmpp("fetcher@x.org").unwrap(), request) {
                Answer::BlobChunk(chunk) => bytes.extend(chunk.bytes),
                other => panic!("not a chunk: {other:?}"),
            }
        }
        bytes
    }

    /// A request by somebody who is no node, and its answer, which comes at once.
    pub(super) fn request(&mut self, from: UserId, request: Request) -> Answer {
        self.commands += 1;
        let reply_to = ReplyTo::Jid(format!("{}/bench", from.address()));
        let id = format!("bench-{}", self.commands);
        let input = RequestInput { from, reply_to, id, request };
        let effects = self.ask_hub(hub::Input::Request(input));
        match effects.into_iter().next() {
            Some(Effect::Answer(hub::AnswerEffect { reply: Reply::Ok(answer), .. })) => answer,
            other => panic!("not an answer: {other:?}"),
        }
    }
}
