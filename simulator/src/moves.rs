//! What is on its way, and the choice of what arrives next.

use mls_core::address::{Network, RoomAddress};
use mls_core::hub;
use mls_core::member::{Input, ReceivedMessage};
use mls_core::wire::Notice;

use crate::crash::Fate;
use crate::dice::Dice;
use crate::failure::Failure;
use crate::hub_node::Lane;
use crate::outbox::is_lossy;
use crate::room::Posted;
use crate::step::Device;
use crate::weather::Weather;
use crate::world::World;

/// Something waits there, and nothing holds it up.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    FromRooms(Network),
    Asked(Device),
    Outbox(Lane),
    Mail(Device),
    Account(Device),
    Feed(Device, RoomAddress),
    Post(Device, RoomAddress),
    Chore(Device),
}

/// One in so many is lost, or comes twice; one in so many is overtaken.
const LOST: usize = 6;
const DOUBLED: usize = 6;
const OVERTAKEN: usize = 4;
/// By at most so many.
const OVERTAKEN_BY: usize = 3;

impl World {
    /// Everything that could move now, in an order that a seed can count on.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let parted = &self.hub.parted;
        let waiting = self.from_rooms.iter().filter(|(n, q)| !q.is_empty() && !parted.contains(n));
        places.extend(waiting.map(|(network, _)| Place::FromRooms(*network)));
        let due = |queue: &std::collections::VecDeque<_>| {
            queue.front().is_some_and(|effect| self.hub.reaches(effect))
        };
        let due = self.hub.outbox.iter().filter(|(_, queue)| due(queue));
        places.extend(due.map(|(lane, _)| Place::Outbox(lane.clone())));
        for (device, node) in self.nodes.iter().enumerate() {
            let asked = self.asked.get(&device).is_some_and(|asked| !asked.is_empty());
            if asked && !parted.contains(&node.network()) {
                places.push(Place::Asked(device));
            }
            if node.online() {
                self.places_of(device, &mut places);
            }
        }
        places
    }

    fn places_of(&self, device: Device, places: &mut Vec<Place>) {
        let Ok(node) = self.see(device) else { return };
        if let Some(mailbox) = self.mailboxes.get(&device) {
            places.extend((!mailbox.mail.is_empty()).then_some(Place::Mail(device)));
            places.extend((!mailbox.account.is_empty()).then_some(Place::Account(device)));
        }
        let user = node.user();
        for (room, known) in self.rooms.iter().filter(|(room, _)| room.network == node.network()) {
            let next = node.feeds.get(room).map_or(0, |feed| feed.next);
            if next < known.readable(&user) {
                places.push(Place::Feed(device, room.clone()));
            }
        }
        let posts = node.posts.iter().filter(|(_, queue)| !queue.is_empty());
        places.extend(posts.map(|(room, _)| Place::Post(device, room.clone())));
        places.extend((!node.chores.is_empty()).then_some(Place::Chore(device)));
    }

    /// Moves one thing, if there is one.
    pub(crate) fn move_one(&mut self, dice: &mut Dice, weather: Weather) -> Result<bool, Failure> {
        let places = self.places();
        let Some(place) = dice.pick(&places).cloned() else { return Ok(false) };
        let chance = Chance::draw(dice, weather);
        match place {
            Place::FromRooms(network) => self.move_from_rooms(network, chance)?,
            Place::Asked(device) => self.move_asked(device, chance)?,
            Place::Outbox(lane) => self.carry_out(&lane)?,
            Place::Mail(device) => self.move_mail(device, chance)?,
            Place::Account(device) => self.move_account(device)?,
            Place::Feed(device, room) => self.move_feed(device, &room, chance)?,
            Place::Post(device, room) => {
                self.figures.faults += u64::from(chance.lost);
                self.post(device, &room, chance.lost).map(drop)?;
            }
            Place::Chore(device) => self.do_chore(device)?,
        }
        Ok(true)
    }

    fn move_from_rooms(&mut self, network: Network, chance: Chance) -> Result<(), Failure> {
        let Some(queue) = self.from_rooms.get_mut(&network) else { return Ok(()) };
        // Changes of lists keep their order: an old one must not undo a newer one.
        let is_message = |input: &hub::Input| matches!(input, hub::Input::Message(_));
        let overtaken = queue.iter().take(chance.overtakes + 1).all(is_message);
        let place = if overtaken { chance.overtakes.min(queue.len().saturating_sub(1)) } else { 0 };
        let Some(input) = queue.get(place).cloned() else { return Ok(()) };
        let again = chance.doubled && is_message(&input);
        self.figures.faults += u64::from(again) + u64::from(place > 0);
        if self.hub_takes(input)? == Fate::Done
            && !again
            && let Some(queue) = self.from_rooms.get_mut(&network)
        {
            queue.remove(place);
        }
        Ok(())
    }

    fn move_asked(&mut self, device: Device, chance: Chance) -> Result<(), Failure> {
        let Some(queue) = self.asked.get_mut(&device) else { return Ok(()) };
        let place = chance.overtakes.min(queue.len().saturating_sub(1));
        let Some(request) = queue.remove(place) else { return Ok(()) };
        let upload = self.uploads.contains_key(&request.id);
        self.figures.faults += u64::from(place > 0);
        if chance.lost && !upload {
            self.figures.faults += 1;
            return Ok(());
        }
        if self.stops_at_authority(device, &request) {
            return Ok(());
        }
        let fate = self.hub_takes(hub::Input::Request(request.clone()))?;
        if chance.doubled || (upload && fate != Fate::Done) {
            self.figures.faults += u64::from(chance.doubled);
            self.asked.entry(device).or_default().push_back(request);
        }
        Ok(())
    }

    fn move_mail(&mut self, device: Device, chance: Chance) -> Result<(), Failure> {
        let mail = &mut self.mailbox(device).mail;
        let place = chance.overtakes.min(mail.len().saturating_sub(1));
        let Some(input) = mail.remove(place) else { return Ok(()) };
        self.figures.faults += u64::from(place > 0);
        if is_lossy(&input) && chance.lost {
            self.figures.faults += 1;
            return Ok(());
        }
        let fate = self.give(device, input.clone())?;
        let stream_ended = fate != Fate::Done
            && matches!(input, Input::Answer(..))
            && self.see(device)?.network() == Network::Xmpp;
        if (fate != Fate::Done && !stream_ended) || chance.doubled {
            self.figures.faults += u64::from(chance.doubled);
            self.mailbox(device).mail.push_front(input);
        }
        Ok(())
    }

    fn move_account(&mut self, device: Device) -> Result<(), Failure> {
        let Some(input) = self.mailbox(device).account.pop_front() else { return Ok(()) };
        if self.give(device, input.clone())? != Fate::Done {
            self.mailbox(device).account.push_front(input);
        }
        Ok(())
    }

    fn move_feed(
        &mut self,
        device: Device,
        room: &RoomAddress,
        chance: Chance,
    ) -> Result<(), Failure> {
        let user = self.see(device)?.user();
        let Some(known) = self.rooms.get(room) else { return Ok(()) };
        let readable = known.readable(&user);
        let feed = self.node(device)?.feeds.entry(room.clone()).or_default().clone();
        let mut open = (feed.next..readable).filter(|place| !feed.ahead.contains(place));
        let first = open.next();
        let Some(place) = open.take(chance.overtakes).last().or(first) else { return Ok(()) };
        self.figures.faults += u64::from(Some(place) != first);
        let Some(posted) = self.rooms.get(room).and_then(|known| known.log.get(place)) else {
            return Ok(());
        };
        let input = read(room, posted.clone());
        let lost = chance.lost && is_lossy(&input);
        self.figures.faults += u64::from(lost) + u64::from(chance.doubled);
        if lost || self.give(device, input)? != Fate::Undone && !chance.doubled {
            self.have_read(device, room, place)?;
        }
        Ok(())
    }

    /// Notes how far a room was read, with what the member wrote.
    fn have_read(
        &mut self,
        device: Device,
        room: &RoomAddress,
        place: usize,
    ) -> Result<(), Failure> {
        let feed = self.node(device)?.feeds.entry(room.clone()).or_default();
        feed.ahead.insert(place);
        while feed.ahead.remove(&feed.next) {
            feed.next += 1;
        }
        Ok(())
    }
}

/// What is drawn for one thing that moves.
#[derive(Clone, Copy)]
struct Chance {
    lost: bool,
    doubled: bool,
    overtakes: usize,
}

impl Chance {
    fn draw(dice: &mut Dice, weather: Weather) -> Self {
        // Always the same number of draws, so that a kind of fault can be taken out of a trace.
        let (lost, doubled) = (dice.one_in(LOST), dice.one_in(DOUBLED));
        let (overtaken, by) = (dice.one_in(OVERTAKEN), dice.between(1, OVERTAKEN_BY));
        Self {
            lost: weather.loses && lost,
            doubled: weather.doubles && doubled && !(weather.loses && lost),
            overtakes: if weather.swaps && overtaken { by } else { 0 },
        }
    }
}

fn read(room: &RoomAddress, posted: Posted) -> Input {
    match posted {
        Posted::Message { sender, sent_ms, message, checkpoint } => {
            let room = room.clone();
            Input::Message(ReceivedMessage { room, sender, sent_ms, message, checkpoint })
        }
        Posted::Handshake(handshake) => Input::Notice(Notice::Handshake(handshake)),
    }
}
