//! A user's identity key signs devices, people verify it, and what changes afterwards is pointed out.

use mls_core::member::{Alarm, Command, Event, IdentityCommand, IdentityStanding, VerifyUser};
use mls_core::user_identity::Ed25519Key;
use mls_core::wire::GroupId;

use crate::network::World;
use crate::story::{ALICE, ALICE_LAPTOP, BOB, JULIET};

fn say(world: &mut World, index: usize, said: IdentityCommand) -> String {
    let id = world.command(index, Command::Identity(said));
    world.run();
    id
}

fn create(world: &mut World, index: usize) {
    let id = say(world, index, IdentityCommand::Create(false));
    world.assert_done(index, &id);
    world.pass(30);
}

/// The first signs a device of the same user.
fn sign(world: &mut World, by: usize, device: usize) {
    let (request, writes) = world.nodes[device].member.device_request().unwrap();
    world.nodes[device].commit(&writes, mls_core::member::Durability::Synced);
    let statement = world.nodes[by].member.sign_device(world.now_ms, &request).unwrap();
    let id = say(world, device, IdentityCommand::Accept(statement));
    world.assert_done(device, &id);
    world.pass(30);
}

/// By the digits that the other reads out.
fn verify(world: &mut World, index: usize, other: usize) -> Ed25519Key {
    let seen = |index: usize, user| {
        let member = &world.nodes[index].member;
        member.verification(&user).unwrap().unwrap()
    };
    let (here, there) = (seen(index, world.user(other)), seen(other, world.user(index)));
    let key = here.by_digits(&there.number(&there.keys[0])).unwrap();
    let user = world.user(other);
    let id = say(world, index, IdentityCommand::Verify(VerifyUser { user, key }));
    world.assert_done(index, &id);
    key
}

fn standing(world: &World, index: usize, group: &GroupId, of: usize) -> IdentityStanding {
    let groups = world.nodes[index].member.groups().unwrap();
    let group = groups.into_iter().find(|summary| summary.group == *group).unwrap();
    let client = &world.nodes[of].client;
    group.members.into_iter().find(|member| member.client == *client).unwrap().identity
}

/// Devices of which a member was told that they are not signed, or are now.
fn told(world: &World, index: usize) -> Vec<(String, bool)> {
    let told = world.nodes[index].events.iter().filter_map(|event| match event {
        Event::Alarm(event) => match &event.alarm {
            Alarm::UnsignedDevice(device) => Some((device.client.device(), device.why.is_none())),
            _ => None,
        },
        _ => None,
    });
    told.collect()
}

fn changes(world: &World, index: usize) -> usize {
    world.count(index, |event| match event {
        Event::Alarm(event) => matches!(event.alarm, Alarm::VerifiedUserChanged(_)),
        _ => false,
    })
}

#[test]
fn every_leaf_of_a_signed_device_shows_it_before_and_after_updates_and_in_new_groups() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    for index in 0..3 {
        assert_eq!(standing(&world, 0, &group, index), IdentityStanding::Unsigned);
    }
    for index in 0..3 {
        create(&mut world, index);
    }
    let signed = |world: &World, group: &GroupId| {
        for (index, of) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            let standing = standing(world, index, group, of);
            assert!(matches!(standing, IdentityStanding::Unverified(_)), "{of}: {standing:?}");
        }
    };
    signed(&world, &group);
    for index in 0..3 {
        for command in [Command::Rotate(group.clone()), Command::ChangeKey(group.clone())] {
            let id = world.command(index, command);
            world.pass(60);
            world.assert_done(index, &id);
        }
    }
    signed(&world, &group);
    let id = world.command(1, Command::Rejoin(group.clone()));
    world.pass(60);
    world.assert_done(1, &id);
    signed(&world, &group);
    // Made by one, and entered by the KeyPackages of the others.
    let dinner = world.found(1);
    world.invite_all(1, &dinner);
    world.pass(60);
    signed(&world, &dinner);
    for index in 0..3 {
        assert!(matches!(standing(&world, index, &dinner, index), IdentityStanding::Verified(_)));
    }
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn verification_survives_a_second_device_that_the_first_signed() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    create(&mut world, 0);
    create(&mut world, 1);
    let key = verify(&mut world, 1, 0);
    assert_eq!(standing(&world, 1, &group, 0), IdentityStanding::Verified(key));
    let laptop = world.add(ALICE_LAPTOP.0, ALICE_LAPTOP.1);
    world.run();
    sign(&mut world, 0, laptop);
    let user = world.user(0);
    let id = world.invite(0, &group, vec![user]);
    world.pass(60);
    world.assert_done(0, &id);
    assert_eq!(standing(&world, 1, &group, laptop), IdentityStanding::Verified(key));
    assert_eq!(standing(&world, laptop, &group, 0), IdentityStanding::Verified(key));
    assert_eq!(changes(&world, 1), 0);
    // A KeyPackage that the homeserver held from before was used, and that did not last.
    let told = told(&world, 1);
    assert!(told.last().is_none_or(|(_, signed)| *signed), "{told:?}");
}

