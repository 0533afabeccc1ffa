//! Pre-shared keys: external ones that people hand over, and those of former epochs.

use mls_core::address::Network;
use mls_core::group_settings::{JoinPsk, Settings};
use mls_core::member::{
    Command, Event, HoldPsk, ProposeCommand, SettingsCommand, UsePastEpoch, UsePsk, Wish,
};
use mls_core::wire::GroupId;
use mls_rs_core::psk::PreSharedKey;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const NAME: &[u8] = b"summer";

fn hold(world: &mut World, index: usize, group: &GroupId, secret: u8) -> String {
    let secret = PreSharedKey::new(vec![secret; 32]);
    let command = HoldPsk { group: group.clone(), id: NAME.to_vec(), secret };
    let id = world.command(index, Command::HoldPsk(command));
    world.run();
    id
}

fn give(world: &mut World, indices: &[usize], group: &GroupId) {
    for index in indices {
        let id = hold(world, *index, group, 7);
        world.pass(60);
        world.assert_done(*index, &id);
    }
}

fn use_psk(world: &mut World, index: usize, group: &GroupId, anyway: bool) -> String {
    let command = UsePsk { group: group.clone(), id: NAME.to_vec(), anyway };
    let id = world.command(index, Command::UsePsk(command));
    world.run();
    id
}

fn everybody_hears(world: &mut World, group: &GroupId, members: &[usize]) {
    for index in members {
        world.say(*index, group, &format!("from {index}"));
        world.run();
    }
    for index in members {
        let heard = world.heard(*index);
        for other in members {
            let text = format!("from {other}");
            let warnings = world.warnings(*index);
            let lacks = format!("{index} lacks {text}: {heard:?}, {warnings:?}");
            assert!(heard.iter().any(|t| t.ends_with(&text)), "{lacks}");
        }
    }
}

#[test]
fn a_psk_that_all_hold_is_used_and_all_go_on() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    give(&mut world, &[0, 1, 2], &group);
    let before = world.epoch(1, &group).unwrap();
    let used = use_psk(&mut world, 0, &group, false);
    world.assert_done(0, &used);
    assert_eq!(world.epoch(1, &group), Some(before + 1));
    everybody_hears(&mut world, &group, &[0, 1, 2]);
}

#[test]
fn who_lacks_a_psk_is_named_before_the_commit() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    give(&mut world, &[0, 1], &group);
    let before = world.epoch(1, &group);
    let refused = use_psk(&mut world, 0, &group, false);
    let why = world.failure(0, &refused);
    assert!(why.contains("juliet@x.org") && !why.contains("bob"), "{why}");
    assert_eq!(world.epoch(1, &group), before);
    let not_held = use_psk(&mut world, 2, &group, false);
    assert!(world.failure(2, &not_held).contains("bring it first"));
}

#[test]
fn who_has_another_key_under_the_name_is_shut_out_and_comes_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    give(&mut world, &[0, 1], &group);
    let wrong = hold(&mut world, 2, &group, 8);
    world.pass(60);
    world.assert_done(2, &wrong);
    let used = use_psk(&mut world, 0, &group, false);
    world.assert_done(0, &used);
    // It cannot follow the commit, and comes back by itself.
    world.pass(120);
    let joined = |event: &Event| matches!(event, Event::Joined(_));
    assert_eq!(world.count(2, joined), 2, "{:?}", world.warnings(2));
    world.assert_agree(&group, &[0, 1, 2]);
    everybody_hears(&mut world, &group, &[0, 1, 2]);
}

