//! Several members commit at the same time: one wins, the others build theirs anew.

use mls_core::member::{Command, Event};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET, ROMEO};

#[test]
fn of_two_commits_one_wins_each_round_and_both_commands_are_fulfilled() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    for round in 0..20 {
        let before = world.epoch(0, &group).unwrap();
        let first = world.command(1, Command::Rotate(group.clone()));
        let second = world.command(2, Command::Rotate(group.clone()));
        world.run();
        assert_eq!(world.epoch(0, &group), Some(before + 1), "two winners in round {round}");
        world.pass(30);
        world.assert_done(1, &first);
        world.assert_done(2, &second);
        assert_eq!(world.epoch(0, &group), Some(before + 2));
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn everybody_at_once_converges_with_all_messages_heard_once() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET, ROMEO]);
    let mut commands = Vec::new();
    for index in 0..4 {
        commands.push((index, world.say(index, &group, "me first")));
        commands.push((index, world.command(index, Command::Rotate(group.clone()))));
        commands.push((index, world.say(index, &group, "me last")));
    }
    world.run();
    world.pass(120);
    for (index, id) in commands {
        world.assert_done(index, &id);
    }
    world.assert_agree(&group, &[0, 1, 2, 3]);
    for index in 0..4 {
        let heard = world.heard(index);
        assert_eq!(heard.len(), 8, "{index} heard {heard:?}, {:?}", world.warnings(index));
    }
}

#[test]
fn a_lost_invitation_is_built_anew_and_adds_everybody() {
    let mut world = World::new(&[ALICE, BOB, JULIET, ROMEO]);
    let group = world.found(0);
    let bob = world.user(1);
    world.invite(0, &group, vec![bob]);
    world.run();
    let others = vec![world.user(2), world.user(3)];
    let invite = world.invite(0, &group, others);
    let rotate = world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.pass(30);
    world.assert_done(0, &invite);
    world.assert_done(1, &rotate);
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn the_hub_and_an_admin_remove_the_same_member_by_one_commit() {
    let mut done = 0;
    // In one of two epochs it is not the admin's turn to commit what the hub has proposed.
    for rotations in [0, 1] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        for _ in 0..rotations {
            world.command(0, Command::Rotate(group.clone()));
            world.run();
        }
        world.nodes[1].away = true;
        let room = world.nodes[2].member.groups().unwrap()[0].rooms[1].clone();
        let juliet = world.user(2);
        world.leave_room(&room, &juliet);
        world.run();
        let id = world.remove(0, &group, 2);
        world.run();
        match world.result(0, &id) {
            Some(Event::CommandDone(_)) => done += 1,
            _ => assert!(world.failure(0, &id).contains("none of them is in the group")),
        }
        world.come_back(1);
        world.run();
        world.assert_agree(&group, &[0, 1]);
    }
    assert_eq!(done, 1);
}

#[test]
fn twenty_joiners_who_all_speak_do_not_race_for_twenty_epochs() {
    let names: Vec<_> = (0..20).map(|i| format!("@user{i}:a.org")).collect();
    let devices: Vec<_> = names.iter().map(|name| (name.as_str(), "DEV")).collect();
    let (mut world, group) = World::group(&devices);
    let before = world.epoch(0, &group).unwrap();
    for index in 0..20 {
        world.say(index, &group, "hello");
    }
    world.run();
    for index in 0..20 {
        assert_eq!(world.heard(index).len(), 20);
    }
    assert_eq!(world.epoch(0, &group), Some(before));
    // Their leaves are renewed one after the other within the hour (and the inviter's, within
    // a day).
    world.pass(3700);
    let refused = |event: &Event| matches!(event, Event::CommandFailed(_) | Event::Warning(_));
    assert_eq!((0..20).map(|index| world.count(index, refused)).sum::<usize>(), 0);
    let renewed = world.epoch(0, &group).unwrap() - before;
    assert!((19..=20).contains(&renewed), "{renewed} updates");
}
