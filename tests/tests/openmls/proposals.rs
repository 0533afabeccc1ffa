//! Proposals by reference: of OpenMLS, of mls-rs and of the hub, committed by the other engine.

use mls_core::address::ClientId;
use mls_core::member::{Command, Wish};

use crate::memory::{
    ALICE, BOB, JULIET, OTTO, PETRA, World, everybody_agrees, group_of, group_with,
};
use crate::peer::{Change, OpenMlsPeer, PeerError};

#[test]
fn we_commit_what_openmls_proposes() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let commit = |world: &mut World| {
        world.run();
        // The engine commits what waits with the next commit.
        world.done(0, Command::Rotate(group.clone()));
    };
    petra.propose_update(&mut world.at(&petra.client.clone())).unwrap();
    let before = petra.epoch_authenticator().unwrap();
    commit(&mut world);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_ne!(petra.epoch_authenticator().unwrap(), before);
    let added = otto.client.user();
    petra.propose_add(&mut world.at(&petra.client.clone()), &added).unwrap();
    commit(&mut world);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    let bob = world.nodes[1].client.clone();
    petra.propose_remove(&mut world.at(&petra.client.clone()), &bob).unwrap();
    commit(&mut world);
    everybody_agrees(&mut world, &[0], &mut [&mut petra, &mut otto]);
    assert!(!world.is_in(1, &group));
}

#[test]
fn openmls_commits_what_openmls_proposes_and_we_follow() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    petra.propose_update(&mut world.at(&petra.client.clone())).unwrap();
    world.deliver(&mut otto).unwrap();
    assert!(otto.has_pending_proposals().unwrap());
    // It has something to say, and commits what waits before.
    otto.say(&mut world.at(&otto.client.clone()), "after the update").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(petra.texts(), ["OPENMLS: after the update"]);
    assert_eq!(world.heard(1), petra.texts());
    world.say(1, &group, "heard");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
}

#[test]
fn openmls_asks_to_be_removed_and_we_commit_that() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let own = petra.client.clone();
    petra.propose_remove(&mut world.at(&own), &own).unwrap();
    world.pass(60);
    world.deliver(&mut petra).unwrap();
    assert!(petra.is_removed());
    world.say(0, &group, "gone");
    assert_eq!(world.heard(1), ["PHONE: gone"]);
}

#[test]
fn a_self_remove_by_openmls_is_refused_for_nobody_else_could_read_it() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    group_with(&mut world, &mut [&mut petra]);
    let refused = petra.propose_self_remove(&mut world.at(&petra.client.clone()));
    assert!(matches!(refused, Err(PeerError::Refused(_))), "{refused:?}");
    petra.say(&mut world.at(&petra.client.clone()), "then by leaving the room").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}

#[test]
fn the_hubs_own_remove_is_committed_by_openmls() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    let room = petra.rooms().unwrap()[1].clone();
    let juliet = world.user(2);
    world.leave(&room, &juliet);
    world.deliver(&mut petra).unwrap();
    assert!(petra.has_pending_proposals().unwrap(), "the hub proposed nothing");
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Pending).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert!(!world.is_in(2, &group));
    // The other way round: OpenMLS leaves its room, and a member commits that.
    let own = petra.client.user();
    world.leave(&room, &own);
    world.pass(60);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut otto]);
}

#[test]
fn a_commit_without_the_hubs_remove_is_refused_and_built_anew_with_it() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    group_with(&mut world, &mut [&mut petra, &mut otto]);
    // Built before the hub proposes, submitted after.
    let prepared = petra.prepare(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    let (room, leaving) = (otto.rooms().unwrap()[0].clone(), otto.client.user());
    world.leave(&room, &leaving);
    let refused = petra.submit(&mut world.at(&petra.client.clone()), prepared);
    assert!(refused.unwrap_err().to_string().contains("pending removals"));
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}

#[test]
fn openmls_commits_what_we_propose() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let commit = |world: &mut World, petra: &mut OpenMlsPeer| {
        world.deliver(petra).unwrap();
        assert!(petra.has_pending_proposals().unwrap(), "nothing was proposed");
        let client = petra.client.clone();
        petra.commit(&mut world.at(&client), &Change::Pending).unwrap();
    };
    take_turn(&mut world, &mut petra, None);
    world.propose(0, &group, Wish::Update);
    commit(&mut world, &mut petra);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.commit(&mut world.at(&petra.client.clone()), &Change::MembersMayAdd).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let users = vec![world.user(2), otto.client.user()];
    take_turn(&mut world, &mut petra, None);
    world.propose(1, &group, Wish::Add(users));
    commit(&mut world, &mut petra);
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    let own = world.user(1);
    let leaving = world.nodes[1].client.clone();
    take_turn(&mut world, &mut petra, Some(&leaving));
    world.propose(1, &group, Wish::Remove(vec![own]));
    world.deliver(&mut otto).unwrap();
    commit(&mut world, &mut petra);
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
    assert!(!world.is_in(1, &group));
}

/// Goes on to an epoch in which it is this peer's turn to commit, and members wait for it; who is
/// leaving has no turn.
fn take_turn(world: &mut World, peer: &mut OpenMlsPeer, leaving: Option<&ClientId>) {
    world.deliver(peer).unwrap();
    let mut members = peer.members().unwrap();
    members.retain(|client| Some(client) != leaving);
    let place = members.iter().position(|client| *client == peer.client).unwrap();
    let client = peer.client.clone();
    while !(peer.epoch().unwrap() + place as u64).is_multiple_of(members.len() as u64) {
        peer.commit(&mut world.at(&client), &Change::Update).unwrap();
    }
    world.run();
}