#[test]
fn who_is_about_to_be_added_comes_in_before_a_psk_is_used() {
    for past in [false, true] {
        let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
        give(&mut world, &[0, 1], &group);
        let epoch = world.epoch(0, &group).unwrap();
        // It is bob's turn to commit the Add, and he is away.
        world.nodes[1].away = true;
        let users = vec![world.user(2)];
        let wish = ProposeCommand { group: group.clone(), wish: Wish::Add(users) };
        world.command(0, Command::Propose(wish));
        world.run();
        assert_eq!(world.epoch(0, &group), Some(epoch), "the Add is pending");
        let used = match past {
            true => {
                let command = UsePastEpoch { group: group.clone(), epoch: epoch - 1 };
                let id = world.command(0, Command::UsePastEpoch(command));
                world.run();
                id
            }
            false => use_psk(&mut world, 0, &group, true),
        };
        world.come_back(1);
        world.pass(120);
        world.assert_done(0, &used);
        world.assert_agree(&group, &[0, 1, 2]);
        everybody_hears(&mut world, &group, &[0, 1, 2]);
    }
}

#[test]
fn only_admins_use_psks() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    give(&mut world, &[0, 1], &group);
    let refused = use_psk(&mut world, 1, &group, false);
    assert!(world.failure(1, &refused).contains("only an admin"));
}

#[test]
fn the_resumption_psk_of_a_former_epoch_is_used_within_its_bound() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let start = world.epoch(0, &group).unwrap();
    for _ in 0..4 {
        let id = world.command(0, Command::Rotate(group.clone()));
        world.run();
        world.assert_done(0, &id);
    }
    let mut use_epoch = |epoch| {
        let command = UsePastEpoch { group: group.clone(), epoch };
        let id = world.command(0, Command::UsePastEpoch(command));
        world.run();
        id
    };
    let (old, ahead, good) = (use_epoch(start), use_epoch(start + 5), use_epoch(start + 1));
    assert!(world.failure(0, &old).contains("only the last 3 epochs"));
    assert!(world.failure(0, &ahead).contains("only the last 3 epochs"));
    world.assert_done(0, &good);
    everybody_hears(&mut world, &group, &[0, 1, 2]);
}

#[test]
fn a_group_can_ask_for_a_psk_of_whoever_comes_back() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    let ask = |world: &mut World| {
        let join_psk = Some(JoinPsk(NAME.to_vec()));
        let settings = Settings { join_psk, ..Settings::default() };
        let command = SettingsCommand { group: group.clone(), settings };
        let id = world.command(0, Command::ChangeSettings(command));
        world.run();
        id
    };
    give(&mut world, &[0], &group);
    let early = ask(&mut world);
    assert!(world.failure(0, &early).contains("bob"));
    give(&mut world, &[1], &group);
    let asked = ask(&mut world);
    world.assert_done(0, &asked);
    let juliet = world.user(2);
    let invite = world.invite(0, &group, vec![juliet]);
    world.run();
    world.assert_done(0, &invite);
    let without = world.command(2, Command::Rejoin(group.clone()));
    world.run();
    assert!(world.failure(2, &without).contains("pre-shared key"));
    give(&mut world, &[2], &group);
    for index in [1, 2] {
        let with = world.command(index, Command::Rejoin(group.clone()));
        world.run();
        world.assert_done(index, &with);
    }
    everybody_hears(&mut world, &group, &[0, 1, 2]);
}

#[test]
fn who_was_given_the_psk_of_an_open_group_joins_it_by_itself() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    give(&mut world, &[0, 1], &group);
    let join_psk = Some(JoinPsk(NAME.to_vec()));
    let settings = Settings { join_psk, open_join: Some(true), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let opened = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &opened);
    let rooms = world.nodes[0].member.groups().unwrap().remove(0).rooms;
    let muc = rooms.into_iter().find(|room| room.network == Network::Xmpp).unwrap();
    let juliet = world.user(2);
    world.list(&muc, &juliet, true);
    world.run();
    let join = world.command(2, Command::Join(muc.clone()));
    world.run();
    assert!(world.failure(2, &join).contains("pre-shared key"));
    let held = hold(&mut world, 2, &group, 7);
    let why = world.failure(2, &held);
    assert!(why.contains("the key is kept"), "{why}");
    let join = world.command(2, Command::Join(muc));
    world.run();
    world.assert_done(2, &join);
    everybody_hears(&mut world, &group, &[0, 1, 2]);
}
