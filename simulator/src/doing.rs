//! What a device's process does beside thinking: it asks, posts, enters, leaves, uploads.

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::checkpoint::CheckpointBytes;
use mls_core::hub::{self, ReplyTo};
use mls_core::member::{Confirmation, Input, KeyPackageUpload};
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::{Digest, Request, RequestId};

use crate::crash::Fate;
use crate::failure::Failure;
use crate::member_node::Chore;
use crate::room::Posted;
use crate::step::Device;
use crate::world::World;

/// Times that a room is tried which does not let a device in.
const ENTER_ATTEMPTS: u32 = 3;

impl World {
    /// Puts a request on its way, unless it is.
    pub(crate) fn ask(
        &mut self,
        device: Device,
        id: RequestId,
        request: Request,
    ) -> Result<(), Failure> {
        let from = self.see(device)?.user();
        let reply_to = match from.network() {
            Network::Matrix => ReplyTo::ControlRoom(device.to_string()),
            Network::Xmpp => ReplyTo::Jid(device.to_string()),
        };
        let asked = self.asked.entry(device).or_default();
        if asked.iter().all(|waiting| waiting.id != id) {
            asked.push_back(hub::RequestInput { from, reply_to, id, request });
        }
        Ok(())
    }

    /// Posts the first message that waits for a room. Whether there was one. The confirmation may
    /// be lost: then the same is posted again.
    pub(crate) fn post(
        &mut self,
        device: Device,
        room: &RoomAddress,
        unconfirmed: bool,
    ) -> Result<bool, Failure> {
        let node = self.node(device)?;
        let user = node.user();
        let Some(message) = node.posts.get(room).and_then(|queue| queue.front()).cloned() else {
            return Ok(false);
        };
        let known = self.rooms.entry(room.clone()).or_default();
        let confirmation = if known.inside.contains(&user) {
            let (sender, sent_ms) = (Some(user.clone()), self.now_ms);
            let bytes = message.message.clone();
            let checkpoint = message.checkpoint.clone();
            let posted = Posted::Message {
                sender,
                sent_ms,
                message: bytes.clone(),
                checkpoint: checkpoint.clone(),
            };
            // A homeserver knows transactions; a MUC keeps what its client posts twice, and a
            // client that may have posted before looks first.
            if known.post(message.id, posted, true) {
                self.figures.messages += 1;
                self.record.posted(device, &message);
                self.tell_hub(room, &user, bytes, checkpoint);
            }
            Confirmation::Sent(message.id)
        } else {
            Confirmation::NotSent(message.id, "we are not in the room".to_owned())
        };
        if unconfirmed {
            return Ok(true);
        }
        if self.give(device, Input::Confirmed(confirmation))? != Fate::Undone
            && let Some(queue) = self.node(device)?.posts.get_mut(room)
            && queue.front().is_some_and(|front| front.id == message.id)
        {
            queue.pop_front();
        }
        Ok(true)
    }

    fn tell_hub(
        &mut self,
        room: &RoomAddress,
        sender: &UserId,
        message: Vec<u8>,
        checkpoint: Option<CheckpointBytes>,
    ) {
        let posted = hub::RoomMessage {
            room: room.clone(),
            sender: sender.clone(),
            event: String::new(),
            sent_ms: self.now_ms,
            message,
            checkpoint,
        };
        let queue = self.from_rooms.entry(room.network).or_default();
        queue.push_back(hub::Input::Message(posted));
    }

    /// Does the first of a device's chores.
    pub(crate) fn do_chore(&mut self, device: Device) -> Result<(), Failure> {
        let Some(chore) = self.node(device)?.chores.pop_front() else { return Ok(()) };
        match chore {
            Chore::Enter { room, attempts } => self.enter(device, room, attempts),
            Chore::Leave { room } => {
                let user = self.see(device)?.user();
                self.put_out(&room, &user, Some(device));
                self.node(device)?.entered.remove(&room);
                let done = Input::Confirmed(Confirmation::Room(room.clone(), Ok(())));
                self.give(device, done)?;
                self.give(device, Input::RoomLeft(room)).map(drop)
            }
            Chore::Upload(upload) => self.upload(device, *upload),
        }
    }

