//! A hub gone bad: what its receipts cannot make members of either engine follow.

use mls_core::member::Input;
use mls_core::receipt::ReceiptKind;
use mls_core::wire::Notice;
use mls_core::wire::blob::Part;
use mls_core::wire::handshake::Handshake;

use crate::memory::{ALICE, JULIET, OTTO, PETRA, World, group_with};
use crate::peer::{Change, OpenMlsPeer};

/// Nobody follows it, and each says why.
fn check_refused(world: &mut World, petra: &mut OpenMlsPeer, handshake: Handshake, says: &str) {
    let before = (petra.epoch().unwrap(), petra.has_pending_proposals().unwrap());
    let sealed = petra.handshake_key().unwrap().seal(&handshake).unwrap();
    let input = Input::Notice(Notice::Handshake(sealed));
    world.give(1, input.clone());
    world.run();
    assert_ne!(world.warnings(1), Vec::<String>::new(), "a member on mls-rs followed it");
    let refused = petra.take(&mut world.at(&petra.client.clone()), input);
    let why = refused.expect_err("OpenMLS followed it").to_string();
    assert!(why.contains(says), "{why}");
    assert_eq!((petra.epoch().unwrap(), petra.has_pending_proposals().unwrap()), before);
}

#[test]
fn an_add_by_the_hub_itself_is_not_taken_in() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra]);
    let intruder = otto.build_key_package(otto.key_package_builder().unwrap()).unwrap().1;
    let proposal = world.hub_proposes_add(&group, &intruder);
    let epoch = petra.epoch().unwrap();
    let handshake = world.sign_anyway(&group, ReceiptKind::Proposal, epoch, proposal);
    check_refused(&mut world, &mut petra, handshake, "only Removes");
}

#[test]
fn a_commit_beyond_its_committers_rights_is_not_merged_whatever_the_hub_says() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    let alice = Change::Remove(vec![world.nodes[0].client.clone()]);
    let prepared = otto.prepare(&mut world.at(&otto.client.clone()), &alice).unwrap().0;
    let (Part::Inline(commit), epoch) = (prepared.commit, prepared.epoch) else {
        panic!("a small commit is a blob");
    };
    let handshake = world.sign_anyway(&group, ReceiptKind::Commit, epoch, commit);
    check_refused(&mut world, &mut petra, handshake, "may not do Remove");
}

#[test]
fn a_stranger_does_not_come_in_by_an_external_commit_whatever_the_hub_says() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let mut thief = petra.impostor().unwrap();
    let way = thief.prepare_rejoin(&mut world.at(&petra.client.clone()), &group).unwrap();
    let epoch = petra.epoch().unwrap();
    let handshake = world.sign_anyway(&group, ReceiptKind::Commit, epoch, way.commit().unwrap());
    check_refused(&mut world, &mut petra, handshake, "own leaf");
}

#[test]
fn a_handshake_with_a_receipt_by_another_key_is_not_followed() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    let prepared = otto.prepare(&mut world.at(&otto.client.clone()), &Change::Update).unwrap().0;
    let (Part::Inline(commit), epoch) = (prepared.commit, prepared.epoch) else {
        panic!("a small commit is a blob");
    };
    let mut handshake = world.sign_anyway(&group, ReceiptKind::Commit, epoch, commit);
    let good = handshake.clone();
    *handshake.receipt.last_mut().unwrap() ^= 1;
    check_refused(&mut world, &mut petra, handshake, "not signed by the group's hub");
    // The same with its own receipt is followed: nothing else was wrong with it.
    let sealed = petra.handshake_key().unwrap().seal(&good).unwrap();
    let input = Input::Notice(Notice::Handshake(sealed));
    petra.take(&mut world.at(&petra.client.clone()), input).unwrap();
    assert_eq!(petra.epoch().unwrap(), epoch + 1);
}
