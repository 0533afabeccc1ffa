//! Joining an open group by external commit, and the PSK that a group may ask for.

use mls_core::group_settings::{JoinPsk, Settings};
use mls_core::member::{Command, HoldPsk, SettingsCommand};
use mls_core::wire::GroupId;
use mls_core::wire::refusal::Refusal;
use mls_rs_core::psk::PreSharedKey;

use crate::memory::{
    ALICE, BOB, JULIET, OTTO, PETRA, World, everybody_agrees, group_of, group_with,
};
use crate::peer::{Change, PeerError};

const NAME: &[u8] = b"door";
const SECRET: [u8; 32] = [9; 32];

fn change(world: &mut World, group: &GroupId, settings: Settings) {
    let command = SettingsCommand { group: group.clone(), settings };
    world.done(0, Command::ChangeSettings(command));
}

#[test]
fn openmls_joins_an_open_group_by_itself() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra]);
    let room = petra.rooms().unwrap()[0].clone();
    let closed = otto.join_open(&mut world.at(&otto.client.clone()), &room);
    assert!(matches!(closed, Err(PeerError::Refused(Refusal::NotAllowed(_)))), "{closed:?}");
    change(&mut world, &group, Settings { open_join: Some(true), ..Settings::default() });
    world.list(&room, &otto.client.user(), true);
    otto.join_open(&mut world.at(&otto.client.clone()), &room).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    otto.say(&mut world.at(&otto.client.clone()), "here I am").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(world.heard(1), ["OPENMLS: here I am"]);
}

#[test]
fn we_join_an_open_group_of_openmls_by_ourselves() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    group_of(&mut world, &mut petra, &[0]);
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Open).unwrap();
    world.run();
    let (room, bob) = (petra.rooms().unwrap()[0].clone(), world.user(1));
    world.list(&room, &bob, true);
    world.done(1, Command::Join(room));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}

#[test]
fn a_group_that_asks_for_a_psk_takes_openmls_back_with_it_only() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let secret = PreSharedKey::new(SECRET.to_vec());
    for member in [0, 1] {
        let (group, secret) = (group.clone(), secret.clone());
        world.done(member, Command::HoldPsk(HoldPsk { group, id: NAME.to_vec(), secret }));
    }
    petra.hold_psk(&mut world.at(&petra.client.clone()), NAME, &SECRET).unwrap();
    world.run();
    let join_psk = Some(JoinPsk(NAME.to_vec()));
    change(&mut world, &group, Settings { join_psk, ..Settings::default() });
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let mut petra = petra.without_state();
    let without = petra.rejoin(&mut world.at(&petra.client.clone()), &group);
    assert!(without.is_err(), "OpenMLS used a key that it does not have");
    petra.keep_psk(NAME, &SECRET).unwrap();
    petra.rejoin(&mut world.at(&petra.client.clone()), &group).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}
