//! Groups that a device is out of.

use mls_core::limits::HOUSEKEEPING_MS;
use mls_core::policy::MEMBERSHIP_LOG_KEEP_MS;
use mls_core::store::Store;
use mls_core::wire::GroupId;

use crate::network::World;
use crate::story::{ALICE, BOB};

/// What Bob's device keeps in a space.
fn kept(world: &World, space: &'static str) -> usize {
    world.nodes[1].store.scan(space, &[], &[], 100).unwrap().len()
}

/// Entries of the log of a group's membership that Bob's device keeps.
fn log_of(world: &World, group: &GroupId) -> usize {
    let all = world.nodes[1].store.scan("membership_log", &[], &[], 100).unwrap();
    all.iter().filter(|(key, _)| key.windows(16).any(|part| part == group.0)).count()
}

#[test]
fn a_group_is_forgotten_a_year_after_this_device_was_removed_unless_it_came_again() {
    let mut world = World::new(&[ALICE, BOB]);
    let (one, other) = (world.found(0), world.found(0));
    let bob = world.user(1);
    for group in [&one, &other] {
        world.invite(0, group, vec![bob.clone()]);
        world.run();
        world.remove(0, group, 1);
        world.run();
    }
    world.pass(2 * HOUSEKEEPING_MS / 1000);
    let invite = world.invite(0, &other, vec![bob]);
    world.run();
    world.assert_done(0, &invite);
    world.pass(2 * HOUSEKEEPING_MS / 1000);
    assert_eq!((kept(&world, "group_record"), kept(&world, "room")), (2, 2));
    assert_eq!(kept(&world, "gone_since"), 1);
    world.now_ms += MEMBERSHIP_LOG_KEEP_MS;
    world.nodes[0].away = true;
    world.pass(HOUSEKEEPING_MS / 1000 + 1);
    let left = world.nodes[1].member.groups().unwrap();
    assert!(left.iter().map(|group| &group.group).eq([&other]));
    assert_eq!((kept(&world, "group_record"), kept(&world, "room")), (1, 1));
    assert_eq!(kept(&world, "gone_since"), 0);
    assert_eq!((log_of(&world, &one), log_of(&world, &other) > 0), (0, true));
}
