//! One device: its profile as `mls-bot` keeps it, and the member in it.

use std::path::Path;
use std::sync::Arc;

use bot::profile::{EmptyProfile, Profile};
use bot::session::{MatrixSession, Secret, Server, Session, XmppSession};
use mls_core::content::{self, Content};
use mls_core::member::{Event, Input, Member, Output};
use storage::Database;

/// A device over its database.
pub(crate) struct Person {
    /// Held, for it is locked.
    _profile: Profile,
    pub(crate) database: Database,
    pub(crate) member: Member,
    /// Looks at events, which are then marked as seen.
    pub(crate) looks: bool,
    /// What it wants done is done.
    pub(crate) online: bool,
    pub(crate) events: Vec<Event>,
}

impl Person {
    /// Opens the profile in a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let profile = Profile::open(folder).unwrap();
        let database = profile.database().unwrap();
        let client = profile.client().clone();
        let (member, writes) =
            Member::open(Arc::new(database.clone()), client).map_err(|error| error.to_string())?;
        database.commit(&writes).unwrap();
        let events = Vec::new();
        Ok(Self { _profile: profile, database, member, looks: true, online: true, events })
    }

    /// One input, its writes, and what is to be done.
    pub(crate) fn handle(&mut self, now_ms: u64, input: Input) -> Vec<Output> {
        let outcome = self.member.handle(now_ms, input).unwrap();
        self.database.commit(&outcome.writes).unwrap();
        self.sees(outcome.outputs)
    }

    /// Takes events out of outputs, and marks them as seen.
    pub(crate) fn sees(&mut self, outputs: Vec<Output>) -> Vec<Output> {
        let mut rest = Vec::new();
        for output in outputs {
            match output {
                Output::Event(record) if self.looks => {
                    self.events.push(record.event);
                    let writes = self.member.seen(record.number);
                    self.database.commit(&writes).unwrap();
                }
                Output::Event(_) => {}
                other => rest.push(other),
            }
        }
        if self.online { rest } else { Vec::new() }
    }

    /// The texts that it saw, in order; who sent them is the member's word.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Message(message) => match content::decode(&message.content) {
                Ok(Content::Text(text)) => Some(format!("{}: {text}", message.sender.client)),
                other => panic!("{other:?}"),
            },
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }
}

/// Makes the profiles of alice on Matrix and bob on XMPP, as logins do.
pub(crate) fn log_in(folder: &Path) {
    let alice = Server::Matrix(MatrixSession {
        homeserver: "https://a.org".parse().unwrap(),
        access_token: Secret::new("a token of the fixture".to_owned()),
        hub: "@mls:a.org".to_owned(),
    });
    let bob = Server::Xmpp(XmppSession {
        server: None,
        password: Secret::new("a password of the fixture".to_owned()),
        hub: "mls.x.org".to_owned(),
    });
    for (name, user, device, server) in
        [("alice", "@alice:a.org", "PHONE", alice), ("bob", "bob@x.org", "0011223344556677", bob)]
    {
        let session = Session::new(user, device, server).unwrap();
        EmptyProfile::prepare(&folder.join(name)).unwrap().fill(session).unwrap();
    }
}
