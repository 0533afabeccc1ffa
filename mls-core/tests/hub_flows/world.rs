//! A hub and its twin, which is opened anew from its store before every input.

use std::sync::Arc;

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{
    AnswerEffect, Effect, Hub, HubSetup, Input, OperatorAnswer, OperatorOrder, Outcome, Reply,
    ReplyTo, RequestInput, RoomMessage,
};
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::store::{MemoryStore, Write};
use mls_core::wire::handshake::Handshake;
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

/// 2027-01-15, in milliseconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000_000;
/// The room of the tests' group on Matrix.
pub(crate) const ROOM: &str = "!room:example.org";
/// The MUC of the tests' group.
pub(crate) const MUC: &str = "muc@rooms.example.org";

/// Where a message is copied to, whose it is, and the message.
pub(crate) type Copied = (RoomAddress, UserId, Vec<u8>);

/// The hub under test.
pub(crate) struct World {
    pub(crate) now: u64,
    setup: HubSetup,
    store: MemoryStore,
    hub: Hub,
    /// The store of the hub that is opened anew before each input.
    twin: MemoryStore,
    /// Not while a test is about what lives in memory only (rates).
    pub(crate) twin_works: bool,
    requests: u64,
    /// All writes so far.
    journal: Vec<Write>,
    /// What was to be done and no test has looked at yet, without answers.
    pub(crate) effects: Vec<Effect>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(setup())
    }

    /// A hub with a setup of its own.
    pub(crate) fn of(setup: HubSetup) -> Self {
        Self::after(setup, &[])
    }

    /// A hub that finds these writes in its store.
    fn after(setup: HubSetup, journal: &[Write]) -> Self {
        let (store, twin) = (MemoryStore::default(), MemoryStore::default());
        store.apply(journal);
        let (hub, writes) = Hub::open(Arc::new(store.clone()), setup.clone()).unwrap();
        store.apply(&writes);
        let journal = [journal, &writes].concat();
        twin.apply(&journal);
        let (requests, effects) = (0, Vec::new());
        Self { now: NOW, setup, store, hub, twin, twin_works: true, requests, journal, effects }
    }

    /// A copy of the hub's store as it is now.
    pub(crate) fn backup(&self) -> Vec<Write> {
        self.journal.clone()
    }

    /// The hub of a backup, without a twin, at the time of this one.
    pub(crate) fn restored(&self, backup: &[Write]) -> Self {
        let (now, requests) = (self.now, self.requests);
        Self { now, requests, twin_works: false, ..Self::after(self.setup.clone(), backup) }
    }

    /// Without a twin, for now.
    pub(crate) fn alone() -> Self {
        Self { twin_works: false, ..Self::new() }
    }

    /// From here on a twin works beside the hub.
    pub(crate) fn with_twin(&mut self) {
        self.twin_works = true;
    }

    /// Opens the hub anew.
    pub(crate) fn restart(&mut self) {
        let (hub, writes) = Hub::open(Arc::new(self.store.clone()), self.setup.clone()).unwrap();
        assert!(writes.is_empty(), "an opened hub changes nothing");
        self.hub = hub;
    }

    /// One input, to both; returns what the first wants done.
    pub(crate) fn input(&mut self, input: Input) -> Outcome {
        let outcome = self.hub.handle(self.now, input.clone()).unwrap();
        self.store.apply(&outcome.writes);
        self.journal.extend_from_slice(&outcome.writes);
        if !self.twin_works {
            self.twin.apply(&outcome.writes);
        } else {
            let twin = &self.twin;
            let (mut hub, writes) = Hub::open(Arc::new(twin.clone()), self.setup.clone()).unwrap();
            assert!(writes.is_empty(), "an opened hub changes nothing");
            let same = hub.handle(self.now, input).unwrap();
            twin.apply(&same.writes);
            assert_eq!(self.hub.due_ms().unwrap(), hub.due_ms().unwrap(), "a restart changed when");
            assert_eq!(outcome.effects, same.effects, "a restart changed what is done");
            assert!(
                durable(&outcome.writes).eq(durable(&same.writes)),
                "a restart changed what is stored"
            );
        }
        outcome
    }

    /// One input whose effects are looked at later.
    pub(crate) fn happen(&mut self, input: Input) {
        let outcome = self.input(input);
        self.effects.extend(outcome.effects);
    }

    /// What the operator wants, and what they are told.
    pub(crate) fn order(&mut self, order: OperatorOrder) -> OperatorAnswer {
        let outcome = self.input(Input::Operator(order));
        self.effects.extend(outcome.effects);
        outcome.operator.expect("an order is answered at once")
    }

    /// A request and its answer, which must come at once.
    pub(crate) fn request(&mut self, from: &UserId, request: Request) -> Result<Answer, Refusal> {
        self.requests += 1;
        let id = format!("request-{}", self.requests);
        self.request_as(from, &id, request).expect("an answer at once")
    }

    /// A request with an id of its own; no answer where it is still to come.
    pub(crate) fn request_as(
        &mut self,
        from: &UserId,
        id: &str,
        request: Request,
    ) -> Option<Result<Answer, Refusal>> {
        let reply_to = ReplyTo::Jid(format!("{}/client", from.address()));
        let input = RequestInput { from: from.clone(), reply_to, id: id.to_owned(), request };
        let outcome = self.input(Input::Request(input));
        let refused = |effect: &Effect| {
            matches!(effect, Effect::Answer(AnswerEffect { reply: Reply::Refused(_), .. }))
        };
        if outcome.effects.iter().any(refused) {
            assert!(outcome.writes.is_empty(), "a refusal changed {:?}", outcome.writes);
            assert_eq!(outcome.effects.len(), 1, "a refusal did something");
        }
        let mut reply = None;
        for effect in outcome.effects {
            match effect {
                Effect::Answer(answer) if answer.id == id => {
                    assert!(reply.is_none(), "two answers to one request");
                    reply = Some(match answer.reply {
                        Reply::Ok(answer) => Ok(answer),
                        Reply::Refused(refusal) => Err(refusal),
                        Reply::Sealed(_) => panic!("nothing was sealed"),
                    });
                }
                other => self.effects.push(other),
            }
        }
        reply
    }

    /// A message that somebody posts into a room; returns the rooms that it is copied into.
    pub(crate) fn message(
        &mut self,
        room: &RoomAddress,
        sender: &UserId,
        message: &[u8],
    ) -> Vec<Copied> {
        let outcome = self.post(room, sender, message);
        outcome.effects.into_iter().map(relayed).collect()
    }

    /// A message that somebody posts into a room, with all that follows.
    pub(crate) fn post(&mut self, room: &RoomAddress, sender: &UserId, message: &[u8]) -> Outcome {
        self.input(Input::Message(RoomMessage {
            room: room.clone(),
            sender: sender.clone(),
            event: "$event".to_owned(),
            sent_ms: self.now,
            message: message.to_vec(),
            checkpoint: None,
        }))
    }

    /// Waits until the hub wants to be called, and calls it; what it copies then.
    pub(crate) fn wait_until_due(&mut self) -> Vec<Copied> {
        let due = self.hub.due_ms().unwrap().expect("something is held back");
        self.now = self.now.max(due);
        self.input(Input::Due).effects.into_iter().map(relayed).collect()
    }

    pub(crate) fn info(&mut self, from: &UserId) -> HubInfo {
        match self.request(from, Request::HubInfo) {
            Ok(Answer::HubInfo(info)) => info,
            other => panic!("{other:?}"),
        }
    }

    /// Effects that were not looked at yet.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Handshakes that were posted into `room`, taken out of the effects.
    pub(crate) fn take_posts(&mut self, room: &RoomAddress) -> Vec<Posted> {
        let (posts, rest) = self
            .take_effects()
            .into_iter()
            .partition::<Vec<_>, _>(|e| matches!(e, Effect::PostHandshake(_)));
        self.effects = rest;
        let post = |effect| match effect {
            Effect::PostHandshake(post) if post.room == *room => {
                Some(Posted { handshake: handshake_key().open(&post.handshake).unwrap() })
            }
            _ => None,
        };
        posts.into_iter().filter_map(post).collect()
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }
}

