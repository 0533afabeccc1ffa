//! OpenMLS as an ordinary user of a real Synapse and of a real Prosody, among `mls-bot`s.

mod line;
mod matrix;
mod xmpp;

use mls_rs_core::crypto::CipherSuite;
use openmls::prelude::Ciphersuite;
use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::{Group, View};
use tests::rig::{Rig, shared};

use crate::memory::both_rooms;
use crate::peer::{Change, OpenMlsPeer, PeerError};
use line::{Line, Net};

impl From<PeerError> for RigError {
    fn from(error: PeerError) -> Self {
        Self::Answer(error.to_string())
    }
}

/// A peer on OpenMLS with its connection, and what it has said.
struct User<N> {
    line: Line<N>,
    peer: OpenMlsPeer,
    said: Vec<String>,
}

impl<N: Net> User<N> {
    /// A device with published key packages.
    fn new(mut line: Line<N>, suite: CipherSuite) -> Result<Self, RigError> {
        let suite = Ciphersuite::try_from(u16::from(suite)).map_err(PeerError::new)?;
        let mut peer = OpenMlsPeer::new(line.client.clone(), suite)?;
        // Nothing can be sealed to a hub that is not known.
        peer.hub(&mut line)?;
        peer.publish(&mut line, 3)?;
        Ok(Self { line, peer, said: Vec::new() })
    }

    /// Waits until it is in the group that it was invited to.
    fn wait_joined(&mut self) -> Result<(), RigError> {
        self.line.until(&mut self.peer, "OpenMLS joined", |peer| Ok(peer.epoch().is_ok()))
    }

    /// Waits until it and the bots see the same epoch with the same members.
    fn converge(&mut self, group: &Group, bots: &[&Bot]) -> Result<View, RigError> {
        let mut agreed = None;
        self.line.until(&mut self.peer, "OpenMLS and the bots agree", |peer| {
            let view = group.converge(bots)?;
            let members = peer.members()?.iter().map(ToString::to_string).collect();
            let same = View { epoch: peer.epoch()?, members } == view;
            agreed = same.then_some(view);
            Ok(same)
        })?;
        agreed.ok_or_else(|| RigError::Answer("nobody agreed".to_owned()))
    }

    /// Says something that all of these bots hear under its leaf's identity.
    fn say(&mut self, group: &Group, bots: &[&Bot], text: &str) -> Result<(), RigError> {
        self.said.push(text.to_owned());
        self.peer.say(&mut self.line, text)?;
        let client = self.line.client.to_string();
        bots.iter().try_for_each(|bot| {
            let said = |event: &serde_json::Value| {
                let right = event["text"] == text && event["sender"] == client.as_str();
                group.is(event, "message") && right
            };
            bot.wait_for(&format!("{text:?} from {client}"), said).map(drop)
        })
    }

    /// Waits until it has heard these texts, in this order, and nothing else.
    fn wait_heard(&mut self, texts: &[&str]) -> Result<(), RigError> {
        self.line.until(&mut self.peer, &format!("OpenMLS hears {texts:?}"), |peer| {
            Ok(peer.heard.len() >= texts.len())
        })?;
        let heard: Vec<&str> = self.peer.heard.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!((heard.as_slice(), self.peer.unread.as_slice()), (texts, &[][..]));
        Ok(())
    }

    /// Nothing that it said stands anywhere on the servers or in the bridge.
    fn assert_blind(&self, rig: &Rig) -> Result<(), RigError> {
        let hits = rig.search(&self.said)?.hits;
        if hits.is_empty() { Ok(()) } else { Err(RigError::Answer(format!("{hits:#?}"))) }
    }
}

