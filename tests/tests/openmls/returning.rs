//! Coming back by an external commit, of either engine.

use mls_core::member::Command;
use mls_core::wire::refusal::Refusal;

use crate::memory::{ALICE, BOB, JULIET, OTTO, PETRA, World, everybody_agrees, group_with};
use crate::peer::{Change, Link as _, PeerError};

#[test]
fn openmls_comes_back_with_nothing_but_its_key() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    let mut petra = petra.without_state();
    petra.rejoin(&mut world.at(&petra.client.clone()), &group).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    petra.say(&mut world.at(&petra.client.clone()), "here again").unwrap();
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    world.run();
    world.say(0, &group, "good");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(world.heard(1), ["00000000000000a1: here again", "PHONE: good"]);
    assert_eq!(petra.texts(), ["PHONE: good"]);
}

#[test]
fn a_way_back_that_lost_the_race_leaves_openmls_what_it_had() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let way = petra.prepare_rejoin(&mut world.at(&petra.client.clone()), &group).unwrap();
    world.done(0, Command::Rotate(group.clone()));
    let lost = petra.come_back(&mut world.at(&petra.client.clone()), way);
    assert!(matches!(lost, Err(PeerError::Refused(Refusal::WrongEpoch(_)))), "{lost:?}");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.say(&mut world.at(&petra.client.clone()), "still here").unwrap();
    petra.rejoin(&mut world.at(&petra.client.clone()), &group).unwrap();
    // Its own message comes back to it only now. What was said before a return cannot be read.
    world.deliver(&mut petra).unwrap();
    assert_eq!(petra.unread.len(), 1, "{:?}", petra.unread);
    petra.unread.clear();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(world.heard(1), ["00000000000000a1: still here"]);
}

#[test]
fn the_hub_proposes_anew_what_an_external_commit_of_openmls_cleared() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    let (room, juliet) = (petra.rooms().unwrap()[1].clone(), world.user(2));
    world.leave(&room, &juliet);
    petra.rejoin(&mut world.at(&petra.client.clone()), &group).unwrap();
    world.deliver(&mut petra).unwrap();
    world.deliver(&mut otto).unwrap();
    assert!(petra.has_pending_proposals().unwrap() && otto.has_pending_proposals().unwrap());
    otto.commit(&mut world.at(&otto.client.clone()), &Change::Pending).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
}

#[test]
fn openmls_with_another_key_does_not_come_back() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let mut thief = petra.impostor().unwrap();
    let refused = thief.rejoin(&mut world.at(&petra.client.clone()), &group);
    match refused {
        Err(PeerError::Refused(Refusal::NotAllowed(why))) => {
            assert!(why.contains("signature key"), "{why}");
        }
        other => panic!("not refused: {other:?}"),
    }
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}

#[test]
fn we_come_back_and_openmls_follows() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    world.done(1, Command::Rejoin(group.clone()));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    world.say(1, &group, "here again");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(petra.texts(), ["0011223344556677: here again"]);
}

#[test]
fn what_openmls_said_before_we_came_back_cannot_be_read_after() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let before = petra.encrypt("before").unwrap();
    world.done(1, Command::Rejoin(group));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    world.at(&petra.client).post(before).unwrap();
    world.run();
    assert_eq!(world.heard(0), ["00000000000000a1: before"]);
    assert_eq!(world.heard(1), Vec::<String>::new());
    assert_eq!(world.warnings(1).len(), 1, "{:?}", world.warnings(1));
}