#[test]
fn a_second_device_that_is_not_signed_is_pointed_out_once_and_let_in_all_the_same() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    create(&mut world, 0);
    create(&mut world, 1);
    verify(&mut world, 1, 0);
    let laptop = world.add(ALICE_LAPTOP.0, ALICE_LAPTOP.1);
    world.run();
    let user = world.user(0);
    world.invite(0, &group, vec![user]);
    world.pass(60);
    world.assert_agree(&group, &[0, 1, 2, laptop]);
    let rotate = world.command(laptop, Command::Rotate(group.clone()));
    world.pass(60);
    world.assert_done(laptop, &rotate);
    assert_eq!(told(&world, 1), [("LAPTOP".to_owned(), false)]);
    // Juliet verified nobody; Alice made the key.
    assert_eq!(told(&world, 2), []);
    assert_eq!(told(&world, 0), [("LAPTOP".to_owned(), false)]);
    sign(&mut world, 0, laptop);
    assert_eq!(told(&world, 1).last(), Some(&("LAPTOP".to_owned(), true)));
    world.assert_agree(&group, &[0, 1, 2, laptop]);
}

#[test]
fn another_identity_key_takes_the_mark_away_until_somebody_verifies_anew() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    create(&mut world, 0);
    create(&mut world, 1);
    let key = verify(&mut world, 1, 0);
    let laptop = world.add(ALICE_LAPTOP.0, ALICE_LAPTOP.1);
    world.run();
    create(&mut world, laptop);
    let user = world.user(0);
    world.invite(0, &group, vec![user]);
    world.pass(60);
    world.assert_agree(&group, &[0, 1, laptop]);
    assert_eq!(changes(&world, 1), 1);
    assert_eq!(standing(&world, 1, &group, 0), IdentityStanding::Unverified(key));
    let user = world.user(0);
    let seen = world.nodes[1].member.verification(&user).unwrap().unwrap();
    assert_eq!(seen.keys.len(), 2, "both keys are shown: {seen:?}");
    let id = say(&mut world, 1, IdentityCommand::Verify(VerifyUser { user: user.clone(), key }));
    world.assert_done(1, &id);
    assert_eq!(standing(&world, 1, &group, 0), IdentityStanding::Verified(key));
    let id = say(&mut world, 1, IdentityCommand::Forget(user));
    world.assert_done(1, &id);
    assert_eq!(standing(&world, 1, &group, 0), IdentityStanding::Unverified(key));
}

#[test]
fn an_identity_key_is_made_once_and_signs_devices_of_its_own_user_only() {
    let (mut world, _) = World::group(&[ALICE, BOB]);
    create(&mut world, 0);
    let again = say(&mut world, 0, IdentityCommand::Create(true));
    assert!(world.failure(0, &again).contains("already"), "{}", world.failure(0, &again));
    let (bobs, _) = world.nodes[1].member.device_request().unwrap();
    let refused = world.nodes[0].member.sign_device(world.now_ms, &bobs).unwrap_err();
    assert!(refused.to_string().contains("no device of"), "{refused}");
    // One that was made for another device.
    let laptop = world.add(ALICE_LAPTOP.0, ALICE_LAPTOP.1);
    world.run();
    let (request, _) = world.nodes[0].member.device_request().unwrap();
    let statement = world.nodes[0].member.sign_device(world.now_ms, &request).unwrap();
    let id = say(&mut world, laptop, IdentityCommand::Accept(statement));
    assert!(world.failure(laptop, &id).contains("not for this device"));
}

#[test]
fn members_of_one_group_see_the_same_digits_of_an_epoch_and_others_of_the_next() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let digits = |world: &World, index: usize| {
        world.nodes[index].member.groups().unwrap().remove(0).epoch_digits
    };
    let before = digits(&world, 0);
    assert_eq!(before.len(), 35, "{before}");
    assert_eq!([&before; 2], [&digits(&world, 1), &digits(&world, 2)]);
    world.command(1, Command::Rotate(group));
    world.pass(30);
    assert_ne!(before, digits(&world, 0));
    assert_eq!(digits(&world, 0), digits(&world, 2));
}