/// A handshake in a room, opened.
pub(crate) struct Posted {
    pub(crate) handshake: Handshake,
}

/// What these devices give the hub as key of every epoch; it cannot check that.
pub(crate) fn handshake_key() -> HandshakeKey {
    HandshakeKey::from_exported(&[7; LENGTH]).unwrap()
}

pub(crate) fn room() -> RoomAddress {
    RoomAddress::matrix(ROOM)
}

pub(crate) fn muc() -> RoomAddress {
    RoomAddress::xmpp(MUC)
}

/// A copy of a message, from the effect that wants it posted.
pub(crate) fn relayed(effect: Effect) -> Copied {
    match effect {
        Effect::Relay(relay) => (relay.room, relay.sender, relay.message),
        other => panic!("a message led to {other:?}"),
    }
}

pub(crate) fn setup() -> HubSetup {
    HubSetup {
        matrix: Some("@mls:example.org".to_owned()),
        xmpp: Some("mls.example.org".to_owned()),
        ..HubSetup::default()
    }
}

/// Snapshots hold caches of hashes, which may be filled or not; all else must be the same.
fn durable(writes: &[Write]) -> impl Iterator<Item = &Write> {
    writes.iter().filter(|write| !matches!(write, Write::Put { space: "snapshot", .. }))
}
