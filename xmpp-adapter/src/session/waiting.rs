//! Who waits for which stanza. Every entry is taken away by its waiter when its deadline passes.

use std::collections::HashMap;

use minidom::Element;
use tokio::sync::oneshot;

use super::{Incoming, attr};
use crate::limits::ARCHIVE_PAGE;
use crate::mapping::hints;
use crate::mapping::namespace::{MAM, MUC_USER};
use crate::mapping::stanza::{StanzaError, bare, resource};

/// We are in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// The nickname that the room gave us.
    pub(crate) nick: String,
    /// The room did not exist before and waits for its configuration (XEP-0045 10.1).
    pub(crate) created: bool,
}

type Outcome<T> = Result<T, StanzaError>;

/// Who waits for an own message, and the bare JID that posted it.
type Reflection = (String, oneshot::Sender<Outcome<String>>);

/// All who wait on one connection.
#[derive(Default)]
pub(crate) struct Waiting {
    /// By the request's id and whom it was sent to.
    answers: HashMap<(String, String), oneshot::Sender<Element>>,
    /// By room and message id; only the sender's own message counts, not one with the same id.
    reflections: HashMap<(String, String), Reflection>,
    /// By room and the full JID that enters.
    entries: HashMap<(String, String), oneshot::Sender<Outcome<Entered>>>,
    /// By query id: the room, and what came so far.
    pages: HashMap<String, (String, Vec<Element>)>,
}

impl Waiting {
    pub(super) fn answer(&mut self, key: (String, String)) -> oneshot::Receiver<Element> {
        let (sender, receiver) = oneshot::channel();
        self.answers.insert(key, sender);
        receiver
    }

    pub(super) fn forget_answer(&mut self, key: &(String, String)) {
        self.answers.remove(key);
    }

    pub(super) fn reflection(
        &mut self,
        key: (String, String),
        sender: String,
    ) -> oneshot::Receiver<Outcome<String>> {
        let (waiter, receiver) = oneshot::channel();
        self.reflections.insert(key, (sender, waiter));
        receiver
    }

    pub(super) fn forget_reflection(&mut self, key: &(String, String)) {
        self.reflections.remove(key);
    }

    pub(super) fn entry(&mut self, key: (String, String)) -> oneshot::Receiver<Outcome<Entered>> {
        let (sender, receiver) = oneshot::channel();
        self.entries.insert(key, sender);
        receiver
    }

    pub(super) fn forget_entry(&mut self, key: &(String, String)) {
        self.entries.remove(key);
    }

    /// Collects the results of an archive query.
    pub(super) fn open_page(&mut self, query: &str, room: &str) {
        self.pages.insert(query.to_owned(), (room.to_owned(), Vec::new()));
    }

    /// What was collected.
    pub(super) fn close_page(&mut self, query: &str) -> Vec<Element> {
        self.pages.remove(query).map(|(_, results)| results).unwrap_or_default()
    }

    /// Gives an answer to who asked; an answer that nobody waits for, and every request, is left.
    /// Without a sender it is from our own account (RFC 6120 8.1.2.1).
    pub(super) fn take_iq(&mut self, iq: Element, me: &str) -> Option<Element> {
        let from = iq.attr("from").unwrap_or(bare(me)).to_owned();
        if matches!(iq.attr("type"), Some("result" | "error"))
            && let Some(waiter) = self.answers.remove(&(attr(&iq, "id"), from))
        {
            // Who gave up meanwhile does not miss it.
            let _ = waiter.send(iq);
            return None;
        }
        Some(iq)
    }

    /// Gives reflections and results of archives to who waits; leaves what is for `me`.
    pub(super) fn take_message(
        &mut self,
        message: Element,
        me: &str,
        sender: Option<String>,
    ) -> Option<Incoming> {
        let from = message.attr("from").unwrap_or_default();
        let room = bare(from).to_owned();
        // A room passes on what its occupants say in private (XEP-0045 7.5), whatever it is.
        let by_room = resource(from).is_none();
        if let Some(result) = message.get_child("result", MAM) {
            let page = result.attr("queryid").and_then(|query| self.pages.get_mut(query));
            match page {
                Some((asked, results))
                    if by_room && *asked == room && results.len() < ARCHIVE_PAGE =>
                {
                    results.push(result.clone());
                }
                _ => tracing::debug!(%room, "an archive result that nobody asked for"),
            }
            return None;
        }
        let key = (room.clone(), attr(&message, "id"));
        match message.attr("type") {
            Some("error") if by_room => {
                if let Some((_, waiter)) = self.reflections.remove(&key) {
                    let error = StanzaError::of(&message);
                    let _ = waiter
                        .send(Err(error
                            .unwrap_or_else(|| StanzaError::new("cancel", "undefined-condition"))));
                    return None;
                }
            }
            // Everything in a room comes once for each of our occupants in it.
            Some("groupchat") if message.attr("to") != Some(me) => return None,
            Some("groupchat") => {
                let own = |(posted_by, _): &(String, _)| Some(posted_by) == sender.as_ref();
                if self.reflections.get(&key).is_some_and(own)
                    && let Some((_, waiter)) = self.reflections.remove(&key)
                {
                    let _ = waiter.send(Ok(hints::stanza_id(&message, &room).unwrap_or_default()));
                }
            }
            _ => {}
        }
        Some(Incoming { stanza: message, sender })
    }

    /// Gives our own presence in a room, or the refusal to let us in, to who waits; leaves what is
    /// for `me`, and our own occupants' departures.
    pub(super) fn take_presence(&mut self, presence: Element, me: &str) -> Option<Element> {
        let from = presence.attr("from").unwrap_or_default();
        let key = (bare(from).to_owned(), attr(&presence, "to"));
        let own = has_status(&presence, "110");
        match presence.attr("type") {
            // From the occupant that we want to be. No other occupant can send one: Prosody puts
            // out who does.
            Some("error") => {
                if let Some(waiter) = self.entries.remove(&key) {
                    let _ = waiter.send(Err(StanzaError::of(&presence)
                        .unwrap_or_else(|| StanzaError::new("cancel", "undefined-condition"))));
                }
            }
            None if own => {
                if let Some(waiter) = self.entries.remove(&key) {
                    let nick = resource(from).unwrap_or_default().to_owned();
                    let created = has_status(&presence, "201");
                    let _ = waiter.send(Ok(Entered { nick, created }));
                }
            }
            _ => {}
        }
        let left = own && presence.attr("type") == Some("unavailable");
        let outside = !presence.has_child("x", MUC_USER);
        (presence.attr("to") == Some(me) || left || outside).then_some(presence)
    }
}

/// Whether a room's presence has a status code (XEP-0045 15.6).
pub(crate) fn has_status(presence: &Element, code: &str) -> bool {
    let x = presence.get_child("x", MUC_USER);
    let status = |e: &Element| e.is("status", MUC_USER) && e.attr("code") == Some(code);
    x.is_some_and(|x| x.children().any(status))
}
