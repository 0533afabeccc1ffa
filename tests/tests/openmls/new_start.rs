//! Groups that are made of another one: by ReInit, which ends that, and by branching (RFC 9420 11.2, 11.3).

use mls_core::group_settings::Settings;
use mls_core::member::{BranchCommand, Command, ReInitCommand};
use mls_core::policy::CIPHER_SUITES;
use mls_core::wire::create_room::CreateRoom;

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

#[test]
fn openmls_comes_into_a_branch_by_its_leaf() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let parent = group_with(&mut world, &mut [&mut petra]);
    let users = vec![petra.client.user(), world.user(1)];
    let rooms = CreateRoom { matrix: true, xmpp: true, name: "Aside".to_owned() };
    world.done(0, Command::Branch(BranchCommand { parent: parent.clone(), users, rooms }));
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_ne!(petra.group_id().unwrap(), parent);
    petra.say(&mut world.at(&petra.client.clone()), "in the branch").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(world.heard(1), ["00000000000000a1: in the branch"]);
}
