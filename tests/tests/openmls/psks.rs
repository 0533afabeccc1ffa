//! Pre-shared keys that one engine uses and the other holds.

use mls_core::member::{Command, HoldPsk, UsePastEpoch, UsePsk};
use mls_core::policy::RESUMPTION_PSK_EPOCHS;
use mls_core::wire::GroupId;
use mls_rs_core::psk::PreSharedKey;

use crate::memory::{ALICE, JULIET, PETRA, World, everybody_agrees, group_of, group_with};
use crate::peer::Change;

const NAME: &[u8] = b"summer";
const SECRET: [u8; 32] = [7; 32];

fn hold(world: &mut World, index: usize, group: &GroupId) {
    let secret = PreSharedKey::new(SECRET.to_vec());
    world
        .done(index, Command::HoldPsk(HoldPsk { group: group.clone(), id: NAME.to_vec(), secret }));
}

fn use_psk(group: &GroupId) -> Command {
    Command::UsePsk(UsePsk { group: group.clone(), id: NAME.to_vec(), anyway: false })
}

#[test]
fn we_use_a_psk_that_openmls_says_to_hold() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    hold(&mut world, 0, &group);
    hold(&mut world, 1, &group);
    let refused = world.command(0, use_psk(&group));
    world.run();
    assert!(world.failure(0, &refused).contains("petra@x.org"), "OpenMLS would be shut out");
    petra.hold_psk(&mut world.at(&petra.client.clone()), NAME, &SECRET).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    world.done(0, use_psk(&group));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.say(&mut world.at(&petra.client.clone()), "not shut out").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(world.heard(1), ["00000000000000a1: not shut out"]);
}

#[test]
fn openmls_uses_a_psk_that_we_hold() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    for member in [0, 1] {
        hold(&mut world, member, &group);
        world.deliver(&mut petra).unwrap();
    }
    petra.keep_psk(NAME, &SECRET).unwrap();
    let use_psk = Change::UsePsk(NAME.to_vec());
    petra.commit(&mut world.at(&petra.client.clone()), &use_psk).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}

#[test]
fn we_use_the_resumption_psk_of_an_epoch_that_openmls_was_in() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    for member in [0, 1, 0] {
        world.done(member, Command::Rotate(group.clone()));
        everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    }
    let epoch = petra.epoch().unwrap() - RESUMPTION_PSK_EPOCHS;
    world.done(0, Command::UsePastEpoch(UsePastEpoch { group, epoch }));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}

#[test]
fn openmls_uses_the_resumption_psk_of_an_epoch_that_we_were_in() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_of(&mut world, &mut petra, &[0, 1]);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    for member in [0, 1, 0] {
        world.done(member, Command::Rotate(group.clone()));
        everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    }
    let past = petra.epoch().unwrap() - RESUMPTION_PSK_EPOCHS;
    petra.commit(&mut world.at(&petra.client.clone()), &Change::UsePastEpoch(past)).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}
