//! The group that is attacked, and what must hold of it afterwards.

use std::fs;

use matrix_adapter::mapping as matrix;
use matrix_adapter::mapping::namespace::algorithm;
use mls_core::address::ClientId;
use mls_core::wire::GroupId;
use serde_json::json;
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::{Group, View};
use tests::matrix_session::MatrixSession;
use tests::rig::Rig;
use tests::xmpp_session::XmppSession;
use xmpp_adapter::mapping::application_message::{self, Application};

/// Alice and sometimes Carol on Matrix, Bob and sometimes Dave on XMPP.
pub(crate) struct Party {
    pub(crate) alice: Bot,
    pub(crate) bob: Bot,
    /// Carol and Dave, or nobody.
    pub(crate) others: Vec<Bot>,
    pub(crate) group: Group,
    /// What all agreed on when it was formed.
    pub(crate) before: View,
}

impl Party {
    /// Alice's group with Bob.
    pub(crate) fn of_two(rig: &Rig) -> Result<Self, RigError> {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        Self::new(alice, bob, Vec::new(), group)
    }

    /// Bob's group with Alice.
    pub(crate) fn of_two_by_bob(rig: &Rig) -> Result<Self, RigError> {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&bob, &[&alice])?;
        Self::new(alice, bob, Vec::new(), group)
    }

    /// Alice's group with Bob, Carol and Dave.
    pub(crate) fn of_four(rig: &Rig) -> Result<Self, RigError> {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&alice, &[&bob, &carol, &dave])?;
        Self::new(alice, bob, vec![carol, dave], group)
    }

    fn new(alice: Bot, bob: Bot, others: Vec<Bot>, group: Group) -> Result<Self, RigError> {
        let mut all = vec![&alice, &bob];
        all.extend(&others);
        let before = group.converge_to(&all, all.len())?;
        Ok(Self { alice, bob, others, group, before })
    }

    /// With somebody more, who has just joined.
    pub(crate) fn with(mut self, joined: Bot) -> Result<Self, RigError> {
        self.others.push(joined);
        self.before = self.group.converge_to(&self.all(), self.all().len())?;
        Ok(self)
    }

    pub(crate) fn all(&self) -> Vec<&Bot> {
        [&self.alice, &self.bob].into_iter().chain(&self.others).collect()
    }

    pub(crate) fn group_id(&self) -> Result<GroupId, RigError> {
        hex::decode(&self.group.id).map(GroupId).map_err(|e| RigError::Answer(e.to_string()))
    }

    /// Nothing was followed: all are where they were. Then the group commits and talks in both
    /// directions, and everybody reads exactly that.
    pub(crate) fn unmoved_goes_on(&self) -> Result<(), RigError> {
        let now = self.group.converge(&self.all())?;
        assert_eq!(now, self.before, "the attack changed the group");
        self.goes_on()
    }

    /// The group commits and talks in both directions, and everybody reads exactly that.
    pub(crate) fn goes_on(&self) -> Result<(), RigError> {
        let all = self.all();
        let mut texts = Vec::new();
        for (bot, from) in [(&self.alice, "Matrix"), (&self.bob, "XMPP")] {
            let text = format!("{} goes on from {from}", bot.name);
            self.group.say(bot, &all, &text)?;
            bot.command(json!({"command": "rotate", "group": self.group.id}))?;
            texts.push(text);
        }
        let now = self.group.converge_to(&all, all.len())?;
        assert!(now.epoch >= self.before.epoch + 2, "no new epochs: {now:?}");
        self.group.assert_one_winner_an_epoch(&all)?;
        all.iter().try_for_each(|bot| self.group.assert_exactly(bot, &texts))
    }

    /// Waits until `bot` shows a warning that says this.
    pub(crate) fn wait_warned(&self, bot: &Bot, says: &str) -> Result<(), RigError> {
        let what = format!("a warning of {says:?}");
        bot.wait_for(&what, |event| {
            let text = event["text"].as_str().unwrap_or_default();
            self.group.is(event, "warning") && text.contains(says)
        })
        .map(drop)
    }

    /// Checks how many warnings of a bot say this.
    pub(crate) fn assert_warnings(
        &self,
        bot: &Bot,
        says: &str,
        count: usize,
    ) -> Result<(), RigError> {
        let warnings = self.group_warnings(bot)?;
        let found = warnings.iter().filter(|text| text.contains(says)).count();
        assert_eq!(found, count, "{}: {says:?} in {warnings:#?}", bot.name);
        Ok(())
    }

    fn group_warnings(&self, bot: &Bot) -> Result<Vec<String>, RigError> {
        let events = bot.events.of("warning", &self.group.id)?;
        Ok(events.iter().map(|e| e["text"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Alice's account sends bytes as a message into the Matrix room.
    pub(crate) fn post_on_matrix(&self, rig: &Rig, message: &[u8]) -> Result<(), RigError> {
        let session = MatrixSession::login(rig.synapse.port, &self.alice.account)?;
        let algorithm = algorithm(1).unwrap_or_default();
        let content = matrix::application_message::encode(&algorithm, message, None);
        let room = self.group.room(&self.alice, "matrix")?;
        session.send(&room, "m.room.encrypted", "attack", &content).map(drop)
    }

    /// Bob's account sends bytes as a message into the chat.
    pub(crate) fn post_on_xmpp(&self, rig: &Rig, message: &[u8]) -> Result<(), RigError> {
        let mut session = XmppSession::login(rig.prosody.ports.client, &self.bob.account)?;
        let chat = self.group.room(&self.bob, "xmpp")?;
        session.enter(&chat, "attack")?;
        let (group, epoch) = (self.group_id()?, self.before.epoch);
        let application = Application { group, epoch, message: message.to_vec(), checkpoint: None };
        session.send(&String::from(&application_message::message(&chat, "attack", &application)))
    }
}

/// The client that a bot is.
pub(crate) fn client_of(bot: &Bot) -> Result<ClientId, RigError> {
    Ok(ClientId::parse(&bot.client()?).unwrap())
}

/// Waits until the log of a bot, which shows warnings, says this.
pub(crate) fn wait_logged(bot: &Bot, says: &str) -> Result<(), RigError> {
    let read = || fs::read_to_string(bot.log()).unwrap_or_default();
    let look = || Ok(read().contains(says).then_some(()));
    until(&format!("{} logs {says:?}", bot.name), STEP, look, read)
}
