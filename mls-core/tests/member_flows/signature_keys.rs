//! Signature keys of one group, and what happens to them when something else goes wrong.

use mls_core::identity::Standing;
use mls_core::member::{ChangeKind, Command, Input, MembershipChange, Proposer};
use mls_core::policy::CIPHER_SUITES;
use mls_core::wire::{Answer, GroupId};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// The signature key that a member sees in another one's leaf.
fn key(world: &World, index: usize, of: usize) -> Vec<u8> {
    let client = world.nodes[of].client.clone();
    let summary = world.nodes[index].member.groups().unwrap().remove(0);
    summary.members.into_iter().find(|m| m.client == client).unwrap().signature_key
}

fn change_key(world: &mut World, index: usize, group: &GroupId) {
    let id = world.command(index, Command::ChangeKey(group.clone()));
    world.run();
    world.assert_done(index, &id);
}

/// All three say something, and all read it.
fn assert_they_talk(world: &mut World, group: &GroupId) {
    let before: Vec<_> = (0..3).map(|index| world.heard(index).len()).collect();
    for index in 0..3 {
        let id = world.say(index, group, "well?");
        world.run();
        world.assert_done(index, &id);
    }
    for (index, before) in before.into_iter().enumerate() {
        assert_eq!(world.heard(index).len(), before + 3, "{:?}", world.warnings(index));
    }
    world.assert_agree(group, &[0, 1, 2]);
}

#[test]
fn a_fresh_key_in_a_group_is_seen_by_all_and_stands_in_its_log() {
    for suite in CIPHER_SUITES.map(u16::from) {
        let mut world = World::new(&[ALICE, BOB, JULIET]);
        let group = crate::suites::found(&mut world, suite);
        world.invite_all(0, &group);
        for index in [1, 2] {
            let device_key = key(&world, 0, index);
            change_key(&mut world, index, &group);
            assert_ne!(key(&world, 0, index), device_key);
            assert_they_talk(&mut world, &group);
            let log = world.nodes[0].member.membership_log(&group, 0, 1000).unwrap();
            let client = world.nodes[index].client.clone();
            let by = Proposer::Member(client.clone());
            let told = MembershipChange { kind: ChangeKind::NewKey, client, by };
            assert!(log.iter().any(|entry| entry.changes.contains(&told)), "{log:?}");
            // Once more: also a group's own key can be left behind.
            let first = key(&world, 0, index);
            change_key(&mut world, index, &group);
            assert_ne!(key(&world, 0, index), first);
            let members = world.nodes[0].member.groups().unwrap().remove(0).members;
            assert!(members.iter().all(|m| m.standing != Standing::Unvouched), "{members:?}");
        }
        assert_they_talk(&mut world, &group);
    }
}

#[test]
fn who_lost_the_state_of_a_group_comes_back_with_the_key_of_that_group() {
    for index in [1, 2] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        change_key(&mut world, index, &group);
        let own = key(&world, 0, index);
        world.lose(index, &["group_state", "epoch", "journal"]);
        world.say(0, &group, "are you there?");
        world.run();
        world.pass(30);
        assert_eq!(key(&world, 0, index), own);
        assert_they_talk(&mut world, &group);
        change_key(&mut world, index, &group);
        assert_they_talk(&mut world, &group);
    }
}

#[test]
fn a_fresh_key_survives_that_the_state_is_lost_before_its_receipt_comes() {
    for index in [1, 2] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        let before = key(&world, 0, index);
        world.tamper = Box::new(move |to, input| {
            let certificate = matches!(input, Input::Answer(_, Ok(Answer::Credential(_))));
            to != index || certificate || !matches!(input, Input::Answer(..) | Input::Notice(_))
        });
        world.command(index, Command::ChangeKey(group.clone()));
        world.run();
        let fresh = key(&world, 0, index);
        assert_ne!(fresh, before, "the hub took the commit");
        world.tamper = Box::new(|_, _| true);
        world.lose(index, &["group_state", "epoch", "journal"]);
        world.come_back(index);
        world.run();
        world.pass(60);
        // What was commanded is done once more, for nobody remembers that it was.
        let now = key(&world, 0, index);
        assert!(now != fresh && now != before);
        assert_they_talk(&mut world, &group);
    }
}

#[test]
fn two_fresh_keys_at_once_both_come_and_a_restart_between_does_no_harm() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let before = [key(&world, 0, 1), key(&world, 0, 2)];
    let ids = [1, 2].map(|index| world.command(index, Command::ChangeKey(group.clone())));
    world.step();
    world.restart(1);
    world.restart(2);
    world.come_back(1);
    world.come_back(2);
    world.run();
    world.pass(30);
    for (index, id) in [1, 2].into_iter().zip(&ids) {
        world.assert_done(index, id);
        assert_ne!(key(&world, 0, index), before[index - 1]);
    }
    assert_they_talk(&mut world, &group);
}

#[test]
fn who_was_removed_and_is_added_again_has_its_devices_key() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let device_key = key(&world, 0, 2);
    change_key(&mut world, 2, &group);
    let remove = world.remove(0, &group, 2);
    world.run();
    world.assert_done(0, &remove);
    let user = world.user(2);
    let invite = world.invite(0, &group, vec![user]);
    world.run();
    world.assert_done(0, &invite);
    assert_eq!(key(&world, 0, 2), device_key);
    let rejoin = world.command(2, Command::Rejoin(group.clone()));
    world.run();
    world.assert_done(2, &rejoin);
    assert_they_talk(&mut world, &group);
}
