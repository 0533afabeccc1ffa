//! What the servers of both networks, and the adapters before them, do for hub and members.

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::hub::{self, Effect, Reply, ReplyTo};
use mls_core::member::{Confirmation, Input, KeyPackageUpload, ReceivedMessage};
use mls_core::service::Service;
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Notice, Request};

use mls_rs_codec::MlsEncode;

use crate::network::{Task, World};

impl World {
    pub(crate) fn upload(&mut self, index: usize, upload: KeyPackageUpload) {
        match self.nodes[index].client.network() {
            Network::Matrix => {
                let node = &mut self.nodes[index];
                let one_time = node.one_time.entry(upload.suite).or_default();
                one_time.extend(upload.one_time.into_iter().map(|(_, bytes)| bytes));
                let last_resort = upload.last_resort.map(|(_, bytes)| (upload.suite, bytes));
                node.last_resort.extend(last_resort);
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

    pub(crate) fn join_room(&mut self, index: usize, room: &RoomAddress) {
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
        let was_inside = self.inside.entry(room.clone()).or_default().remove(user);
        for index in 0..self.nodes.len() {
            if was_inside && self.user(index) == *user {
                self.give(index, Input::RoomLeft(room.clone()));
            }
        }
    }

    /// The room's list changes: somebody was invited, or put out.
    pub(crate) fn list(&mut self, room: &RoomAddress, user: &UserId, listed: bool) {
        let list = self.lists.entry(room.clone()).or_default();
        let changed = if listed { list.insert(user.clone()) } else { list.remove(user) };
        if changed {
            let change = hub::Membership { room: room.clone(), user: user.clone(), listed };
            self.queue.push_back(Task::ToHub(hub::Input::Membership(change)));
        }
    }

    /// Notes the readable form of what is answered, told and posted.
    pub(crate) fn note_what_servers_see(&mut self, effects: &[Effect]) {
        let Some(seen) = &mut self.servers_see else { return };
        for effect in effects {
            match effect {
                // Key packages are the homeserver's own, and where to.
                Effect::ClaimMatrix(_) | Effect::MakeRooms(_) => {}
                effect => seen.push(effect.mls_encode_to_vec().unwrap()),
            }
        }
    }

    /// What a service has done.
    pub(crate) fn carry_out(&mut self, by: &Service, effect: Effect) {
        match effect {
            Effect::Answer(answer) => {
                let (ReplyTo::ControlRoom(to) | ReplyTo::Jid(to)) = answer.to;
                let Ok(index) = to.parse::<usize>() else { return };
                let mut result = match answer.reply {
                    Reply::Ok(answer) if self.servers_see.is_none() => Ok(answer),
                    Reply::Refused(refusal) if self.servers_see.is_none() => Err(refusal),
                    reply => match self.nodes[index].member.sealer().open(by, &answer.id, reply) {
                        Some(result) => result,
                        None => return,
                    },
                };
                if let Ok(answer) = &mut result {
                    self.fetch_parts(index, answer);
                }
                if let Some((index, id)) = self.publishing.remove(&answer.id) {
                    assert!(result.is_ok(), "{result:?}");
                    self.give(index, Input::Confirmed(Confirmation::KeyPackagesUploaded(id)));
                } else {
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
                self.post_into_room(&post.room, Input::Notice(Notice::Handshake(post.handshake)));
            }
            Effect::Relay(relay) => {
                let received = ReceivedMessage {
                    room: relay.room.clone(),
                    sender: None,
                    sent_ms: relay.sent_ms,
                    message: relay.message,
                    checkpoint: relay.checkpoint,
                };
                self.post_into_room(&relay.room, Input::Message(received));
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
            // This homeserver never answers that.
            Effect::ListDevices(_) => {}
            Effect::QueryDevice(query) => {
                let asked = self.nodes.iter().find(|node| node.client == query.client);
                let result = Ok(asked.map(|node| node.member.signature_key().to_vec()));
                let said = hub::DeviceKey { job: query.job, result };
                self.queue.push_back(Task::ToHub(hub::Input::DeviceKey(said)));
            }
            Effect::ClaimMatrix(claim) => {
                let mut clients = Vec::new();
                for target in claim.targets {
                    let device = target.device.as_deref();
                    clients.extend(self.claim(&target.user, device, claim.suites[0]));
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
                let (room, user) = (expel.room, expel.user);
                self.queue.push_back(Task::ToHub(hub::Input::Expelled { room, user }));
            }
        }
    }

    fn claim(&mut self, user: &UserId, device: Option<&str>, suite: u16) -> Vec<ClaimedClient> {
        let mut found = Vec::new();
        for node in &mut self.nodes {
            let client = &node.client;
            if client.user() != *user || device.is_some_and(|device| client.device() != device) {
                continue;
            }
            let one_time = node.one_time.entry(suite).or_default().pop_front();
            let outcome = match (one_time, node.last_resort.get(&suite)) {
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