    fn enter(&mut self, device: Device, room: RoomAddress, attempts: u32) -> Result<(), Failure> {
        let user = self.see(device)?.user();
        let listed = self.rooms.get(&room).is_some_and(|known| known.listed.contains(&user));
        if !listed && attempts < ENTER_ATTEMPTS {
            let again = Chore::Enter { room, attempts: attempts + 1 };
            self.node(device)?.chores.push_back(again);
            return Ok(());
        }
        let result = if listed { Ok(()) } else { Err("not invited".to_owned()) };
        if listed {
            self.go_in(&room, &user, Some(device));
            self.node(device)?.entered.insert(room.clone());
        }
        let confirmation = Confirmation::Room(room.clone(), result);
        self.give(device, Input::Confirmed(confirmation))?;
        if listed { self.give(device, Input::RoomJoined(room)).map(drop) } else { Ok(()) }
    }

    /// An account enters; its devices, but for `by`, are told.
    pub(crate) fn go_in(&mut self, room: &RoomAddress, user: &UserId, by: Option<Device>) {
        let known = self.rooms.entry(room.clone()).or_default();
        if !known.inside.insert(user.clone()) {
            return;
        }
        known.left_at.remove(user);
        for device in self.devices(user).into_iter().filter(|device| Some(*device) != by) {
            self.mailbox(device).account.push_back(Input::RoomJoined(room.clone()));
            if let Some(node) = self.nodes.get_mut(device) {
                node.entered.insert(room.clone());
            }
        }
    }

    /// An account goes out, or is put out; its devices, but for `by`, are told where they hear it.
    pub(crate) fn put_out(&mut self, room: &RoomAddress, user: &UserId, by: Option<Device>) {
        let (listed, inside) = self.rooms.entry(room.clone()).or_default().put_out(user);
        if listed {
            self.tell_hub_of_list(room, user, false);
        }
        for device in self.devices(user).into_iter().filter(|device| Some(*device) != by) {
            let Some(node) = self.nodes.get_mut(device) else { continue };
            // Who is not there finds out on coming back; a homeserver tells it then.
            if inside && (node.online() || room.network == Network::Matrix) {
                node.entered.remove(room);
                self.mailbox(device).account.push_back(Input::RoomLeft(room.clone()));
            }
        }
    }

    /// A room's list has changed.
    pub(crate) fn tell_hub_of_list(&mut self, room: &RoomAddress, user: &UserId, listed: bool) {
        let change = hub::Membership { room: room.clone(), user: user.clone(), listed };
        let queue = self.from_rooms.entry(room.network).or_default();
        queue.push_back(hub::Input::Membership(change));
    }

    fn upload(&mut self, device: Device, upload: KeyPackageUpload) -> Result<(), Failure> {
        if self.see(device)?.network() == Network::Matrix {
            let done = Input::Confirmed(Confirmation::KeyPackagesUploaded(upload.id));
            self.node(device)?.pool.put(upload);
            return self.give(device, done).map(drop);
        }
        let package = |(_, bytes): (Vec<u8>, Vec<u8>)| KeyPackageBytes(bytes);
        let publish = PublishKeyPackages {
            device: self.see(device)?.client.device(),
            one_time: upload.one_time.into_iter().map(package).collect(),
            last_resort: upload.last_resort.map(package),
        };
        self.uploads.insert(upload_id(&upload.id), upload.id);
        // An adapter repeats it until it is answered: it is never lost (see `moves`).
        self.ask(device, upload_id(&upload.id), Request::PublishKeyPackages(publish))
    }
}

/// The id of the request that publishes an upload.
pub(crate) fn upload_id(upload: &Digest) -> RequestId {
    format!("up{}", upload.to_string().chars().take(30).collect::<String>())
}
