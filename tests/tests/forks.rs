//! What shows a fork crosses both networks, and raises no alarm where there is none.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::process::Command;

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::rig::{Rig, shared};
use tests::xmpp_session::XmppSession;

const OPEN: &str = "<checkpoint xmlns='urn:mls-bridge:0'>";
const CLOSE: &str = "</checkpoint>";

/// The checkpoint of the next message that has one beside it in the chat.
fn in_chat(session: &mut XmppSession) -> Result<String, RigError> {
    let read = session.read_until(CLOSE)?.replace('"', "'");
    let from = read.rfind(OPEN).map_or(0, |at| at + OPEN.len());
    Ok(read[from..].trim_end_matches(CLOSE).trim_end_matches('=').to_owned())
}

/// Whether a message in the Matrix room, posted by an account with this in its name, has exactly
/// this checkpoint beside it.
fn in_room(
    rig: &Rig,
    reader: &Bot,
    group: &Group,
    sender: &str,
    text: &str,
) -> Result<(), RigError> {
    let session = MatrixSession::login(rig.synapse.port, &reader.account)?;
    let room = group.room(reader, "matrix")?;
    let has = |event: &Value| {
        let by = event["sender"].as_str().is_some_and(|by| by.contains(sender));
        by && event["type"] == "m.room.encrypted" && event["content"]["checkpoint"] == text
    };
    let look = || Ok(session.newest(&room)?.iter().any(has).then_some(()));
    until("the same checkpoint in the Matrix room", STEP, look, || text.to_owned())
}

#[test]
fn a_checkpoint_is_the_same_in_both_rooms_and_nobody_is_alarmed() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let chat = group.room(&bob, "xmpp")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &bob.account)?;
        session.enter(&chat, "by-hand")?;
        alice.command(json!({"command": "rotate", "group": group.id}))?;
        group.converge(&[&alice, &bob])?;
        group.say(&alice, &[&bob], "the first of this epoch, from Matrix")?;
        let alices = in_chat(&mut session)?;
        in_room(rig, &alice, &group, alice.account.localpart(), &alices)?;
        group.say(&bob, &[&alice], "the first of this epoch, from XMPP")?;
        let bobs = in_chat(&mut session)?;
        in_room(rig, &alice, &group, bob.account.localpart(), &bobs)?;
        assert_ne!(alices, bobs);
        for bot in [&alice, &bob] {
            for alarm in ["other_state", "hub_contradicts", "no_checkpoints", "messages_missing"] {
                assert!(bot.events.find(0, |event| group.is(event, alarm)).is_none(), "{alarm}");
            }
            let ignored = |event: &Value| {
                let text = event["text"].as_str().unwrap_or_default();
                group.is(event, "warning") && text.contains("checkpoint")
            };
            assert!(bot.events.find(0, ignored).is_none(), "{}", bot.events.last(10));
        }
        Ok(())
    })
}

#[test]
fn the_log_names_who_came_and_who_wanted_it() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        alice.quit()?;
        let mut command = Command::new(alice.program());
        command.arg("--profile").arg(alice.profile()).args(["--json", "log", &group.id]);
        let output = command.output().map_err(RigError::io("mls-bot log"))?;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = shown.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let added = |change: &Value| {
            let (alice, bob) = (alice.account.identity_prefix(), bob.account.identity_prefix());
            change["kind"] == "added"
                && change["client"].as_str().is_some_and(|client| client.starts_with(&bob))
                && change["by"].as_str().is_some_and(|by| by.starts_with(&alice))
        };
        let entries: Vec<_> = lines.filter(|line| group.is(line, "membership")).collect();
        let of = |entry: &Value| entry["changes"].as_array().cloned().unwrap_or_default();
        assert!(entries.iter().flat_map(of).any(|change| added(&change)), "{shown}");
        alice.start()?;
        Ok(())
    })
}
