//! Members of a group make another one of some of them, on real servers.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

/// `maker` branches from the group with `others`, in rooms on both networks.
fn branched(group: &Group, maker: &Bot, others: &[&Bot]) -> Result<Group, RigError> {
    let users: Vec<_> = others.iter().map(|bot| bot.account.address.as_str()).collect();
    let networks = ["matrix", "xmpp"];
    let done = maker.command(json!({
        "command": "branch", "group": group.id, "users": users, "name": "Aside", "networks": networks,
    }))?;
    let id = done["group"].as_str().map(str::to_owned);
    let id = id.ok_or_else(|| RigError::Answer(format!("branch named no group: {done}")))?;
    assert_ne!(id, group.id);
    Ok(Group { id })
}

/// `bot` has joined the branch, and knows of what it is one.
fn joins(bot: &Bot, branch: &Group, parent: &Group) -> Result<(), RigError> {
    let joined = bot.wait_for("the branch", |event| branch.is(event, "joined"))?;
    assert_eq!(joined["branched_from"], parent.id.as_str(), "{joined}");
    let answer = bot.command(json!({"command": "groups"}))?;
    let groups = answer["groups"].as_array().cloned().unwrap_or_default();
    let listed = |group: &&Value| group["group"] == branch.id.as_str();
    let listed = groups.iter().find(listed).map(|group| group["branched_from"].clone());
    assert_eq!(listed, Some(json!(parent.id)));
    Ok(())
}

#[test]
fn members_on_both_networks_talk_in_a_branch_and_in_its_parent() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        let all = [&alice, &bob, &carol, &dave];
        let group = Group::form(&alice, &[&bob, &carol, &dave])?;
        // Bob is no admin of the parent, and is one of the branch.
        let branch = branched(&group, &bob, &[&carol])?;
        let two = [&bob, &carol];
        for bot in two {
            joins(bot, &branch, &group)?;
        }
        branch.converge_to(&two, 2)?;
        branch.say(&bob, &two, "carol, a word aside")?;
        branch.say(&carol, &two, "what is it about then, bob?")?;
        group.say(&carol, &all, "the two of us are back")?;
        branch.invite(&bob, &[&dave])?;
        branch.converge_to(&[&bob, &carol, &dave], 3)?;
        branch.say(&dave, &[&bob, &carol, &dave], "what is it about?")?;
        assert!(branch.view(&alice)?.is_none());
        group.converge_to(&all, 4).map(drop)
    })
}

#[test]
fn who_was_away_comes_into_a_branch_though_its_parent_has_gone_on() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        bob.quit()?;
        let branch = branched(&group, &alice, &[&bob])?;
        for _ in 0..3 {
            alice.command(json!({"command": "rotate", "group": group.id}))?;
        }
        bob.start()?;
        joins(&bob, &branch, &group)?;
        branch.converge_to(&[&alice, &bob], 2)?;
        branch.say(&bob, &[&alice, &bob], "sorry, I was away")?;
        group.say(&bob, &[&alice, &bob], "and here I am again, too")
    })
}
