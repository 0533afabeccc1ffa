//! The task that looks at everything that comes in, in order, and hands it over to be stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use minidom::Element;
use mls_core::address::{RoomAddress, UserId};
use mls_core::member::{Input, ReceivedMessage};
use mls_core::service::Service;
use mls_core::wire::Notice;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{interval, timeout};

use super::iqs::{answer, answerer};
use super::{Batch, ClientSetup, Command};
use crate::limits::{INCOMING_MAX, STORE_DEADLINE, TOGETHER_MAX, WATCH_EVERY};
use crate::mapping::invitation::{self, Invitation};
use crate::mapping::namespace::{CARBONS, CLIENT, FORWARD};
use crate::mapping::stanza::{self, bare, domain, resource};
use crate::mapping::{Unread, application_message, ghost, hints, iq, notice_from_message};
use crate::session::link::{Event, told_to_stop};
use crate::session::room_message::RoomMessage;
use crate::session::rooms::{RoomEvent, Rooms, Signal};
use crate::session::{Incoming, Session};

/// The task; see the module.
pub(super) struct Worker {
    setup: Arc<ClientSetup>,
    session: Session,
    rooms: Rooms,
    signals: mpsc::Receiver<Signal>,
    batches: mpsc::Sender<Batch>,
    inputs: Vec<Input>,
    invitations: Vec<Invitation>,
    /// By room: the place behind what waits.
    marks: BTreeMap<String, String>,
    /// By room: the mark that was stored last.
    stored: BTreeMap<String, String>,
    answers: Vec<Element>,
}

