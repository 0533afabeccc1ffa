//! An admin puts a new group into the place of one that is given up, on real servers.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, own};

/// `admin` restarts the group; all are in the new one and are told.
fn restarted(group: &Group, admin: &Bot, all: &[&Bot]) -> Result<Group, RigError> {
    let done = admin.command(json!({"command": "restart", "group": group.id}))?;
    let id = done["group"].as_str().map(str::to_owned);
    let id = id.ok_or_else(|| RigError::Answer(format!("restart named no group: {done}")))?;
    assert_ne!(id, group.id);
    let next = Group { id };
    next.converge_to(all, all.len())?;
    for bot in all {
        let told = bot.wait_for("a restart", |event| {
            event["event"] == "restarted" && event["successor"] == next.id.as_str()
        })?;
        assert_eq!(told["group"], group.id.as_str());
        assert_eq!(told["changed"], json!([]));
    }
    Ok(next)
}

#[test]
fn a_bridged_group_is_restarted_in_its_rooms_with_everybody() -> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = (rig.matrix_bot("alice")?, rig.xmpp_bot("bob")?);
        let (carol, dave) = (rig.matrix_bot("carol")?, rig.xmpp_bot("dave")?);
        let all = [&alice, &bob, &carol, &dave];
        let group = Group::create(&alice)?;
        group.invite(&alice, &[&bob, &carol, &dave])?;
        group.converge_to(&all, 4)?;
        group.say(&bob, &all, "tea in the former group")?;
        let next = restarted(&group, &alice, &all)?;
        for bot in all {
            next.say(bot, &all, &format!("tea of {} in the group that follows", bot.name))?;
            // By the name that somebody knows who has not seen what happened.
            bot.command(json!({"command": "rotate", "group": group.id}))?;
        }
        next.converge(&all).map(drop)
    })
}

#[test]
fn a_group_that_its_room_orders_is_restarted_when_the_hub_is_back() -> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = (rig.matrix_bot("alice")?, rig.matrix_bot("bob")?);
        let all = [&alice, &bob];
        let create = json!({"command": "create", "name": "Tea", "networks": ["matrix"]});
        let done = alice.command(create)?;
        let group = Group { id: done["group"].as_str().unwrap_or_default().to_owned() };
        group.invite(&alice, &[&bob])?;
        group.converge_to(&all, 2)?;
        alice.command(json!({"command": "settings", "group": group.id, "order": "room"}))?;
        group.converge(&all)?;
        rig.bridge.stop()?;
        bob.command(json!({"command": "rotate", "group": group.id}))?;
        group.say(&bob, &all, "nobody orders us but the room")?;
        rig.bridge.start()?;
        let next = restarted(&group, &alice, &all)?;
        next.say(&bob, &all, "the hub took us in again")?;
        alice.command(json!({"command": "rotate", "group": next.id}))?;
        next.converge(&all).map(drop)
    })
}
