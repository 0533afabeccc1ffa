//! One room: how far we are with it, and what must wait.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::Reply;
use crate::limits::{ARCHIVE_ATTEMPTS, ARCHIVE_PAGE, HELD_MAX};
use crate::session::archive::Page;
use crate::session::room_message::RoomMessage;

/// How far we are with a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not in it.
    Out,
    /// On the way in.
    Entering,
    /// In it; its archive is being read, and live messages are held.
    CatchingUp,
    /// In it, and everything that comes is new.
    Live,
}

/// One room.
pub(super) struct Feed {
    pub(super) state: State,
    /// Goes up with every start; reports of former turns do not count.
    pub(super) turn: u64,
    /// The place in the archive up to which everything was handed over.
    pub(super) mark: Option<String>,
    pub(super) nick: Option<String>,
    pub(super) heard: Instant,
    pub(super) attempts: u32,
    pub(super) replies: Vec<Reply>,
    /// Times that the archive was not there, one after the other.
    archive_missed: u32,
    /// More live messages came than can be held: the archive has them.
    pub(super) dropped: bool,
    held: Vec<RoomMessage>,
    /// Ids of what was handed over last: a message comes live and from the archive.
    recent: VecDeque<String>,
}

impl Feed {
    pub(super) fn new(mark: Option<String>) -> Self {
        Self {
            state: State::Out,
            turn: 0,
            mark,
            nick: None,
            heard: Instant::now(),
            attempts: 0,
            replies: Vec::new(),
            archive_missed: 0,
            dropped: false,
            held: Vec::new(),
            recent: VecDeque::new(),
        }
    }

    /// Out of the room; what is on its way about it no longer counts.
    pub(super) fn reset(&mut self) {
        self.state = State::Out;
        self.turn += 1;
        self.held.clear();
        self.dropped = false;
        self.nick = None;
    }

    /// Begins again after `mark`.
    pub(super) fn rewind(&mut self, mark: Option<String>) {
        self.reset();
        self.mark = mark;
        self.recent.clear();
    }

    pub(super) fn entered(&mut self, nick: String) {
        self.state = State::CatchingUp;
        self.nick = Some(nick);
        self.attempts = 0;
        self.heard = Instant::now();
        for reply in self.replies.drain(..) {
            // Who gave up meanwhile does not miss it.
            let _ = reply.send(Ok(()));
        }
    }

    /// A live message: given back if it is its turn now.
    pub(super) fn take(&mut self, message: RoomMessage) -> Option<RoomMessage> {
        if message.id.as_ref().is_some_and(|id| self.recent.contains(id)) {
            return None;
        }
        match self.state {
            State::Out | State::Entering => None,
            State::CatchingUp if self.held.len() >= HELD_MAX => {
                self.dropped = true;
                self.held.clear();
                None
            }
            State::CatchingUp => {
                self.held.push(message);
                None
            }
            State::Live => {
                self.hand_over(&message);
                Some(message)
            }
        }
    }

    /// A page of the archive: what is new in it.
    pub(super) fn take_page(&mut self, page: Page) -> Vec<RoomMessage> {
        self.archive_missed = 0;
        let is_new =
            |message: &RoomMessage| message.id.as_ref().is_none_or(|id| !self.recent.contains(id));
        let messages: Vec<_> = page.messages.into_iter().filter(is_new).collect();
        messages.iter().for_each(|message| self.hand_over(message));
        if page.last.is_some() {
            self.mark = page.last;
        }
        let recent = &self.recent;
        self.held.retain(|held| held.id.as_ref().is_none_or(|id| !recent.contains(id)));
        messages
    }

    /// The archive is not there; whether that was said often enough to be believed.
    pub(super) fn has_no_archive(&mut self) -> bool {
        self.archive_missed = self.archive_missed.saturating_add(1);
        self.archive_missed >= ARCHIVE_ATTEMPTS
    }

    /// The archive is read: gives what was held.
    pub(super) fn go_live(&mut self) -> Vec<RoomMessage> {
        self.state = State::Live;
        let held = std::mem::take(&mut self.held);
        held.iter().for_each(|message| self.hand_over(message));
        held
    }

    fn hand_over(&mut self, message: &RoomMessage) {
        if let Some(id) = &message.id {
            self.mark = Some(id.clone());
            self.recent.push_back(id.clone());
            while self.recent.len() > 2 * ARCHIVE_PAGE {
                self.recent.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use minidom::Element;

    use super::*;

    fn message(id: &str) -> RoomMessage {
        let stanza = Element::bare("message", "jabber:client");
        RoomMessage { id: Some(id.into()), sender: None, sent_ms: None, stanza }
    }

    fn page(ids: &[&str], complete: bool) -> Page {
        let messages: Vec<_> = ids.iter().map(|id| message(id)).collect();
        let edge = |m: Option<&RoomMessage>| m.and_then(|m| m.id.clone());
        Page { first: edge(messages.first()), last: edge(messages.last()), complete, messages }
    }

    fn ids(messages: &[RoomMessage]) -> Vec<&str> {
        messages.iter().filter_map(|message| message.id.as_deref()).collect()
    }

    #[test]
    fn live_messages_wait_for_the_archive_and_come_once() {
        let mut feed = Feed::new(None);
        feed.entered("me".into());
        assert!(feed.take(message("3")).is_none());
        assert!(feed.take(message("4")).is_none());
        assert_eq!(ids(&feed.take_page(page(&["1", "2", "3"], true))), ["1", "2", "3"]);
        assert_eq!(ids(&feed.go_live()), ["4"]);
        assert!(feed.take(message("3")).is_none());
        assert!(feed.take(message("5")).is_some());
        assert_eq!(feed.mark.as_deref(), Some("5"));
    }

    #[test]
    fn what_cannot_be_held_is_left_to_the_archive() {
        let mut feed = Feed::new(None);
        feed.entered("me".into());
        for n in 0..=HELD_MAX {
            assert!(feed.take(message(&n.to_string())).is_none());
        }
        assert!(feed.dropped);
        assert!(feed.go_live().is_empty());
    }

    #[test]
    fn after_a_rewind_everything_behind_the_mark_comes_again() {
        let mut feed = Feed::new(None);
        feed.entered("me".into());
        feed.take_page(page(&["1", "2"], true));
        feed.go_live();
        feed.rewind(Some("1".into()));
        feed.entered("me".into());
        assert_eq!(ids(&feed.take_page(page(&["2"], true))), ["2"]);
    }
}
