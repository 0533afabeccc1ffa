//! What the two connections have in common: stanzas out, answers and reflections back, rooms.
//!
//! One task reads the stream ([`link`]); it gives each answer to who waits for it and everything
//! else, in order, to the one task that looks at it. That task never waits for an answer itself,
//! or nobody would read it.

pub(crate) mod archive;
pub(crate) mod backoff;
mod confirming;
mod entering;
pub(crate) mod link;
pub(crate) mod occupants;
pub(crate) mod own_messages;
pub(crate) mod posting;
pub(crate) mod room_message;
pub(crate) mod rooms;
pub(crate) mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minidom::Element;
use mls_core::delivery::DeliveryError;
use mls_core::limits::STANZA_BYTES_MAX;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::limits::{ANSWER_DEADLINE, LIVE_DEADLINE, WRITE_DEADLINE};
use crate::mapping::Build;
use crate::mapping::stanza::{self, StanzaError};
use crate::stream;
use confirming::Sent;
use occupants::Occupants;
use own_messages::OwnMessages;
use waiting::Waiting;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    /// There is no connection now.
    #[error("the connection to the XMPP server is down")]
    Offline,
    /// Nobody answered in time.
    #[error("the XMPP server did not answer in time")]
    Timeout,
    /// Our own message is too long; nobody else may be troubled with it.
    #[error("the stanza has {0} bytes, more than {STANZA_BYTES_MAX}")]
    TooLarge(usize),
    /// The other side said no.
    #[error("the other side refused: {0}")]
    Refused(StanzaError),
}

impl Failure {
    /// The same, where it is not the last word.
    pub(crate) fn passing(self) -> Self {
        match self {
            Self::Refused(error) => Self::Refused(StanzaError { kind: "wait".to_owned(), ..error }),
            other => other,
        }
    }
}

impl From<Failure> for DeliveryError {
    fn from(failure: Failure) -> Self {
        let why = failure.to_string();
        match failure {
            Failure::Refused(error) if !error.is_passing() => Self::Refused { why },
            Failure::TooLarge(_) => Self::Refused { why },
            _ => Self::Later { after_ms: None, why },
        }
    }
}

/// One account's or component's standing with its server, across connections; clones share it.
#[derive(Clone)]
pub(crate) struct Session(Arc<Inner>);

struct Inner {
    /// The namespace of stanzas on the stream.
    namespace: &'static str,
    line: Mutex<Line>,
    waiting: Mutex<Waiting>,
    occupants: Mutex<Occupants>,
    own: Mutex<OwnMessages>,
    /// Rooms that are entered and caught up, and rooms that do not let us in.
    doors: watch::Sender<HashMap<String, Door>>,
    counter: AtomicU64,
    /// Stanzas that were sent so far.
    sent: AtomicU64,
    /// Up to which of them the server has all; held while it is asked.
    confirmed: tokio::sync::Mutex<Sent>,
}

/// How far we are with a room, where that is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Entered and caught up.
    Live,
    /// It does not let us in, and is tried again after a while.
    Shut,
}

#[derive(Default)]
struct Line {
    /// Text for the connection that is up.
    out: Option<mpsc::Sender<String>>,
    /// The full JID whose view of the rooms counts.
    me: String,
    /// Which connection it is.
    turn: u64,
}

/// A stanza for the task that looks at them.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The stanza.
    pub(crate) stanza: Element,
    /// For a room's message: the bare JID of the occupant who sent it, as the room told us when
    /// they were seen last before it.
    pub(crate) sender: Option<String>,
}

impl Session {
    /// Without a connection yet.
    pub(crate) fn new(namespace: &'static str) -> Self {
        Self(Arc::new(Inner {
            namespace,
            line: Mutex::default(),
            waiting: Mutex::default(),
            occupants: Mutex::default(),
            own: Mutex::default(),
            doors: watch::Sender::default(),
            counter: AtomicU64::new(1),
            sent: AtomicU64::new(0),
            confirmed: tokio::sync::Mutex::default(),
        }))
    }

    /// A connection is there; `me` is the full JID whose view of the rooms counts.
    pub(crate) fn up(&self, me: &str, out: mpsc::Sender<String>) {
        let mut line = lock(&self.0.line);
        *line = Line { out: Some(out), me: me.to_owned(), turn: line.turn.wrapping_add(1) };
    }

    /// The connection is gone: who waits gets no answer, and we are in no room.
    pub(crate) fn down(&self) {
        lock(&self.0.line).out = None;
        *lock(&self.0.waiting) = Waiting::default();
        *lock(&self.0.occupants) = Occupants::default();
        self.0.doors.send_replace(HashMap::new());
    }

    /// Whether there is a connection.
    pub(crate) fn is_up(&self) -> bool {
        lock(&self.0.line).out.is_some()
    }

    /// The full JID whose view of the rooms counts.
    pub(crate) fn me(&self) -> String {
        lock(&self.0.line).me.clone()
    }

