//! Shapes of commits and Welcomes that one engine makes and the other does not make by itself.

use mls_core::member::Wish;

use crate::memory::{
    ALICE, BOB, JULIET, OTTO, PETRA, World, everybody_agrees, group_of, group_with,
};
use crate::peer::Change;

#[test]
fn openmls_removes_and_adds_with_a_path_in_one_commit() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let gone = vec![world.nodes[1].client.clone()];
    let swap = Change::Swap(gone, vec![world.user(2), otto.client.user()]);
    petra.commit(&mut world.at(&petra.client.clone()), &swap).unwrap();
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
    otto.commit(&mut world.at(&otto.client.clone()), &Change::Update).unwrap();
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
}

#[test]
fn a_device_that_lost_its_state_is_removed_and_added_in_one_commit() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let add = Change::Add(vec![otto.client.user()]);
    petra.commit(&mut world.at(&petra.client.clone()), &add).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    world.forget_packages(&otto.client);
    let mut otto = otto.without_state();
    otto.publish(&mut world.at(&otto.client.clone()), 1).unwrap();
    let swap = Change::Swap(vec![otto.client.clone()], vec![otto.client.user()]);
    petra.commit(&mut world.at(&petra.client.clone()), &swap).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
}

#[test]
fn our_add_with_a_path_brings_openmls_in() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra]);
    // An Update that waits makes the next commit one with a path; its Welcome has path secrets.
    petra.propose_update(&mut world.at(&petra.client.clone())).unwrap();
    world.invite(0, &group, vec![otto.client.user()]);
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    otto.commit(&mut world.at(&otto.client.clone()), &Change::Update).unwrap();
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
}

#[test]
fn openmls_commits_many_proposals_of_both_engines_at_once() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let add = Change::Add(vec![world.user(2), otto.client.user()]);
    petra.commit(&mut world.at(&petra.client.clone()), &add).unwrap();
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    while !petra.epoch().unwrap().is_multiple_of(5) {
        petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    }
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    otto.propose_update(&mut world.at(&otto.client.clone())).unwrap();
    world.run();
    world.propose(0, &group, Wish::Update);
    world.propose(2, &group, Wish::Update);
    let own = world.user(1);
    world.propose(1, &group, Wish::Remove(vec![own]));
    world.deliver(&mut otto).unwrap();
    let before = petra.epoch().unwrap();
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    assert_eq!(petra.epoch().unwrap(), before + 1, "somebody else has committed");
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
}

#[test]
fn openmls_commits_nothing_but_a_new_epoch() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    group_with(&mut world, &mut [&mut petra]);
    let before = petra.epoch().unwrap();
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Pending).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(petra.epoch().unwrap(), before + 1);
}
