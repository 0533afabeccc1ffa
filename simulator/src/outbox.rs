//! What the hub wants done, done by the servers of both networks.

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{self, Effect, Expel, MakeRooms, Relay, Reply};
use mls_core::member::{Confirmation, Input};
use mls_core::wire::Notice;
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::RoomCreated;

use crate::crash::{Armed, Crash, Fate};
use crate::failure::Failure;
use crate::hub_node::Lane;
use crate::room::Posted;
use crate::world::World;

impl World {
    /// Carries out the first effect of a lane. After a crash it is carried out again.
    pub(crate) fn carry_out(&mut self, lane: &Lane) -> Result<(), Failure> {
        let first = self.hub.outbox.get(lane).and_then(|queue| queue.front()).cloned();
        let Some(effect) = first else { return Ok(()) };
        let job = matches!(
            effect,
            Effect::MakeRooms(_)
                | Effect::ClaimMatrix(_)
                | Effect::QueryDevice(_)
                | Effect::Expel(_)
        );
        // A job's crash is that of the input in which it ends.
        let crash = if job { None } else { Armed::input(&mut self.hub.armed) };
        let fate = match crash {
            Some(Crash::Before) => Fate::Undone,
            _ => self.perform(lane, effect)?,
        };
        if crash.is_some() {
            return self.restart_hub();
        }
        if fate != Fate::Undone
            && let Some(queue) = self.hub.outbox.get_mut(lane)
        {
            queue.pop_front();
            if queue.is_empty() {
                self.hub.outbox.remove(lane);
            }
        }
        Ok(())
    }

    fn perform(&mut self, lane: &Lane, effect: Effect) -> Result<Fate, Failure> {
        match effect {
            Effect::Answer(answer) => {
                let upload = self.uploads.get(&answer.id).copied();
                let input = match (upload, answer.reply) {
                    (Some(upload), Reply::Ok(_)) => {
                        Input::Confirmed(Confirmation::KeyPackagesUploaded(upload))
                    }
                    (_, Reply::Ok(ok)) => Input::Answer(answer.id, Ok(ok)),
                    (_, Reply::Refused(refusal)) => Input::Answer(answer.id, Err(refusal)),
                    // Nothing is sealed here: no server stands between.
                    (_, Reply::Sealed(_)) => return Ok(Fate::Done),
                };
                self.mail(lane, input);
            }
            Effect::Notify(notify) => self.mail(lane, Input::Notice(notify.notice)),
            Effect::PostHandshake(post) => {
                let room = self.rooms.entry(post.room).or_default();
                room.post(post.id, Posted::Handshake(post.handshake), true);
            }
            Effect::Relay(relay) => self.relay(relay),
            Effect::MakeRooms(make) => return self.make_rooms(make),
            Effect::BindRoom(_) => {}
            // The homeserver lists all devices: there is no log-out here.
            Effect::ListDevices(_) => {}
            Effect::QueryDevice(query) => {
                let asked = self.nodes.iter().find(|node| node.client == query.client);
                let result = Ok(asked.and_then(|node| node.pool.announced.clone()));
                let said = hub::DeviceKey { job: query.job, result };
                return self.hub_takes(hub::Input::DeviceKey(said));
            }
            Effect::ClaimMatrix(claim) => {
                let mut clients = Vec::new();
                for target in claim.targets {
                    clients.extend(self.claim(
                        &target.user,
                        target.device.as_deref(),
                        &claim.suites,
                    ));
                }
                let claimed = hub::Claimed { job: claim.job, clients };
                return self.hub_takes(hub::Input::Claimed(claimed));
            }
            Effect::Admit(admit) => self.admit(&admit.room, &admit.user),
            Effect::Expel(Expel { room, user, .. }) => {
                if user.network() == room.network {
                    self.put_out(&room, &user, None);
                } else {
                    self.rooms.entry(room.clone()).or_default().ghosts.remove(&user);
                }
                return self.hub_takes(hub::Input::Expelled { room, user });
            }
        }
        Ok(Fate::Done)
    }

    fn mail(&mut self, lane: &Lane, input: Input) {
        if let Lane::To(device) = lane {
            self.mailbox(*device).mail.push_back(input);
        }
    }

    /// Under the sender's ghost, if that stands in the room.
    fn relay(&mut self, relay: Relay) {
        let room = self.rooms.entry(relay.room).or_default();
        let hash = mls_core::engine::sha256(&relay.message);
        if room.ghosts.contains(&relay.sender) {
            let (sent_ms, message, checkpoint) = (relay.sent_ms, relay.message, relay.checkpoint);
            room.post(
                relay.id,
                Posted::Message { sender: None, sent_ms, message, checkpoint },
                true,
            );
        } else {
            self.record.dropped(hash);
        }
    }

    fn make_rooms(&mut self, make: MakeRooms) -> Result<Fate, Failure> {
        let number = self.hub.job(&make.job);
        let made = RoomCreated {
            matrix_room: make.rooms.matrix.then(|| format!("!room{number}:a.org")),
            muc: make.rooms.xmpp.then(|| format!("room{number}@muc.x.org")),
        };
        let rooms = made.matrix_room.iter().map(RoomAddress::matrix);
        for room in rooms.chain(made.muc.iter().map(RoomAddress::xmpp)) {
            if self.rooms_made.insert(room.clone()) {
                self.record.may_come(&room, &make);
                self.admit(&room, &make.creator);
            }
        }
        let made = hub::RoomsMade { job: make.job, result: Ok(made) };
        self.hub_takes(hub::Input::RoomsMade(made))
    }

    /// An account is invited and comes; one of the other network comes as a ghost.
    pub(crate) fn admit(&mut self, room: &RoomAddress, user: &UserId) {
        let known = self.rooms.entry(room.clone()).or_default();
        let own = user.network() == room.network;
        let new =
            if own { known.listed.insert(user.clone()) } else { known.ghosts.insert(user.clone()) };
        if new {
            self.tell_hub_of_list(room, user, true);
        }
        if own {
            self.go_in(room, user, None);
        }
    }

    fn claim(&mut self, user: &UserId, device: Option<&str>, suites: &[u16]) -> Vec<ClaimedClient> {
        let mut found = Vec::new();
        for node in self.nodes.iter_mut().filter(|node| node.user() == *user) {
            if device.is_some_and(|device| node.client.device() != device) {
                continue;
            }
            let outcome = node.pool.claim(suites);
            let client = Some(node.client.clone());
            found.push(ClaimedClient { user: user.clone(), client, outcome });
        }
        if found.is_empty() {
            let outcome = ClaimOutcome::Unknown;
            found.push(ClaimedClient { user: user.clone(), client: None, outcome });
        }
        found
    }
}

/// Whether a notice may be lost: a Welcome is asked for again, and others are for people only.
pub(crate) fn is_lossy(input: &Input) -> bool {
    matches!(
        input,
        Input::Answer(..) | Input::Notice(Notice::WelcomeWaiting(_) | Notice::Handshake(_))
    )
}
