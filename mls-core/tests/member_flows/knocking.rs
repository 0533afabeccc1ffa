//! Somebody who is in no group, or a new device of somebody who is, asks to be let in.

use mls_core::address::{RoomAddress, UserId};
use mls_core::limits::{
    KNOCK_KEEP_MS, KNOCKS_PER_GROUP_MAX, WAITING_DEVICE_KEEP_MS, WAITING_DEVICES_PER_GROUP_MAX,
};
use mls_core::member::{Command, DeviceWaiting, Event, Input, KnockDeniedEvent, KnockedEvent};
use mls_core::store::{Store, Write};
use mls_core::wire::device_waiting;
use mls_core::wire::knock::{DenyKnock, Knocked};
use mls_core::wire::{GroupId, Notice};

use crate::network::{Restarts, World};
use crate::story::{ALICE, BOB, JULIET, ROMEO};

fn rooms(world: &World) -> Vec<RoomAddress> {
    world.nodes[0].member.groups().unwrap().remove(0).rooms
}

fn knocks(world: &World, index: usize) -> Vec<KnockedEvent> {
    let knocked = |event: &Event| match event {
        Event::Knocked(knocked) => Some(knocked.clone()),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(knocked).collect()
}

#[test]
fn whoever_knocks_is_shown_to_admins_once_and_let_in_by_their_invitation_alone() {
    for restarts in [Restarts::Never, Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET, ROMEO], &[1]);
        world.restarts = restarts;
        world.doubled = true;
        let rooms = rooms(&world);
        // A room of the other network than their own, and of their own.
        for (index, room) in [(2, &rooms[0]), (3, &rooms[1]), (2, &rooms[1])] {
            let done = world.command(index, Command::Knock(room.clone()));
            world.run();
            world.assert_done(index, &done);
        }
        let expected = [2, 3].map(|i| KnockedEvent { group: group.clone(), user: world.user(i) });
        assert_eq!(knocks(&world, 0), expected);
        assert_eq!(knocks(&world, 1), []);
        world.assert_agree(&group, &[0, 1]);

        let accept = world.invite(0, &group, vec![world.user(2)]);
        world.run();
        world.assert_done(0, &accept);
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn whoever_is_denied_is_told_and_may_knock_again() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    let room = rooms(&world).remove(1);
    let deny = DenyKnock { group: group.clone(), user: world.user(2) };
    for times in 1..=2 {
        world.now_ms += 1000;
        world.command(2, Command::Knock(room.clone()));
        world.run();
        assert_eq!(knocks(&world, 0).len(), times);
        let by_bob = world.command(1, Command::DenyKnock(deny.clone()));
        world.run();
        assert!(world.failure(1, &by_bob).contains("only an admin"));
        let done = world.command(0, Command::DenyKnock(deny.clone()));
        world.run();
        world.assert_done(0, &done);
        let denied = Event::KnockDenied(KnockDeniedEvent { room: room.clone() });
        assert_eq!(world.nodes[2].events.iter().filter(|e| **e == denied).count(), times);
    }
    let nobody = world.command(0, Command::DenyKnock(deny));
    world.run();
    assert!(world.failure(0, &nobody).contains("no longer"));
}

#[test]
fn a_hub_that_makes_up_knocks_fills_neither_the_screen_nor_the_store_for_ever() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let knock = |world: &mut World, number: usize| {
        let user = UserId::from_human(&format!("@nobody{number}:a.org")).unwrap();
        let knocked = Knocked { group: group.clone(), user, since_ms: world.now_ms };
        world.give(0, Input::Notice(Notice::Knocked(knocked)));
        world.run();
    };
    for number in 0..KNOCKS_PER_GROUP_MAX + 5 {
        knock(&mut world, number);
    }
    assert_eq!(knocks(&world, 0).len(), KNOCKS_PER_GROUP_MAX);
    world.now_ms += KNOCK_KEEP_MS;
    knock(&mut world, KNOCKS_PER_GROUP_MAX + 5);
    assert_eq!(knocks(&world, 0).len(), KNOCKS_PER_GROUP_MAX + 1);
    assert_eq!(world.nodes[0].store.scan("shown_knock", &[], &[], 1000).unwrap().len(), 1);
}

