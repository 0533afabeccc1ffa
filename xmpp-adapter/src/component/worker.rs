//! The task that looks at everything that comes in, in order, and hands it over to be stored.

mod handover;
mod list;
mod lost;

use std::collections::HashMap;
use std::sync::Arc;

use minidom::Element;
use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{Incoming as HubIncoming, Input, Membership, RoomMessage as HubRoomMessage};
use tokio::sync::{mpsc, watch};
use tokio::time::interval;

use super::requests::Read;
use super::{Command, Delivery, HUB_NICK, RoomToJoin, Shared, questions, requests};
use crate::limits::{INCOMING_MAX, SILENT_MARK_EVERY, TOGETHER_MAX, WATCH_EVERY};
use crate::mapping::affiliation::{self, Standing};
use crate::mapping::namespace::CLIENT;
use crate::mapping::stanza::{self, StanzaError, bare, domain, resource};
use crate::mapping::{Build, Unread, application_message, hints};
use crate::session::Incoming;
use crate::session::link::{Event, told_to_stop};
use crate::session::room_message::RoomMessage;
use crate::session::rooms::{RoomEvent, Rooms, Signal};
use handover::{Handover, NotStored};
use list::ListRead;
use lost::LostRooms;

/// The task; see the module.
pub(super) struct Worker {
    shared: Arc<Shared>,
    rooms: Rooms,
    signals: mpsc::Receiver<Signal>,
    lists: mpsc::Receiver<ListRead>,
    lists_out: mpsc::Sender<ListRead>,
    handover: Handover,
    lost: LostRooms,
    /// By room: ghosts of which it was handed over, but maybe not stored, that they were put out.
    expelled: Vec<(String, String)>,
    /// Answers that need nobody.
    answers: Vec<Element>,
    /// By room: messages since the last mark that was handed over.
    silent: HashMap<String, u32>,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        to_join: Vec<RoomToJoin>,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Self {
        let (signals_out, signals) = mpsc::channel(INCOMING_MAX);
        let (lists_out, lists) = mpsc::channel(INCOMING_MAX);
        let mut rooms = Rooms::new(shared.session.clone(), HUB_NICK.to_owned(), true, signals_out);
        let mut handover = Handover::new(deliveries);
        for room in to_join {
            handover.start_at(&room.muc, room.stanza_id.clone());
            rooms.add(&room.muc, room.stanza_id, None);
        }
        Self {
            shared,
            rooms,
            signals,
            lists,
            lists_out,
            handover,
            lost: LostRooms::default(),
            expelled: Vec::new(),
            answers: Vec::new(),
            silent: HashMap::new(),
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
                Some(list) = self.lists.recv() => self.on_list(list),
                Some(command) = commands.recv() => self.on_command(command),
                _ = tick.tick() => self.rooms.on_tick(),
                () = told_to_stop(&mut stop) => return,
            }
            while self.handover.len() < TOGETHER_MAX {
                let Ok(event) = events.try_recv() else { break };
                self.on_event(event);
            }
            let ended = tokio::select! {
                ended = self.flush() => ended,
                () = told_to_stop(&mut stop) => return,
            };
            if ended {
                return;
            }
        }
    }

    /// Hands over and answers; whether nobody stores any more.
    async fn flush(&mut self) -> bool {
        for room in self.lost.to_report() {
            self.handover.push(HubIncoming::Input(Input::RoomLost { room }));
        }
        match self.handover.flush().await {
            Ok(()) => self.on_stored(),
            Err(NotStored::Closed) => return true,
            Err(NotStored::Failed { incoming, rooms }) => {
                // Their rooms are entered again, and then miss them.
                self.expelled.clear();
                for request in incoming {
                    self.answers.push(handover::try_again(&self.shared.setup.domain, &request));
                }
                for (room, mark) in rooms {
                    self.rooms.rewind(&room, mark);
                }
            }
        }
        for answer in std::mem::take(&mut self.answers) {
            if let Err(error) = self.shared.session.send(&answer).await {
                tracing::debug!(%error, "an answer was not sent");
            }
        }
        false
    }

    /// All that was handed over is stored: what only waited for that is done.
    fn on_stored(&mut self) {
        for (room, ghost) in std::mem::take(&mut self.expelled) {
            self.shared.ghosts().forget_put_out(&room, &ghost, &self.shared.setup.domain);
        }
        for room in self.lost.reported() {
            self.leave(&room);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Up => self.rooms.on_up(),
            Event::Down => {
                self.rooms.on_down();
                self.shared.affiliations().clear();
                self.shared.ghosts().all_left();
                self.lost.all_away();
            }
            Event::Stanza(incoming) => match incoming.stanza.name() {
                "iq" => self.on_iq(&incoming.stanza),
                "presence" => self.on_presence(incoming),
                _ => self.on_message(incoming),
            },
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Stay { room, reply } => {
                self.handover.start_at(&room, None);
                self.rooms.add(&room, None, reply);
            }
            Command::Lost { room } => self.rooms.lost(&room),
        }
    }

    fn on_iq(&mut self, iq: &Element) {
        if !matches!(iq.attr("type"), Some("get" | "set")) {
            return;
        }
        let setup = &self.shared.setup;
        let from = iq.attr("from").unwrap_or_default();
        let mut foreign = vec![&*setup.domain, &*setup.muc_service];
        if self.rooms.contains(bare(from)) {
            foreign.push(domain(from));
        }
        match requests::read(iq, &setup.domain, &foreign) {
            Read::Request(input) => self.handover.push(HubIncoming::Input(*input)),
            Read::Answer(answer) => self.answers.push(answer),
            Read::NotMine => self.answers.push(questions::answer(setup, iq)),
        }
    }

    fn on_presence(&mut self, incoming: Incoming) {
        let presence = &incoming.stanza;
        let (from, to) = (presence.attr("from"), presence.attr("to"));
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let room = bare(from).to_owned();
        if !self.rooms.contains(&room) {
            if presence.attr("type") == Some("subscribe") {
                let no = Element::bare("presence", CLIENT).with("type", "unsubscribed");
                self.answers.push(no.with("from", to).with("to", from));
            }
        } else if to == self.shared.hub() {
            // How the hub itself went, its room's state tells; a service that shuts down says
            // `none` of everybody who is there.
            let goes = presence.attr("type") == Some("unavailable");
            if let Some(standing) = affiliation::told(presence)
                && !(goes && standing.jid == self.shared.hub_bare())
            {
                self.on_standing(&room, &standing);
            }
            let said = self.rooms.on_stanza(incoming);
            self.on_room_events(said);
        } else {
            self.shared.ghosts().left(&room, to);
        }
    }

    fn on_message(&mut self, incoming: Incoming) {
        let message = &incoming.stanza;
        let (from, to) = (message.attr("from"), message.attr("to"));
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let room = bare(from).to_owned();
        let kind = message.attr("type");
        if !self.rooms.contains(&room) {
            let to_people = matches!(kind, None | Some("normal" | "chat"));
            if to_people && message.has_child("body", CLIENT) {
                let error = StanzaError::new("cancel", "service-unavailable");
                let error = error.saying("nobody reads messages here; write into the room");
                self.answers.push(stanza::refusal(message, &error));
            }
        } else if to != self.shared.hub() {
            // A ghost that cannot be reached is out of the room, whether it knows or not; an
            // occupant's private errors say nothing of that.
            if kind == Some("error") && resource(from).is_none() {
                self.shared.ghosts().left(&room, to);
            }
        } else if matches!(kind, Some("groupchat" | "error")) {
            let said = self.rooms.on_stanza(incoming);
            self.on_room_events(said);
        } else if resource(from).is_none()
            && let Some(standing) = affiliation::told(message)
        {
            self.on_standing(&room, &standing);
        }
    }

    /// A room tells who is, or is no longer, in its list.
    fn on_standing(&mut self, room: &str, standing: &Standing) {
        let news = self.shared.affiliations().told(room, standing);
        let own = &self.shared.setup.domain;
        if domain(&standing.jid) == own {
            if standing.affiliation.is_listed() {
                return;
            }
            if standing.jid == self.shared.hub_bare() {
                self.lose(room, "the hub was put off its list");
            } else {
                self.ghost_put_out(room, &standing.jid);
            }
        } else if let Some(listed) = news
            && let Ok(user) = UserId::xmpp(&standing.jid)
        {
            let membership = Membership { room: RoomAddress::xmpp(room), user, listed };
            self.handover.push(HubIncoming::Input(Input::Membership(membership)));
        }
    }

    /// Somebody put a ghost out; the hub is told, unless it should not have been in.
    fn ghost_put_out(&mut self, room: &str, jid: &str) {
        if self.shared.ghosts().expelled(room, jid, &self.shared.setup.domain) {
            self.expelled.push((room.to_owned(), jid.to_owned()));
            let (room, ghost) = (RoomAddress::xmpp(room), jid.to_owned());
            self.handover.push(HubIncoming::GhostExpelled { room, ghost });
        }
    }

    fn on_room_events(&mut self, said: Vec<RoomEvent>) {
        for event in said {
            match event {
                RoomEvent::Entered(room) => {
                    self.lost.lets_us_in(&room);
                    self.read_list(room);
                }
                RoomEvent::Left { room, for_good: true, told: true, why } => self.lose(&room, &why),
                RoomEvent::Left { room, for_good, why, .. } => {
                    tracing::warn!(room, why, "the hub is not in a group's room; trying again");
                    if for_good {
                        self.says_no(&room, &why);
                    }
                }
                RoomEvent::Messages { room, messages, mark } => {
                    self.on_messages(&room, &messages, mark);
                }
            }
        }
    }

    fn on_messages(&mut self, room: &str, messages: &[RoomMessage], mark: Option<String>) {
        let incoming: Vec<_> =
            messages.iter().filter_map(|message| self.for_the_hub(room, message)).collect();
        let silent = self.silent.entry(room.to_owned()).or_default();
        *silent = silent.saturating_add(u32::try_from(messages.len()).unwrap_or(u32::MAX));
        if incoming.is_empty() && *silent < SILENT_MARK_EVERY {
            return;
        }
        *silent = 0;
        self.handover.push_with_mark(incoming, room, mark);
    }

    /// An application message by somebody who is neither the hub nor a ghost.
    fn for_the_hub(&self, room: &str, message: &RoomMessage) -> Option<HubIncoming> {
        let sender = message.sender.as_deref()?;
        if domain(sender) == self.shared.setup.domain {
            if let Some(id) = hints::sender_id(&message.stanza) {
                self.shared.session.see_own(room, id);
            }
            return None;
        }
        let application = match application_message::from_message(&message.stanza) {
            Ok(application) => application,
            Err(Unread::Broken(broken)) => {
                tracing::debug!(room, sender, %broken, "a message that cannot be read");
                return None;
            }
            Err(Unread::NotMine | Unread::Unknown(_)) => return None,
        };
        let event = message.id.clone().or_else(|| message.stanza.attr("id").map(str::to_owned));
        Some(HubIncoming::Input(Input::Message(HubRoomMessage {
            room: RoomAddress::xmpp(room),
            sender: UserId::xmpp(sender).ok()?,
            event: event.unwrap_or_default(),
            sent_ms: message.sent_ms.unwrap_or_else(now_ms),
            message: application.message,
            checkpoint: application.checkpoint,
        })))
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.ok().and_then(|now| u64::try_from(now.as_millis()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