impl Worker {
    pub(super) fn new(
        setup: Arc<ClientSetup>,
        session: Session,
        batches: mpsc::Sender<Batch>,
    ) -> Self {
        let (signals_out, signals) = mpsc::channel(INCOMING_MAX);
        let nick = setup.jid.split('@').next().unwrap_or_default().to_owned();
        let mut rooms = Rooms::new(session.clone(), nick, false, signals_out);
        let mut stored = BTreeMap::new();
        for (room, mark) in &setup.rooms {
            rooms.add(room, mark.clone(), None);
            stored.extend(mark.iter().map(|mark| (room.clone(), mark.clone())));
        }
        Self {
            setup,
            session,
            rooms,
            signals,
            batches,
            inputs: Vec::new(),
            invitations: Vec::new(),
            marks: BTreeMap::new(),
            stored,
            answers: Vec::new(),
        }
    }

    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut commands: mpsc::Receiver<Command>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut tick = interval(WATCH_EVERY);
        loop {
            tokio::select! {
                Some(event) = events.recv() => self.on_event(event),
                Some(signal) = self.signals.recv() => {
                    let said = self.rooms.on_signal(signal);
                    self.on_room_events(said);
                }
                Some(command) = commands.recv() => self.on_command(command).await,
                _ = tick.tick() => self.rooms.on_tick(),
                () = told_to_stop(&mut stop) => return,
            }
            while self.inputs.len() < TOGETHER_MAX {
                let Ok(event) = events.try_recv() else { break };
                self.on_event(event);
            }
            let taken = tokio::select! {
                taken = self.flush() => taken,
                () = told_to_stop(&mut stop) => return,
            };
            if !taken {
                return;
            }
        }
    }

    /// Hands over and answers; `false` if nobody takes anything any more.
    async fn flush(&mut self) -> bool {
        for answer in std::mem::take(&mut self.answers) {
            if let Err(error) = self.session.send(&answer).await {
                tracing::debug!(%error, "an answer was not sent");
            }
        }
        if self.inputs.is_empty() && self.marks.is_empty() && self.invitations.is_empty() {
            return true;
        }
        let marks = std::mem::take(&mut self.marks);
        let (done, stored) = oneshot::channel();
        let batch = Batch {
            inputs: std::mem::take(&mut self.inputs),
            marks: marks.clone().into_iter().collect(),
            invitations: std::mem::take(&mut self.invitations),
            done,
        };
        if self.batches.send(batch).await.is_err() {
            return false;
        }
        if matches!(timeout(STORE_DEADLINE, stored).await, Ok(Ok(()))) {
            self.stored.extend(marks);
            return true;
        }
        if self.batches.is_closed() {
            // Its taker has ended; what it did not store comes again with the next connection.
            return false;
        }
        tracing::error!("what came in was not stored; it is fetched again");
        for room in marks.keys() {
            self.rooms.rewind(room, self.stored.get(room).cloned());
        }
        // The member asks again for what it misses.
        self.inputs.push(Input::Connected);
        true
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Up => self.on_up(),
            Event::Down => self.rooms.on_down(),
            Event::Stanza(incoming) => match incoming.stanza.name() {
                "iq" => self.on_iq(&incoming.stanza),
                "message" => self.on_message(incoming),
                _ => {
                    let said = self.rooms.on_stanza(incoming);
                    self.on_room_events(said);
                }
            },
        }
    }

    fn on_up(&mut self) {
        let carbons = Element::bare("enable", CARBONS);
        let carbons = stanza::iq("set", &self.setup.jid, &self.session.fresh_id(), carbons);
        // Messages to the account come only to who is present.
        self.answers.extend([carbons, Element::bare("presence", CLIENT)]);
        self.rooms.on_up();
        self.inputs.push(Input::Connected);
    }

    async fn on_command(&mut self, command: Command) {
        match command {
            Command::Join { room, reply } => {
                let mark = self.stored.get(&room).cloned();
                self.rooms.add(&room, mark, Some(reply));
            }
            Command::Leave { room } => {
                if let Some(nick) = self.rooms.remove(&room) {
                    // Who is not connected is not in the room either.
                    let _ = self.session.leave(&self.session.me(), &room, &nick).await;
                }
                self.inputs.push(Input::RoomLeft(RoomAddress::xmpp(room)));
            }
            Command::Lost { room } => self.rooms.lost(&room),
        }
    }

    fn on_iq(&mut self, iq: &Element) {
        if matches!(iq.attr("type"), Some("get" | "set")) {
            self.answers.push(answer(iq));
            return;
        }
        if let Some(by) = answerer(iq.attr("from"), &self.setup.hub, &self.setup.sealer) {
            self.on_answer(&by, iq);
        }
    }

    fn on_answer(&mut self, by: &Service, iq: &Element) {
        // Ids of our own begin with a dot; their askers have given up.
        let Some(id) = iq.attr("id").filter(|id| !id.starts_with('.')) else { return };
        match iq::read_answer(iq) {
            Ok(reply) => match self.setup.sealer.open(by, &id.to_owned(), reply) {
                Some(answer) => self.inputs.push(Input::Answer(id.to_owned(), answer)),
                // As after each start: what was asked before is asked again under a new key.
                None => tracing::info!(id, "an answer to an earlier process is passed over"),
            },
            Err(error) => tracing::warn!(id, %error, "a service's answer cannot be read"),
        }
    }

    fn on_message(&mut self, incoming: Incoming) {
        let from = incoming.stanza.attr("from").unwrap_or_default();
        if self.rooms.contains(bare(from))
            && matches!(incoming.stanza.attr("type"), Some("groupchat" | "error"))
        {
            let said = self.rooms.on_stanza(incoming);
            self.on_room_events(said);
            return;
        }
        let Some(message) = self.without_carbon(&incoming.stanza) else { return };
        let from = message.attr("from").unwrap_or_default();
        if from == self.setup.hub {
            self.on_notice(message);
        } else if is_notice(message) {
            tracing::warn!(from, "only the hub may send a notice");
        } else if let Some(invitation) = invitation::from_message(message) {
            // The rooms of our groups are filled by the hub alone.
            if invitation.is_by_hub(&self.setup.hub) {
                self.invitations.push(invitation);
            } else {
                let Invitation { room, from, .. } = invitation;
                tracing::info!(room, from, "an invitation is left alone");
            }
        }
    }

    /// The message in a carbon, which only our own server may send us (XEP-0280 11).
    fn without_carbon<'a>(&self, message: &'a Element) -> Option<&'a Element> {
        let Some(carbon) = message.children().find(|child| child.has_ns(CARBONS)) else {
            return Some(message);
        };
        if carbon.name() != "received" || message.attr("from") != Some(&self.setup.jid) {
            return None;
        }
        carbon.get_child("forwarded", FORWARD)?.get_child("message", CLIENT)
    }

    /// The hub says something to this account; most of it to one of its devices.
    fn on_notice(&mut self, message: &Element) {
        let notice = match notice_from_message(message) {
            Ok(notice) => notice,
            Err(Unread::NotMine) => return,
            Err(error) => {
                tracing::warn!(%error, "a notice of the hub cannot be read");
                return;
            }
        };
        let for_us = match &notice {
            Notice::WelcomeWaiting(waiting) => waiting.device == self.setup.device,
            Notice::KeyPackagesLow(low) => low.device == self.setup.device,
            Notice::KnockDenied(denied) => denied.device == self.setup.device,
            Notice::MembershipWarning(_) | Notice::DeviceWaiting(_) | Notice::Knocked(_) => true,
            Notice::Handshake(_) => false,
        };
        if for_us {
            self.inputs.push(Input::Notice(notice));
        }
    }

    fn on_room_events(&mut self, said: Vec<RoomEvent>) {
        for event in said {
            match event {
                RoomEvent::Entered(room) => {
                    self.inputs.push(Input::RoomJoined(RoomAddress::xmpp(room)));
                }
                RoomEvent::Left { room, for_good: true, why, .. } => {
                    tracing::info!(room, why, "no longer in the room");
                    self.inputs.push(Input::RoomLeft(RoomAddress::xmpp(room)));
                }
                RoomEvent::Left { room, why, .. } => {
                    tracing::info!(room, why, "out of the room; entering it again");
                }
                RoomEvent::Messages { room, messages, mark } => {
                    let inputs = messages.iter().filter_map(|m| self.input(&room, m));
                    let inputs: Vec<_> = inputs.collect();
                    self.inputs.extend(inputs);
                    self.marks.extend(mark.map(|mark| (room, mark)));
                }
            }
        }
    }

    /// What a room's message is for the member.
    fn input(&self, room: &str, message: &RoomMessage) -> Option<Input> {
        let sender = message.sender.as_deref();
        let from_hub = sender.is_some_and(|jid| domain(jid) == self.setup.hub);
        if sender == Some(&*self.setup.jid)
            && let Some(id) = hints::sender_id(&message.stanza)
        {
            self.session.see_own(room, id);
        }
        // A ghost counts as nobody: the leaf says who it is.
        let shown = sender.filter(|_| !from_hub).and_then(|jid| UserId::xmpp(jid).ok());
        let room_address = RoomAddress::xmpp(room);
        match application_message::from_message(&message.stanza) {
            Ok(application) => {
                let sent_ms = message.sent_ms.unwrap_or_else(now_ms);
                let received = ReceivedMessage {
                    room: room_address,
                    sender: shown,
                    sent_ms,
                    message: application.message,
                    checkpoint: application.checkpoint,
                };
                return Some(Input::Message(received));
            }
            Err(Unread::NotMine | Unread::Unknown(_)) => {}
            Err(Unread::Broken(broken)) => {
                tracing::debug!(room, %broken, "a message that cannot be read");
                return None;
            }
        }
        let hub = sender.and_then(|jid| jid.split_once('@'));
        if hub == Some((ghost::HUB, &*self.setup.hub)) {
            return match notice_from_message(&message.stanza) {
                Ok(notice @ Notice::Handshake(_)) => Some(Input::Notice(notice)),
                Ok(_) | Err(Unread::NotMine) => None,
                Err(error) => {
                    tracing::warn!(room, %error, "a handshake of the hub cannot be read");
                    None
                }
            };
        }
        if is_notice(&message.stanza) {
            tracing::warn!(room, sender, "only the hub may send a handshake");
            return None;
        }
        let by_somebody = resource(message.stanza.attr("from").unwrap_or_default()).is_some();
        (by_somebody && message.stanza.has_child("body", CLIENT))
            .then_some(Input::CleartextInRoom { room: room_address, sender: shown })
    }
}

/// Whether a message says to be of the hub.
fn is_notice(message: &Element) -> bool {
    !matches!(notice_from_message(message), Err(Unread::NotMine))
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.ok().and_then(|now| u64::try_from(now.as_millis()).ok()).unwrap_or_default()
}
