//! Joining by the Welcomes of the other engine, and messages in both directions.

use mls_core::policy::CIPHER_SUITES;
use mls_core::wire::refusal::Refusal;
use openmls::prelude::{KeyPackage, Lifetime};

use crate::memory::{
    ALICE, BOB, JULIET, OTTO, PETRA, World, both_rooms, everybody_agrees, group_of, group_with,
};
use crate::peer::{Change, PeerError};

#[test]
fn openmls_joins_by_our_welcome_and_talks() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = world.found(0);
    let users = vec![world.user(1), petra.client.user(), otto.client.user()];
    world.invite(0, &group, users);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    world.say(0, &group, "hello from mls-rs");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    petra.say(&mut world.at(&petra.client.clone()), "hello from OpenMLS").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(otto.texts(), ["PHONE: hello from mls-rs", "00000000000000a1: hello from OpenMLS"]);
    assert_eq!(petra.texts(), ["PHONE: hello from mls-rs"]);
    for member in [0, 1] {
        let heard = world.heard(member);
        assert_eq!(heard, ["PHONE: hello from mls-rs", "00000000000000a1: hello from OpenMLS"]);
    }
}

#[test]
fn we_join_by_the_welcome_of_openmls_in_every_suite() {
    for suite in CIPHER_SUITES.map(u16::from) {
        let mut world = World::new(&[ALICE, JULIET]);
        let (mut petra, mut otto) = (world.peer(PETRA, suite), world.peer(OTTO, suite));
        petra.create(&mut world.at(&petra.client.clone()), both_rooms()).unwrap();
        let group = petra.group_id().unwrap();
        let users = vec![world.user(0), world.user(1), otto.client.user()];
        petra.commit(&mut world.at(&petra.client.clone()), &Change::Add(users)).unwrap();
        everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
        petra.say(&mut world.at(&petra.client.clone()), "welcome").unwrap();
        otto.say(&mut world.at(&otto.client.clone()), "thanks").unwrap();
        for member in [0, 1] {
            world.run();
            world.say(member, &group, "so do I");
        }
        everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
        let heard = world.heard(1);
        assert_eq!(heard.len(), 4, "suite {suite}: {heard:?}");
        assert_eq!((petra.texts().len(), otto.texts().len()), (3, 3), "suite {suite}");
    }
}

#[test]
fn a_last_resort_package_of_openmls_leads_into_the_group_again_and_again() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer_with(PETRA, 1, 0);
    let group = world.found(0);
    for _ in 0..2 {
        world.invite(0, &group, vec![petra.client.user()]);
        everybody_agrees(&mut world, &[0], &mut [&mut petra]);
        world.remove(0, &group, petra.client.user());
        world.deliver(&mut petra).unwrap();
        assert!(petra.is_removed());
        // A claim for the same group within a day gets the same package only if it was not used.
        world.pass(1);
    }
}

#[test]
fn openmls_adds_by_last_resort_packages_of_both_engines() {
    let mut world = World::new(&[ALICE, BOB]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer_with(OTTO, 1, 0));
    world.use_up_one_time_packages(1);
    let group = group_of(&mut world, &mut petra, &[0]);
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    let add = Change::Add(vec![world.user(1), otto.client.user()]);
    petra.commit(&mut world.at(&petra.client.clone()), &add).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    world.say(1, &group, "by the last resort");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(otto.texts(), ["DESK: by the last resort"]);
}

#[test]
fn a_welcome_that_was_lost_on_the_way_is_fetched() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = world.found(0);
    world.invite(0, &group, vec![petra.client.user()]);
    let lost = world.at(&petra.client).take_inbox();
    assert!(!lost.is_empty(), "nothing was sent");
    petra.fetch_welcomes(&mut world.at(&petra.client.clone())).unwrap();
    petra.catch_up(&mut world.at(&petra.client.clone())).unwrap();
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    // It is acknowledged, and waits no more.
    petra.fetch_welcomes(&mut world.at(&petra.client.clone())).unwrap();
}

#[test]
fn a_key_package_with_the_defaults_of_openmls_is_refused() {
    let mut world = World::new(&[]);
    let petra = world.peer(PETRA, 1);
    let refused = |world: &mut World, builder| {
        let package = petra.build_key_package(builder).unwrap();
        match petra.publish_these(&mut world.at(&petra.client), vec![package]) {
            Err(PeerError::Refused(Refusal::Invalid(why))) => why,
            other => panic!("not refused: {other:?}"),
        }
    };
    let why = refused(&mut world, KeyPackage::builder());
    assert!(why.contains("0xFB71"), "{why}");
    let year = Lifetime::new(365 * 24 * 3600);
    let builder = petra.key_package_builder().unwrap().key_package_lifetime(year);
    let why = refused(&mut world, builder);
    assert!(why.contains("84 days"), "{why}");
}

#[test]
fn four_engines_of_each_kind_follow_each_other() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    for round in 0..3 {
        for member in 0..3 {
            world.say(member, &group, &format!("{round}"));
            world.done(member, mls_core::member::Command::Rotate(group.clone()));
            everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
        }
        petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
        everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
        otto.commit(&mut world.at(&otto.client.clone()), &Change::Update).unwrap();
        otto.say(&mut world.at(&otto.client.clone()), &format!("{round}")).unwrap();
        everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
    }
    assert_eq!((petra.heard.len(), otto.heard.len(), world.heard(0).len()), (12, 9, 12));
}
