//! The rooms that we are in: entered, caught up from their archives, then live, and watched.
//!
//! What a room says comes out as [`RoomEvent`]s in the room's own order, without gaps, and after
//! a new connection at most once more. Tasks that ask servers report with [`Signal`]s.

mod asking;
mod feed;

pub(crate) use asking::Signal;

use std::collections::BTreeMap;
use std::sync::Arc;

use minidom::Element;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::archive::Page;
use super::room_message::RoomMessage;
use super::waiting::{Entered, has_status};
use super::{Failure, Incoming, Session};
use crate::limits::{ENTER_AGAIN, ENTER_AGAIN_LAST, ENTERING_AT_ONCE, SELF_PING_AFTER};
use crate::mapping::affiliation;
use crate::mapping::namespace::MUC_USER;
use crate::mapping::stanza::{StanzaError, bare, resource};
use asking::{Report, Told, again, catch_up, enter, self_ping};
use feed::{Feed, State};

/// What a room says.
#[derive(Debug)]
pub(crate) enum RoomEvent {
    /// We are in it.
    Entered(String),
    /// Messages, in order; `mark` is the place in the archive after them.
    Messages {
        /// The room.
        room: String,
        /// The messages.
        messages: Vec<RoomMessage>,
        /// To be kept: where to go on.
        mark: Option<String>,
    },
    /// We are no longer in it. Unless it is `for_good`, it is entered again.
    Left {
        /// The room.
        room: String,
        /// Put out, not let in, or the room is gone.
        for_good: bool,
        /// The room told us while we were in it, rather than that it did not let us in.
        told: bool,
        /// One sentence.
        why: String,
    },
}

type Reply = oneshot::Sender<Result<(), Failure>>;

/// All rooms of one session.
pub(crate) struct Rooms {
    session: Session,
    nick: String,
    /// Never give up: a refusal is an operator's mistake that may be mended.
    stubborn: bool,
    signals: mpsc::Sender<Signal>,
    at_once: Arc<Semaphore>,
    feeds: BTreeMap<String, Feed>,
}

impl Rooms {
    /// In no room.
    pub(crate) fn new(
        session: Session,
        nick: String,
        stubborn: bool,
        signals: mpsc::Sender<Signal>,
    ) -> Self {
        let at_once = Arc::new(Semaphore::new(ENTERING_AT_ONCE));
        Self { session, nick, stubborn, signals, at_once, feeds: BTreeMap::new() }
    }

    /// Whether the room is one of ours.
    pub(crate) fn contains(&self, room: &str) -> bool {
        self.feeds.contains_key(room)
    }

    /// Adds a room, whose archive is known up to `mark`, and enters it when there is a connection.
    /// `reply` is told when we are in it, or why not.
    pub(crate) fn add(&mut self, room: &str, mark: Option<String>, reply: Option<Reply>) {
        let feed = self.feeds.entry(room.to_owned()).or_insert_with(|| Feed::new(mark));
        match (reply, &feed.state) {
            (Some(reply), State::CatchingUp | State::Live) => drop(reply.send(Ok(()))),
            (reply, _) => feed.replies.extend(reply),
        }
        if feed.state == State::Out && self.session.is_up() {
            self.enter(room);
        }
    }

    /// Forgets a room; its nickname there, if we were in it.
    pub(crate) fn remove(&mut self, room: &str) -> Option<String> {
        self.session.set_live(room, false);
        self.feeds.remove(room)?.nick
    }

    /// What was handed over was not stored: begins again after `mark`.
    pub(crate) fn rewind(&mut self, room: &str, mark: Option<String>) {
        if let Some(feed) = self.feeds.get_mut(room) {
            feed.rewind(mark);
            self.session.set_live(room, false);
            if self.session.is_up() {
                self.again_later(room);
            }
        }
    }

    /// There is a connection.
    pub(crate) fn on_up(&mut self) {
        let rooms: Vec<String> = self.feeds.keys().cloned().collect();
        rooms.iter().for_each(|room| self.enter(room));
    }

    /// It is gone, and we are out of all rooms with it.
    pub(crate) fn on_down(&mut self) {
        self.feeds.values_mut().for_each(|feed| feed.reset());
    }

