//! Who is in no group asks to be let in, over real servers.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

/// The address of a group's room on one network, as a member knows it.
fn room(member: &Bot, group: &Group, network: &str) -> Result<String, RigError> {
    let answer = member.command(json!({"command": "groups"}))?;
    let find = |list: &Value, field: &str, wanted: &str| {
        list.as_array()?.iter().find(|entry| entry[field] == wanted).cloned()
    };
    let address = find(&answer["groups"], "group", &group.id)
        .and_then(|entry| find(&entry["rooms"], "network", network))
        .and_then(|room| room["address"].as_str().map(str::to_owned));
    address.ok_or_else(|| RigError::Answer(format!("no room on {network}: {answer}")))
}

/// Knocks, is denied, knocks again, and is let in.
fn knocks(
    carol: &Bot,
    alice: &Bot,
    group: &Group,
    network: &str,
    others: &[&Bot],
) -> Result<(), RigError> {
    let room = room(alice, group, network)?;
    let user = &carol.account.address;
    for answer in ["deny", "accept"] {
        let from = alice.events.count();
        carol.command(json!({"command": "knock", "room": room}))?;
        let knocked =
            alice.wait_for_after(from, "the knock", |event| group.is(event, "knocked"))?;
        let prefix = carol.account.identity_prefix();
        let shown = knocked["user"].as_str().unwrap_or_default();
        assert_eq!(shown, prefix.trim_end_matches('/'), "{knocked}");
        alice.command(json!({"command": answer, "group": group.id, "user": user}))?;
        if answer == "deny" {
            let denied = |event: &Value| event["event"] == "knock_denied" && event["room"] == room;
            carol.wait_for("that nobody lets them in", denied)?;
        }
    }
    carol.wait_for("joined", |event| group.is(event, "joined"))?;
    let mut all = vec![carol];
    all.extend(others);
    group.say(carol, &all, &format!("may I come in, asked {}", carol.name))
}

#[test]
fn somebody_on_matrix_knocks_is_denied_and_then_let_in() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob])?;
        knocks(&carol, &alice, &group, "matrix", &[&alice, &bob])
    })
}

#[test]
fn somebody_on_xmpp_knocks_is_denied_and_then_let_in() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let dave = rig.xmpp_bot("dave")?;
        let group = Group::form(&bob, &[&alice])?;
        knocks(&dave, &bob, &group, "xmpp", &[&alice, &bob])
    })
}
