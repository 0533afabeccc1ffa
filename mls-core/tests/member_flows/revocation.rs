//! A user loses a device, and revokes it from another one.

use mls_core::member::{Command, Event};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Alice's other device.
const TABLET: (&str, &str) = (ALICE.0, "TABLET");

#[test]
fn a_lost_device_is_out_of_every_group_and_reads_nothing_that_is_said_afterwards() {
    let (mut world, tea) = World::group(&[ALICE, TABLET, BOB, JULIET]);
    let user = world.user(0);
    world.invite(0, &tea, vec![user]);
    let dinner = world.found(2);
    world.invite_all(2, &dinner);
    world.run();
    world.assert_agree(&tea, &[0, 1, 2, 3]);
    world.assert_agree(&dinner, &[0, 1, 2, 3]);
    world.nodes[1].away = true;
    let lost = world.nodes[1].client.clone();
    let id = world.command(0, Command::RevokeDevice(lost.clone()));
    world.pass(40);
    world.assert_done(0, &id);
    for group in [&tea, &dinner] {
        world.assert_agree(group, &[0, 2, 3]);
        world.say(2, group, "she is not with us any more");
        world.run();
    }
    world.come_back(1);
    world.pass(60);
    let removed = |event: &Event| matches!(event, Event::Removed(_));
    assert_eq!(world.count(1, removed), 2);
    assert!(world.heard(1).is_empty(), "{:?}", world.heard(1));
    // All devices of Alice's are invited again: not that one.
    let user = world.user(1);
    world.invite(2, &tea, vec![user]);
    world.pass(40);
    world.assert_agree(&tea, &[0, 2, 3]);
}

#[test]
fn only_another_device_of_the_same_user_can_be_revoked() {
    let mut world = World::new(&[ALICE, BOB]);
    for other in [0, 1] {
        let client = world.nodes[other].client.clone();
        let id = world.command(0, Command::RevokeDevice(client));
        world.pass(2);
        assert!(world.failure(0, &id).contains("another device"), "{}", world.failure(0, &id));
    }
}