    /// Asks rooms that were silent for long whether we are still in them (XEP-0410).
    pub(crate) fn on_tick(&mut self) {
        for (room, feed) in &mut self.feeds {
            if feed.state != State::Live || feed.heard.elapsed() < SELF_PING_AFTER {
                continue;
            }
            feed.heard = Instant::now();
            let nick = feed.nick.clone().unwrap_or_default();
            let (signals, room) = (self.signals.clone(), room.clone());
            let report = Report { signals, room, turn: feed.turn };
            tokio::spawn(self_ping(self.session.clone(), report, nick));
        }
    }

    /// Looks at a stanza from a room.
    pub(crate) fn on_stanza(&mut self, incoming: Incoming) -> Vec<RoomEvent> {
        let from = incoming.stanza.attr("from").unwrap_or_default().to_owned();
        let room = bare(&from);
        let Some(feed) = self.feeds.get_mut(room) else { return Vec::new() };
        feed.heard = Instant::now();
        match (incoming.stanza.name(), incoming.stanza.attr("type")) {
            ("message", Some("groupchat")) => {
                let message = feed.take(RoomMessage::live(incoming));
                message.into_iter().map(|message| one_message(room, message)).collect()
            }
            // Not by an occupant, whose private errors a room passes on.
            ("message", Some("error")) if resource(&from).is_none() => {
                // Told that we are not there: find out by entering again.
                let error = StanzaError::of(&incoming.stanza);
                if error.is_some_and(|error| error.condition == "not-acceptable") {
                    self.lost(room);
                }
                Vec::new()
            }
            ("presence", Some("unavailable")) if feed.nick.as_deref() == resource(&from) => {
                self.put_out(room, &incoming.stanza)
            }
            _ => Vec::new(),
        }
    }

    /// Looks at what a task reports.
    pub(crate) fn on_signal(&mut self, signal: Signal) -> Vec<RoomEvent> {
        let Signal { room, turn, told } = signal;
        if self.feeds.get(&room).is_none_or(|feed| feed.turn != turn) {
            return Vec::new();
        }
        match told {
            Told::Entered(Ok(entered)) => self.entered(&room, entered),
            Told::Entered(Err(failure)) => self.not_entered(&room, failure),
            Told::Page(Ok(page)) => self.page(&room, page),
            Told::Page(Err(failure)) => self.no_page(&room, failure),
            Told::Lost => {
                self.lost(&room);
                Vec::new()
            }
            Told::Again => {
                self.enter(&room);
                Vec::new()
            }
        }
    }

    fn enter(&mut self, room: &str) {
        let Some(feed) = self.feeds.get_mut(room) else { return };
        feed.reset();
        feed.state = State::Entering;
        self.session.set_live(room, false);
        let turn = feed.turn;
        let (session, at_once) = (self.session.clone(), self.at_once.clone());
        tokio::spawn(enter(session, self.report(room, turn), self.nick.clone(), at_once));
    }

    fn report(&self, room: &str, turn: u64) -> Report {
        Report { signals: self.signals.clone(), room: room.to_owned(), turn }
    }

    fn entered(&mut self, room: &str, entered: Entered) -> Vec<RoomEvent> {
        if entered.created {
            return self.room_is_gone(room, entered.nick);
        }
        let Some(feed) = self.feeds.get_mut(room) else { return Vec::new() };
        feed.entered(entered.nick);
        self.catch_up(room);
        vec![RoomEvent::Entered(room.to_owned())]
    }

    fn not_entered(&mut self, room: &str, failure: Failure) -> Vec<RoomEvent> {
        let why = failure.to_string();
        let for_good = matches!(&failure, Failure::Refused(error) if error.shuts_out());
        let failure = if for_good { failure } else { failure.passing() };
        if let Some(feed) = self.feeds.get_mut(room) {
            feed.state = State::Out;
            for reply in feed.replies.drain(..) {
                let _ = reply.send(Err(failure.clone()));
            }
        }
        self.out(room, for_good, false, why)
    }

    /// Entering a room that is not there makes a new one: it is no room of a group.
    fn room_is_gone(&mut self, room: &str, nick: String) -> Vec<RoomEvent> {
        let (session, made) = (self.session.clone(), room.to_owned());
        tokio::spawn(async move {
            // Empty and never configured, it vanishes.
            let _ = session.leave(&session.me(), &made, &nick).await;
        });
        let gone = StanzaError::new("cancel", "gone").saying("the room is gone");
        self.not_entered(room, Failure::Refused(gone))
    }

