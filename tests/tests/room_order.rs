//! A group goes on in its room when there is no hub, on either network.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::thread;

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, Rig, own};

const ROUNDS: u64 = 5;

/// `creator` makes a group on one network, invites the others and hands it over to its room.
fn without_hub(network: &str, creator: &Bot, others: &[&Bot]) -> Result<Group, RigError> {
    let create = json!({"command": "create", "name": "Tea", "networks": [network]});
    let done = creator.command(create)?;
    let id = done["group"].as_str().map(str::to_owned);
    let id = id.ok_or_else(|| RigError::Answer(format!("create named no group: {done}")))?;
    let group = Group { id };
    group.invite(creator, others)?;
    let all: Vec<&Bot> = [creator].into_iter().chain(others.iter().copied()).collect();
    group.converge_to(&all, all.len())?;
    creator.command(json!({"command": "settings", "group": group.id, "order": "room"}))?;
    group.converge(&all)?;
    Ok(group)
}

fn at_the_same_time(group: &Group, bots: &[&Bot]) -> Result<(), RigError> {
    let rotate = |bot: &Bot| bot.command(json!({"command": "rotate", "group": group.id})).map(drop);
    thread::scope(|scope| {
        let threads: Vec<_> = bots.iter().map(|bot| scope.spawn(|| rotate(bot))).collect();
        let panicked = |_| RigError::Answer("a thread panicked".to_owned());
        threads.into_iter().try_for_each(|thread| thread.join().map_err(panicked)?)
    })
}

/// The hub is back, and so is the group: it orders, removes and adds again.
fn comes_back(rig: &mut Rig, group: &Group, members: [&Bot; 2], new: &Bot) -> Result<(), RigError> {
    let [alice, bob] = members;
    rig.bridge.start()?;
    alice.command(json!({"command": "settings", "group": group.id, "order": "hub"}))?;
    group.converge_to(&[alice, bob], 2)?;
    group.invite(alice, &[new])?;
    let all = [alice, bob, new];
    group.converge_to(&all, 3)?;
    at_the_same_time(group, &all)?;
    group.say(new, &all, "with the hub again")
}

fn goes_on(rig: &mut Rig, network: &str, bots: &[&Bot; 4]) -> Result<(), RigError> {
    let [alice, bob, carol, dave] = bots;
    let bots = &[*alice, *bob, *carol];
    let group = without_hub(network, alice, &[bob, carol])?;
    rig.bridge.stop()?;
    let start = group.converge_to(bots, 3)?.epoch;
    for round in 1..=ROUNDS {
        at_the_same_time(&group, bots)?;
        group.say(bob, bots, &format!("round {round}, with no hub"))?;
    }
    // Every rotation has its epoch, in the end: what was taken back is done again after its answer.
    group.converge_from(bots, start + 3 * ROUNDS)?;
    group.remove(alice, &[carol])?;
    group.converge_to(&[alice, bob], 2)?;
    group.say(bob, &[alice, bob], "the two of us")?;
    comes_back(rig, &group, [alice, bob], dave)
}

#[test]
fn three_members_on_matrix_go_on_while_mls_bridge_is_stopped_and_give_the_group_back()
-> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = (rig.matrix_bot("alice")?, rig.matrix_bot("bob")?);
        let (carol, dave) = (rig.matrix_bot("carol")?, rig.matrix_bot("dave")?);
        goes_on(rig, "matrix", &[&alice, &bob, &carol, &dave])
    })
}

#[test]
fn three_members_on_xmpp_go_on_while_mls_bridge_is_stopped_and_give_the_group_back()
-> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = (rig.xmpp_bot("alice")?, rig.xmpp_bot("bob")?);
        let (carol, dave) = (rig.xmpp_bot("carol")?, rig.xmpp_bot("dave")?);
        goes_on(rig, "xmpp", &[&alice, &bob, &carol, &dave])
    })
}
