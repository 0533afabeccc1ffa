//! What an XMPP service, its operator and anybody on it may do to those who use it.

use std::fs;

use serde_json::json;
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::process::tail;
use tests::prosody::HUB;
use tests::rig::{Options, Rig, own, shared};
use tests::secret::random_hex;
use tests::xmpp_session::XmppSession;

fn pair(rig: &Rig) -> Result<(Bot, Bot, Group), RigError> {
    let (alice, bob) = rig.pair("alice", "bob")?;
    let group = Group::form(&alice, &[&bob])?;
    group.say(&alice, &[&bob], &format!("hello {}", bob.name))?;
    Ok((alice, bob, group))
}

#[test]
fn an_invitation_that_a_stranger_writes_in_the_hubs_name_is_left_alone() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let mallory = rig.xmpp_user("mallory")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &mallory)?;
        let (to, muc) = (&bob.account.address, "http://jabber.org/protocol/muc");
        for inner in [
            format!("<x xmlns='{muc}#user'><invite from='{HUB}'/></x>"),
            format!("<x xmlns='{muc}#user'><invite from='hub@{HUB}/hub'/></x>"),
            format!("<x xmlns='jabber:x:conference' jid='{}'/>", mallory.address),
        ] {
            session.send(&format!("<message to='{to}'>{inner}</message>"))?;
        }
        // What the hub itself invites to comes after that, and is entered.
        let group = Group::form(&alice, &[&bob])?;
        group.say(&bob, &[&alice], "invited by the hub")?;
        let log = rig.prosody.folder().join("prosody.log");
        let log = fs::read_to_string(&log).map_err(RigError::file("read", &log))?;
        let enters = |line: &&str| {
            line.contains("Received[c2s]: <presence") && line.contains(&mallory.address)
        };
        assert_eq!(log.lines().find(enters), None, "{to} enters where a stranger said");
        Ok(())
    })
}

/// Bob takes all nicknames that can be foreseen, while nobody of the bridge is in the chat.
#[test]
fn who_takes_the_nicknames_of_others_silences_nobody() -> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob, group) = pair(rig)?;
        let chat = group.room(&bob, "xmpp")?;
        rig.bridge.stop()?;
        // In an orderly end it would keep their places.
        rig.prosody.kill()?;
        rig.prosody.start()?;
        let mut taken = Vec::new();
        for name in [&*alice.account.address, "MLS hub"] {
            for number in 1..=6 {
                let nick = if number == 1 { name.to_owned() } else { format!("{name} {number}") };
                let mut session = XmppSession::login(rig.prosody.ports.client, &bob.account)?;
                session.enter(&chat, &nick)?;
                taken.push(session);
            }
        }
        rig.bridge.start()?;
        group.say(&alice, &[&bob], "from under another name")?;
        group.say(&bob, &[&alice], "and back from under a known one")
    })
}

#[test]
fn a_chat_service_that_is_away_for_a_while_costs_no_message_and_no_membership()
-> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob, group) = pair(rig)?;
        ["muc_mam", "muc"].iter().try_for_each(|name| rig.prosody.rooms_module("unload", name))?;
        for bot in [&alice, &bob] {
            let text = format!("said into the gap by {}", bot.name);
            bot.post(json!({"command": "send", "group": group.id, "text": text}))?;
        }
        // Both were tried in the gap; so is Bob's next start.
        let log = rig.prosody.folder().join("prosody.log");
        let tried = || {
            let said = fs::read_to_string(&log).map_err(RigError::file("read", &log))?;
            let tried = |by| said.contains(&format!("Unhandled {by} stanza: message"));
            Ok((tried("component") && tried("c2s")).then_some(()))
        };
        until("both messages come into the gap", STEP, tried, || tail(&log, 20))?;
        bob.kill()?;
        bob.start()?;
        ["muc", "muc_mam"].iter().try_for_each(|name| rig.prosody.rooms_module("load", name))?;
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            group.wait_heard(to, from, &format!("said into the gap by {}", from.name))?;
        }
        group.say(&alice, &[&bob], "the gap is closed, says Matrix")?;
        group.say(&bob, &[&alice], "the gap is closed, says XMPP")?;
        group.converge_to(&[&alice, &bob], 2).map(drop)
    })
}

#[test]
fn a_bot_whose_password_was_changed_ends_and_says_why() -> Result<(), RigError> {
    own(Options::default(), |rig| {
        let bob = rig.xmpp_bot("bob")?;
        rig.prosody.stop()?;
        rig.prosody.start()?;
        let pong = bob.command(json!({"command": "groups"}))?;
        assert_eq!(pong["event"], "groups", "a restart of the server ended it");
        rig.prosody.register(bob.account.localpart(), &random_hex(16)?)?;
        rig.prosody.stop()?;
        rig.prosody.start()?;
        let end = bob.wait_ended()?;
        assert!(end.contains("exit status: 4") && end.contains("password"), "{end}");
        Ok(())
    })
}