/// What every scenario does once all are in one group: talk both ways, and commit both ways.
fn talk_and_commit<N: Net>(
    user: &mut User<N>,
    group: &Group,
    alice: &Bot,
    bob: &Bot,
) -> Result<(), RigError> {
    let bots = [alice, bob];
    let first = user.converge(group, &bots)?;
    group.say(alice, &[bob], "alice to OpenMLS")?;
    group.say(bob, &[alice], "bob to OpenMLS")?;
    user.wait_heard(&["alice to OpenMLS", "bob to OpenMLS"])?;
    user.say(group, &bots, "OpenMLS to both")?;
    user.peer.commit(&mut user.line, &Change::Update)?;
    let renewed = user.converge(group, &bots)?;
    assert!(renewed.epoch > first.epoch, "no new epoch: {first:?}, {renewed:?}");
    let own = user.line.client.to_string();
    for bot in bots {
        // Every member names OpenMLS as the one who made an epoch.
        bot.wait_for("an epoch by OpenMLS", |event| {
            group.is(event, "epoch") && event["committer"] == own.as_str()
        })?;
    }
    // All three at once: one wins each epoch, the others build their commits anew.
    let rotate = json!({"command": "rotate", "group": group.id});
    let commands = [alice.post(rotate.clone())?, bob.post(rotate)?];
    user.peer.commit(&mut user.line, &Change::Update)?;
    for (bot, command) in bots.iter().zip(commands) {
        bot.finish(&command)?;
    }
    let raced = user.converge(group, &bots)?;
    assert!(raced.epoch >= renewed.epoch + 3, "no new epochs: {renewed:?}, {raced:?}");
    user.say(group, &bots, "OpenMLS after all that")?;
    group.say(alice, &[bob], "alice after all that")?;
    user.wait_heard(&["alice to OpenMLS", "bob to OpenMLS", "alice after all that"])
}

/// An admin removes OpenMLS, which learns of it from the commit.
fn remove<N: Net>(user: &mut User<N>, group: &Group, by: &Bot) -> Result<(), RigError> {
    let address = user.line.client.user().address();
    by.command(json!({"command": "remove", "group": group.id, "users": [address]}))?;
    user.line.until(&mut user.peer, "OpenMLS is removed", |peer| Ok(peer.is_removed()))
}

fn invite(group: &Group, by: &Bot, user: &str) -> Result<(), RigError> {
    by.command(json!({"command": "invite", "group": group.id, "users": [user]})).map(drop)
}

#[test]
fn openmls_on_matrix_is_invited_talks_commits_and_is_removed() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let mut otto = User::new(
            matrix::line(rig, &rig.matrix_user("otto")?)?,
            CipherSuite::CURVE25519_AES128,
        )?;
        let group = Group::form(&alice, &[&bob])?;
        invite(&group, &alice, &otto.line.client.user().address())?;
        otto.wait_joined()?;
        talk_and_commit(&mut otto, &group, &alice, &bob)?;
        remove(&mut otto, &group, &alice)?;
        otto.assert_blind(rig)
    })
}

#[test]
fn openmls_on_xmpp_is_invited_talks_commits_and_is_removed() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let mut petra =
            User::new(xmpp::line(rig, &rig.xmpp_user("petra")?)?, CipherSuite::CURVE25519_AES128)?;
        let group = Group::form(&bob, &[&alice])?;
        invite(&group, &bob, &petra.line.client.user().address())?;
        petra.wait_joined()?;
        talk_and_commit(&mut petra, &group, &alice, &bob)?;
        remove(&mut petra, &group, &bob)?;
        petra.assert_blind(rig)
    })
}

#[test]
fn openmls_on_xmpp_makes_a_group_of_another_suite_and_comes_back_into_it() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let mut petra =
            User::new(xmpp::line(rig, &rig.xmpp_user("petra")?)?, CipherSuite::P256_AES128)?;
        petra.peer.create(&mut petra.line, both_rooms())?;
        let group = Group { id: petra.peer.group_id()?.to_hex() };
        let user = |bot: &Bot| mls_core::address::UserId::from_human(&bot.account.address);
        let users = vec![user(&alice), user(&bob)].into_iter().collect::<Result<Vec<_>, _>>();
        let users = users.map_err(PeerError::new)?;
        petra.peer.commit(&mut petra.line, &Change::Add(users))?;
        for bot in [&alice, &bob] {
            bot.wait_for("joined", |event| group.is(event, "joined"))?;
        }
        talk_and_commit(&mut petra, &group, &alice, &bob)?;
        let id = petra.peer.group_id()?;
        petra.peer = petra.peer.without_state();
        petra.peer.rejoin(&mut petra.line, &id)?;
        petra.converge(&group, &[&alice, &bob])?;
        petra.say(&group, &[&alice, &bob], "OpenMLS is back")?;
        petra.assert_blind(rig)
    })
}