    /// We are out; what follows depends on why.
    fn out(&mut self, room: &str, for_good: bool, told: bool, why: String) -> Vec<RoomEvent> {
        self.session.set_shut(room);
        if for_good && !self.stubborn {
            self.remove(room);
            self.session.forget_room(room);
        } else {
            self.again_later(room);
        }
        vec![RoomEvent::Left { room: room.to_owned(), for_good, told, why }]
    }

    fn put_out(&mut self, room: &str, presence: &Element) -> Vec<RoomEvent> {
        let x = presence.get_child("x", MUC_USER);
        if has_status(presence, "303") {
            // Another nickname: the next presence shows which.
            let item = x.and_then(|x| x.get_child("item", MUC_USER));
            let nick = item.and_then(|item| item.attr("nick")).map(str::to_owned);
            if let (Some(feed), Some(nick)) = (self.feeds.get_mut(room), nick) {
                feed.nick = Some(nick);
            }
            return Vec::new();
        }
        if let Some(feed) = self.feeds.get_mut(room) {
            feed.reset();
        }
        let unlisted = affiliation::told(presence).is_some_and(|s| !s.affiliation.is_listed());
        let destroyed = x.is_some_and(|x| x.has_child("destroy", MUC_USER));
        // A members-only room says `none` of those whom it put out, never of those who lost
        // their connection.
        let thrown = ["301", "321", "322"].iter().any(|code| has_status(presence, code));
        let why = if destroyed { "the room is gone" } else { "put out of the room" };
        self.out(room, destroyed || (unlisted && thrown), true, why.to_owned())
    }

    /// It turned out that we are not in a room: enters it again.
    pub(crate) fn lost(&mut self, room: &str) {
        tracing::info!(room, "no longer in the room without having been told; entering it again");
        self.session.set_live(room, false);
        self.enter(room);
    }

    fn again_later(&mut self, room: &str) {
        let Some(feed) = self.feeds.get_mut(room) else { return };
        feed.attempts = feed.attempts.saturating_add(1);
        let wait = (ENTER_AGAIN * feed.attempts).min(ENTER_AGAIN_LAST);
        let turn = feed.turn;
        tokio::spawn(again(self.report(room, turn), wait));
    }

    /// Reads the archive to its end.
    fn catch_up(&self, room: &str) {
        let Some(feed) = self.feeds.get(room) else { return };
        let mark = feed.mark.clone();
        tokio::spawn(catch_up(self.session.clone(), self.report(room, feed.turn), mark));
    }

    fn page(&mut self, room: &str, page: Page) -> Vec<RoomEvent> {
        let Some(feed) = self.feeds.get_mut(room) else { return Vec::new() };
        let mut events = Vec::new();
        let complete = page.complete;
        let messages = feed.take_page(page);
        if !messages.is_empty() {
            let mark = feed.mark.clone();
            events.push(RoomEvent::Messages { room: room.to_owned(), messages, mark });
        }
        if complete {
            if feed.dropped {
                feed.dropped = false;
                self.catch_up(room);
            } else {
                let held = feed.go_live();
                self.session.set_live(room, true);
                events.extend(held.into_iter().map(|message| one_message(room, message)));
            }
        }
        events
    }

    fn no_page(&mut self, room: &str, failure: Failure) -> Vec<RoomEvent> {
        let Some(feed) = self.feeds.get_mut(room) else { return Vec::new() };
        match &failure {
            Failure::Refused(error)
                if error.condition == "item-not-found" && feed.mark.is_some() =>
            {
                tracing::warn!(room, "the archive no longer has the place where we were");
                feed.mark = None;
                self.catch_up(room);
            }
            Failure::Refused(error) if is_without_archive(error) && feed.has_no_archive() => {
                tracing::warn!(room, "the room has no archive: what is missed is lost");
                let held = feed.go_live();
                self.session.set_live(room, true);
                return held.into_iter().map(|message| one_message(room, message)).collect();
            }
            Failure::Offline => {}
            _ => {
                tracing::warn!(room, %failure, "the archive cannot be read; trying again");
                self.again_later(room);
            }
        }
        Vec::new()
    }
}

/// Also a room whose service is away for a moment says so.
fn is_without_archive(error: &StanzaError) -> bool {
    matches!(&*error.condition, "service-unavailable" | "feature-not-implemented")
}

fn one_message(room: &str, message: RoomMessage) -> RoomEvent {
    let mark = message.id.clone();
    RoomEvent::Messages { room: room.to_owned(), messages: vec![message], mark }
}

#[cfg(test)]
mod tests;