    /// An id that no other request of this process has, and no [`mls_core::wire::RequestId`].
    pub(crate) fn fresh_id(&self) -> String {
        format!(".{}", self.0.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a stanza on its way; done when it waits to be written.
    pub(crate) async fn send(&self, stanza: &Element) -> Result<(), Failure> {
        self.put_out(stanza).await.map(drop)
    }

    async fn put_out(&self, stanza: &Element) -> Result<Sent, Failure> {
        let text = stream::to_text(stanza, self.0.namespace).map_err(|error| {
            let error = StanzaError::new("modify", "bad-request").saying(error.to_string());
            Failure::Refused(error)
        })?;
        let (out, turn) = {
            let line = lock(&self.0.line);
            (line.out.clone().ok_or(Failure::Offline)?, line.turn)
        };
        if text.len() > STANZA_BYTES_MAX {
            return Err(Failure::TooLarge(text.len()));
        }
        match timeout(WRITE_DEADLINE, out.send(text)).await {
            Ok(Ok(())) => Ok(self.count_sent(turn)),
            Ok(Err(_)) => Err(Failure::Offline),
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// Asks, and gives the answer (of type `result`).
    pub(crate) async fn ask(
        &self,
        kind: &str,
        from: Option<&str>,
        to: &str,
        payload: Element,
    ) -> Result<Element, Failure> {
        let iq = stanza::iq(kind, to, &self.fresh_id(), payload);
        self.ask_with(from.into_iter().fold(iq, |iq, from| iq.with("from", from))).await
    }

    /// Asks with an IQ that has its id and addresses already.
    pub(crate) async fn ask_with(&self, iq: Element) -> Result<Element, Failure> {
        let answer = self.answer_to(iq).await?;
        StanzaError::of(&answer).map_or(Ok(answer), |error| Err(Failure::Refused(error)))
    }

    /// The answer to an IQ, be it of type `result` or `error`.
    pub(crate) async fn answer_to(&self, iq: Element) -> Result<Element, Failure> {
        let key = (attr(&iq, "id"), attr(&iq, "to"));
        let answer = lock(&self.0.waiting).answer(key.clone());
        let answer = async {
            self.send(&iq).await?;
            let answer = timeout(ANSWER_DEADLINE, answer).await.map_err(|_| Failure::Timeout)?;
            answer.map_err(|_| Failure::Offline)
        }
        .await;
        lock(&self.0.waiting).forget_answer(&key);
        answer
    }

    /// Marks a room as entered and caught up, or not.
    pub(crate) fn set_live(&self, room: &str, live: bool) {
        self.set_door(room, live.then_some(Door::Live));
    }

    /// Marks a room as one that does not let us in for now.
    pub(crate) fn set_shut(&self, room: &str) {
        self.set_door(room, Some(Door::Shut));
    }

    fn set_door(&self, room: &str, door: Option<Door>) {
        self.0.doors.send_if_modified(|doors| match door {
            Some(door) => doors.insert(room.to_owned(), door) != Some(door),
            None => doors.remove(room).is_some(),
        });
    }

    /// Waits until a room is entered and caught up; not for one that does not let us in.
    pub(crate) async fn wait_until_live(&self, room: &str) -> Result<(), DeliveryError> {
        if !self.is_up() {
            return Err(Failure::Offline.into());
        }
        let mut doors = self.0.doors.subscribe();
        let decided = timeout(LIVE_DEADLINE, doors.wait_for(|doors| doors.contains_key(room)));
        let is_live = |doors: &HashMap<_, _>| doors.get(room) == Some(&Door::Live);
        match decided.await {
            Ok(Ok(doors)) if is_live(&doors) => Ok(()),
            _ => {
                let why = format!("{room} is not entered and caught up yet");
                Err(DeliveryError::Later { after_ms: None, why })
            }
        }
    }

    /// An own message was seen in its room.
    pub(crate) fn see_own(&self, room: &str, id: &str) {
        lock(&self.0.own).see(room, id);
    }

    /// Gives a stanza to who waits for it; what is left is for the task that looks at them all.
    pub(crate) fn dispatch(&self, stanza: Element) -> Option<Incoming> {
        let me = self.me();
        let mut waiting = lock(&self.0.waiting);
        match stanza.name() {
            "iq" => waiting.take_iq(stanza, &me).map(|stanza| Incoming { stanza, sender: None }),
            "message" => {
                let sender = lock(&self.0.occupants).sender(&stanza);
                waiting.take_message(stanza, &me, sender)
            }
            "presence" => {
                let stanza = waiting.take_presence(stanza, &me)?;
                if stanza.attr("to") == Some(&me) {
                    lock(&self.0.occupants).see(&stanza);
                }
                Some(Incoming { stanza, sender: None })
            }
            _ => None,
        }
    }
}

pub(crate) fn attr(element: &Element, name: &'static str) -> String {
    element.attr(name).unwrap_or_default().to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
