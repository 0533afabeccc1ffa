//! ReInit: the group ends, and another follows with the same members (RFC 9420 11.2).

use mls_core::group_settings::Settings;
use mls_core::member::{Command, ReInitCommand};
use mls_core::policy::CIPHER_SUITES;

use crate::memory::{ALICE, JULIET, OTTO, PETRA, World, everybody_agrees, group_with};
use crate::peer::Change;

#[test]
fn openmls_follows_a_new_start_by_coming_back_into_the_new_group() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_with(&mut world, &mut [&mut petra, &mut otto]);
    let suite = u16::from(CIPHER_SUITES[0]);
    let settings = Settings { members_may_add: Some(true), ..Settings::default() };
    world.done(0, Command::ReInit(ReInitCommand { group: group.clone(), suite, settings }));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_ne!(petra.group_id().unwrap(), group);
    petra.say(&mut world.at(&petra.client.clone()), "in the new group").unwrap();
    otto.commit(&mut world.at(&otto.client.clone()), &Change::Update).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    assert_eq!(world.heard(1), ["00000000000000a1: in the new group"]);
}