/// The hub says to node 0 that a device waits.
fn device_waits(world: &mut World, group: &GroupId, account: &str, device: &str) {
    let client = UserId::from_human(account).unwrap().device(device).unwrap();
    let waiting = device_waiting::DeviceWaiting { group: group.clone(), client };
    world.give(0, Input::Notice(Notice::DeviceWaiting(waiting)));
    world.run();
}

fn shown(world: &World) -> Vec<DeviceWaiting> {
    let waits = |event: &Event| match event {
        Event::DeviceWaiting(waiting) => Some(waiting.clone()),
        _ => None,
    };
    world.nodes[0].events.iter().filter_map(waits).collect()
}

fn shown_rows(world: &World) -> usize {
    world.nodes[0].store.scan("shown_device", &[], &[], 1000).unwrap().len()
}

#[test]
fn a_hub_that_makes_up_waiting_devices_fills_neither_the_screen_nor_the_store_for_ever() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    for number in 0..WAITING_DEVICES_PER_GROUP_MAX + 5 {
        let device = format!("NEW{number}");
        device_waits(&mut world, &group, BOB.0, &device);
        device_waits(&mut world, &group, BOB.0, &device);
        // Of nobody who is in the group.
        device_waits(&mut world, &group, &format!("@nobody{number}:a.org"), "PHONE");
    }
    assert_eq!(shown(&world).len(), WAITING_DEVICES_PER_GROUP_MAX);
    assert_eq!(shown_rows(&world), WAITING_DEVICES_PER_GROUP_MAX);
    world.now_ms += WAITING_DEVICE_KEEP_MS;
    device_waits(&mut world, &group, BOB.0, "NEW0");
    assert_eq!(shown(&world).len(), WAITING_DEVICES_PER_GROUP_MAX + 1);
    assert_eq!(shown_rows(&world), 1);
}

#[test]
fn what_was_shown_of_waiting_devices_before_times_were_kept_is_forgotten() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let client = world.user(1).device("OLD").unwrap();
    let key = [group.0.as_slice(), client.as_str().as_bytes()].concat();
    let value = Vec::new().into();
    world.nodes[0].store.apply(&[Write::Put { space: "shown_device", key, value }]);
    device_waits(&mut world, &group, BOB.0, "NEW");
    assert_eq!(shown_rows(&world), 1);
}

#[test]
fn a_device_that_waits_again_after_it_was_removed_is_shown_again() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let laptop = world.add(BOB.0, "LAPTOP");
    world.run();
    let expected =
        DeviceWaiting { group: group.clone(), client: world.nodes[laptop].client.clone() };
    assert_eq!(shown(&world), std::slice::from_ref(&expected));
    let bob = world.user(1);
    let invite = world.invite(0, &group, vec![bob.clone()]);
    world.run();
    world.assert_done(0, &invite);
    world.assert_agree(&group, &[0, 1, laptop]);
    assert_eq!(shown_rows(&world), 0);
    // Bob comes again, and his laptop has no key package for that.
    world.remove(0, &group, 1);
    world.run();
    world.nodes[laptop].one_time.clear();
    world.nodes[laptop].last_resort.clear();
    let invite = world.invite(0, &group, vec![bob]);
    world.run();
    world.assert_done(0, &invite);
    world.assert_agree(&group, &[0, 1]);
    device_waits(&mut world, &group, BOB.0, "LAPTOP");
    assert_eq!(shown(&world), [expected.clone(), expected]);
}

#[test]
fn what_was_shown_of_waiting_devices_goes_with_the_group() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    device_waits(&mut world, &group, BOB.0, "NEW");
    assert_eq!(shown_rows(&world), 1);
    let leave = world.command(0, Command::Leave(group));
    world.run();
    world.pass(60);
    world.assert_done(0, &leave);
    assert_eq!(shown_rows(&world), 0);
}
