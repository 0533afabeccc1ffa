//! Commits of either engine, followed by the other: updates, Adds, Removes, settings, new keys.

use mls_core::member::Command;
use mls_core::wire::refusal::Refusal;

use crate::memory::{
    ALICE, BOB, JULIET, OTTO, PETRA, World, everybody_agrees, group_of, group_with,
};
use crate::peer::{Change, PeerError};

#[test]
fn we_update_add_and_remove_and_openmls_follows() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = world.found(0);
    world.invite(0, &group, vec![petra.client.user()]);
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    world.done(0, Command::Rotate(group.clone()));
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    let users = vec![world.user(1), world.user(2), otto.client.user()];
    world.invite(0, &group, users);
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    let bob = world.user(1);
    world.remove(0, &group, bob);
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
    world.say(0, &group, "fewer");
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
    assert_eq!((petra.texts(), otto.texts()), (vec!["PHONE: fewer".to_owned()], petra.texts()));
}

#[test]
fn openmls_updates_adds_and_removes_and_we_follow() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let users = vec![world.user(2), otto.client.user()];
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Add(users)).unwrap();
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    let bob = world.nodes[1].client.clone();
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Remove(vec![bob])).unwrap();
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
    assert!(!world.is_in(1, &group), "bob was removed and does not know it");
    petra.say(&mut world.at(&petra.client.clone()), "fewer").unwrap();
    everybody_agrees(&mut world, &[0, 2], &mut [&mut petra, &mut otto]);
    assert_eq!(world.heard(0), ["00000000000000a1: fewer"]);
    assert_eq!(world.heard(1), Vec::<String>::new());
}

#[test]
fn openmls_is_removed_and_reads_nothing_more() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    world.say(0, &group, "before");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    world.remove(0, &group, petra.client.user());
    world.say(0, &group, "after");
    world.deliver(&mut petra).unwrap();
    assert!(petra.is_removed());
    assert_eq!(petra.texts(), ["PHONE: before"]);
    let change = petra.commit(&mut world.at(&petra.client.clone()), &Change::Update);
    assert!(change.is_err(), "a removed member commits");
}

#[test]
fn openmls_changes_the_settings_and_we_go_by_the_new_ones() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.commit(&mut world.at(&petra.client.clone()), &Change::MembersMayAdd).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let juliet = world.user(2);
    world.invite(1, &group, vec![juliet]);
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra]);
}

#[test]
fn openmls_takes_a_new_signature_key_and_we_follow() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    petra.rotate_signature_key(&mut world.at(&petra.client.clone())).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.say(&mut world.at(&petra.client.clone()), "signed anew").unwrap();
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    world.run();
    world.say(0, &group, "heard");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(world.heard(1), ["00000000000000a1: signed anew", "PHONE: heard"]);
}

#[test]
fn what_openmls_may_not_do_is_refused_and_it_goes_on() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let bob = world.nodes[1].client.clone();
    let forbidden = petra.commit(&mut world.at(&petra.client.clone()), &Change::Remove(vec![bob]));
    match forbidden {
        Err(PeerError::Refused(Refusal::InvalidCommit(why))) => {
            assert!(why.contains("only an admin may remove others"), "{why}");
        }
        other => panic!("not refused: {other:?}"),
    }
    let bob = world.nodes[1].client.clone();
    let forbidden = petra.propose_remove(&mut world.at(&petra.client.clone()), &bob);
    assert!(matches!(forbidden, Err(PeerError::Refused(Refusal::NotAllowed(_)))), "{forbidden:?}");
    assert!(!petra.has_pending_proposals().unwrap(), "a refused proposal stays");
    petra.say(&mut world.at(&petra.client.clone()), "then not").unwrap();
    world.say(0, &group, "well");
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra]);
}
