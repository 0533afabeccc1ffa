//! What the servers of both networks, and the adapters before them, do for hub and devices.

use mls_core::address::{ClientId, Network, RoomAddress, UserId};
use mls_core::checkpoint::CheckpointBytes;
use mls_core::hub::{self, Effect, Reply, ReplyTo};
use mls_core::member::{Confirmation, Input, KeyPackageUpload, ReceivedMessage};
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Notice, Request};

use super::{Packages, World};

impl World {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(answer) => self.answer(answer.to, answer.id, answer.reply),
            Effect::Notify(notify) => match self.node_of(&notify.to) {
                Some(index) => self.give(index, Input::Notice(notify.notice)),
                None => {
                    for place in self.places.iter_mut().filter(|p| p.client == notify.to) {
                        place.inbox.push_back(Input::Notice(notify.notice.clone()));
                    }
                }
            },
            Effect::PostHandshake(post) => {
                self.bring(&post.room, &Input::Notice(Notice::Handshake(post.handshake)));
            }
            Effect::Relay(relay) => {
                let (sender, sent_ms, message) = (None, relay.sent_ms, relay.message);
                let checkpoint = relay.checkpoint;
                let room = relay.room.clone();
                let received =
                    ReceivedMessage { room: relay.room, sender, sent_ms, message, checkpoint };
                self.bring(&room, &Input::Message(received));
            }
            Effect::MakeRooms(make) => self.make_rooms(make),
            // This homeserver never answers that.
            Effect::ListDevices(_) => {}
            Effect::QueryDevice(query) => {
                let asked = self.nodes.iter().find(|node| node.client == query.client);
                let result = Ok(asked.map(|node| node.member.signature_key().to_vec()));
                let said = hub::DeviceKey { job: query.job, result };
                self.hub_handles(hub::Input::DeviceKey(said));
            }
            Effect::ClaimMatrix(claim) => {
                let mut clients = Vec::new();
                for target in claim.targets {
                    let device = target.device.as_deref();
                    clients.extend(self.claim(&target.user, device, claim.suites[0]));
                }
                self.hub_handles(hub::Input::Claimed(hub::Claimed { job: claim.job, clients }));
            }
            Effect::Admit(admit) if Self::is_at_home(&admit.user, &admit.room) => {
                self.list(&admit.room, &admit.user, true);
            }
            Effect::Expel(expel) if Self::is_at_home(&expel.user, &expel.room) => {
                self.leave(&expel.room, &expel.user);
            }
            Effect::Admit(_) | Effect::Expel(_) | Effect::BindRoom(_) => {}
        }
    }

    fn answer(&mut self, to: ReplyTo, id: String, reply: Reply) {
        let (ReplyTo::ControlRoom(to) | ReplyTo::Jid(to)) = to;
        match to.parse() {
            Ok(index) => {
                let result = match reply {
                    Reply::Ok(answer) => Ok(answer),
                    Reply::Refused(refusal) => Err(refusal),
                    Reply::Sealed(_) => panic!("nothing was sealed"),
                };
                self.give(index, Input::Answer(id, result));
            }
            Err(_) => drop(self.replies.insert(id, reply)),
        }
    }

    fn make_rooms(&mut self, make: hub::MakeRooms) {
        let name = make.job.to_string().split_at(8).0.to_owned();
        let made = RoomCreated {
            matrix_room: make.rooms.matrix.then(|| format!("!{name}:a.org")),
            muc: make.rooms.xmpp.then(|| format!("{name}@muc.x.org")),
        };
        let rooms = made.matrix_room.iter().map(RoomAddress::matrix);
        let rooms = rooms.chain(made.muc.iter().map(RoomAddress::xmpp));
        for room in rooms.filter(|room| Self::is_at_home(&make.creator, room)) {
            self.list(&room, &make.creator, true);
        }
        self.hub_handles(hub::Input::RoomsMade(hub::RoomsMade { job: make.job, result: Ok(made) }));
    }

    /// Somebody posts an encrypted message into a room.
    pub(super) fn post(
        &mut self,
        room: &RoomAddress,
        sender: &UserId,
        message: Vec<u8>,
        checkpoint: Option<CheckpointBytes>,
    ) {
        self.numbers += 1;
        let (sent_ms, event) = (self.now_ms, format!("event{}", self.numbers));
        let received = ReceivedMessage {
            room: room.clone(),
            sender: Some(sender.clone()),
            sent_ms,
            message: message.clone(),
            checkpoint: checkpoint.clone(),
        };
        self.bring(room, &Input::Message(received));
        let (room, sender) = (room.clone(), sender.clone());
        let posted = hub::RoomMessage { room, sender, event, sent_ms, message, checkpoint };
        self.hub_handles(hub::Input::Message(posted));
    }

    /// Something comes to all who are in a room.
    fn bring(&mut self, room: &RoomAddress, input: &Input) {
        let inside = self.inside.get(room).cloned().unwrap_or_default();
        for index in 0..self.nodes.len() {
            if inside.contains(&self.nodes[index].client.user()) {
                self.give(index, input.clone());
            }
        }
        for place in &mut self.places {
            if inside.contains(&place.client.user()) {
                place.inbox.push_back(input.clone());
            }
        }
    }

    /// An account enters a room of its own network, if it is in the list.
    pub(super) fn enter(&mut self, room: &RoomAddress, user: &UserId) -> Result<(), String> {
        let listed = self.lists.get(room).is_some_and(|list| list.contains(user));
        if !listed {
            return Err("not invited".to_owned());
        }
        self.inside.entry(room.clone()).or_default().insert(user.clone());
        Ok(())
    }

    /// An account is no longer in a room's list, nor in the room.
    pub(crate) fn leave(&mut self, room: &RoomAddress, user: &UserId) {
        self.list(room, user, false);
        let was_inside = self.inside.entry(room.clone()).or_default().remove(user);
        for index in 0..self.nodes.len() {
            if was_inside && self.nodes[index].client.user() == *user {
                self.give(index, Input::RoomLeft(room.clone()));
            }
        }
    }

    pub(crate) fn list(&mut self, room: &RoomAddress, user: &UserId, listed: bool) {
        let list = self.lists.entry(room.clone()).or_default();
        let changed = if listed { list.insert(user.clone()) } else { list.remove(user) };
        if changed {
            let (room, user) = (room.clone(), user.clone());
            self.hub_handles(hub::Input::Membership(hub::Membership { room, user, listed }));
        }
    }

    /// A member's key packages go to its homeserver, or to the hub's pool.
    pub(super) fn upload(&mut self, index: usize, upload: KeyPackageUpload) {
        let (client, id) = (self.nodes[index].client.clone(), upload.id);
        match client.network() {
            Network::Matrix => self.nodes[index].packages.take(upload),
            Network::Xmpp => {
                let request = Request::PublishKeyPackages(publication(&client.device(), upload));
                let reply = self.ask(&client.user(), request);
                assert!(matches!(reply, Reply::Ok(_)), "{reply:?}");
            }
        }
        self.give(index, Input::Confirmed(Confirmation::KeyPackagesUploaded(id)));
    }

    /// The homeserver hands out this member's last resort only.
    pub(crate) fn use_up_one_time_packages(&mut self, index: usize) {
        self.nodes[index].packages.one_time.clear();
    }

    /// The homeserver, too, forgets the packages of a device that is set up anew.
    pub(crate) fn forget_packages(&mut self, client: &ClientId) {
        for place in self.places.iter_mut().filter(|place| place.client == *client) {
            place.packages = Packages::default();
        }
    }

    fn claim(&mut self, user: &UserId, device: Option<&str>, suite: u16) -> Vec<ClaimedClient> {
        let nodes = self.nodes.iter_mut().map(|node| (&node.client, &mut node.packages));
        let places = self.places.iter_mut().map(|place| (&place.client, &mut place.packages));
        let mut found = Vec::new();
        for (client, packages) in nodes.chain(places) {
            if client.user() == *user && device.is_none_or(|device| client.device() == device) {
                let (user, client) = (user.clone(), Some(client.clone()));
                found.push(ClaimedClient { user, client, outcome: packages.hand_out(suite) });
            }
        }
        if found.is_empty() {
            let outcome = ClaimOutcome::Unknown;
            found.push(ClaimedClient { user: user.clone(), client: None, outcome });
        }
        found
    }
}

impl Packages {
    pub(super) fn take(&mut self, upload: KeyPackageUpload) {
        let one_time = self.one_time.entry(upload.suite).or_default();
        one_time.extend(upload.one_time.into_iter().map(|(_, bytes)| bytes));
        self.last_resort.extend(upload.last_resort.map(|(_, bytes)| (upload.suite, bytes)));
    }

    fn hand_out(&mut self, suite: u16) -> ClaimOutcome {
        let one_time = self.one_time.entry(suite).or_default().pop_front();
        match (one_time, self.last_resort.get(&suite)) {
            (Some(package), _) => ClaimOutcome::OneTime(package),
            (None, Some(package)) => ClaimOutcome::LastResort(package.clone()),
            (None, None) => ClaimOutcome::Exhausted,
        }
    }
}

/// The request by which a device on XMPP publishes.
pub(super) fn publication(device: &str, upload: KeyPackageUpload) -> PublishKeyPackages {
    let package = |(_, bytes): (Vec<u8>, Vec<u8>)| KeyPackageBytes(bytes);
    PublishKeyPackages {
        device: device.to_owned(),
        one_time: upload.one_time.into_iter().map(package).collect(),
        last_resort: upload.last_resort.map(package),
    }
}
