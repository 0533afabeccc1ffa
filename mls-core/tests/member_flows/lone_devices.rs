//! Devices that are in one group of their user only.

use mls_core::limits::{LONE_DEVICE_AFTER_MS, LONE_DEVICES_AGAIN_MS};
use mls_core::member::{Event, LoneDevice};
use mls_core::wire::GroupId;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const TABLET: (&str, &str) = (ALICE.0, "TABLET");

/// Juliet's two groups with Bob and Alice, and Alice's tablet in the first of them only.
fn two_groups() -> (World, [GroupId; 2], usize) {
    let mut world = World::new(&[JULIET, BOB, ALICE]);
    let groups = [(); 2].map(|()| {
        let group = world.found(0);
        world.invite_all(0, &group);
        group
    });
    let tablet = world.add(TABLET.0, TABLET.1);
    world.run();
    bring_in(&mut world, &groups[0]);
    world.assert_agree(&groups[0], &[0, 1, 2, tablet]);
    (world, groups, tablet)
}

/// Alice brings all her devices into a group.
fn bring_in(world: &mut World, group: &GroupId) {
    let user = world.user(2);
    world.invite(2, group, vec![user]);
    world.pass(60);
}

/// What a device is told of.
fn told(world: &World, index: usize) -> Vec<LoneDevice> {
    let lone = |event: &Event| match event {
        Event::LoneDevice(lone) => Some(lone.clone()),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(lone).collect()
}

fn wait(world: &mut World, ms: u64) {
    world.pass(5);
    world.now_ms += ms;
    world.pass(5);
}

#[test]
fn a_device_in_one_group_of_its_user_is_pointed_out_once_after_two_days() {
    let (mut world, [tea, _], tablet) = two_groups();
    wait(&mut world, LONE_DEVICES_AGAIN_MS);
    wait(&mut world, LONE_DEVICE_AFTER_MS - LONE_DEVICES_AGAIN_MS);
    for index in [0, 1, 2, tablet] {
        assert_eq!(told(&world, index), [], "too early");
    }
    wait(&mut world, LONE_DEVICES_AGAIN_MS);
    let lone = LoneDevice { client: world.nodes[tablet].client.clone(), group: tea };
    for index in [0, 1, 2] {
        assert_eq!(told(&world, index), std::slice::from_ref(&lone), "{index}");
    }
    assert_eq!(told(&world, tablet), [], "it knows one group only");
    world.restart(0);
    for _ in 0..3 {
        wait(&mut world, LONE_DEVICES_AGAIN_MS);
    }
    assert_eq!(told(&world, 0), [lone], "told once");
}

#[test]
fn a_device_that_follows_into_the_other_groups_is_not_pointed_out() {
    let (mut world, [_, chess], tablet) = two_groups();
    wait(&mut world, LONE_DEVICES_AGAIN_MS);
    wait(&mut world, LONE_DEVICE_AFTER_MS - LONE_DEVICES_AGAIN_MS);
    bring_in(&mut world, &chess);
    world.assert_agree(&chess, &[0, 1, 2, tablet]);
    for _ in 0..3 {
        wait(&mut world, LONE_DEVICES_AGAIN_MS);
    }
    for index in [0, 1, 2, tablet] {
        assert_eq!(told(&world, index), []);
    }
}
