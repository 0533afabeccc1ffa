//! From a room back to the hub.

use mls_core::bridge_group::Order;
use mls_core::group_settings::Settings;
use mls_core::limits::HAND_BACK_WAIT_MS;
use mls_core::member::{Command, Event, Input, SettingsCommand};
use mls_core::policy::{ROOM_REWIND_EPOCHS, ROOM_REWIND_MS};
use mls_core::wire::{GroupId, Request};

use crate::network::{Restarts, World};
use crate::room::{Room, one_network, order_by_room};

/// A group that its room orders, with a hub that answers.
pub(crate) fn by_room(count: usize) -> (World, GroupId) {
    let (mut world, group) = one_network(count);
    let id = order_by_room(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    (world, group)
}

pub(crate) fn hand_back(world: &mut World, index: usize, group: &GroupId) -> String {
    let settings = Settings { order: Some(Order::Hub), ..Settings::default() };
    world
        .command(index, Command::ChangeSettings(SettingsCommand { group: group.clone(), settings }))
}

pub(crate) fn orders(world: &World, index: usize) -> Order {
    world.nodes[index].member.groups().unwrap()[0].order
}

#[test]
fn an_admin_hands_the_group_back_and_the_hub_goes_on_where_it_had_stopped() {
    for restarts in [Restarts::Never, Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = by_room(3);
        world.restarts = restarts;
        for index in [1, 2, 1] {
            world.command(index, Command::Rotate(group.clone()));
            world.run();
        }
        let id = hand_back(&mut world, 0, &group);
        world.run();
        world.assert_done(0, &id);
        world.assert_agree(&group, &[0, 1, 2]);
        assert!((0..3).all(|index| orders(&world, index) == Order::Hub));
        // The hub orders, adds and removes again.
        let rotated = world.command(2, Command::Rotate(group.clone()));
        world.run();
        world.assert_done(2, &rotated);
        let removed = world.remove(0, &group, 1);
        world.run();
        world.assert_done(0, &removed);
        world.say(2, &group, "with the hub");
        world.run();
        assert_eq!(world.heard(0), ["TABLET: with the hub"]);
        world.assert_agree(&group, &[0, 2]);
        let again = order_by_room(&mut world, 0, &group);
        world.run();
        world.assert_done(0, &again);
        world.command(2, Command::Rotate(group.clone()));
        world.run();
        world.assert_agree(&group, &[0, 2]);
        assert!((0..3).all(|index| world.warnings(index).is_empty()), "{restarts:?}");
    }
}

#[test]
fn a_silent_hub_changes_nothing_and_does_not_hold_up_the_group() {
    let mut room = Room::new(3);
    let group = room.group.clone();
    let id = hand_back(&mut room.world, 0, &group);
    room.world.run();
    assert_eq!(room.world.result(0, &id), None);
    room.world.pass(HAND_BACK_WAIT_MS / 1000 + 1);
    assert!(room.world.failure(0, &id).contains("does not answer"));
    let said = room.say(0, "still in the room");
    room.world.run();
    room.world.pass(30);
    room.world.assert_done(0, &said);
    room.assert_agree(&[0, 1, 2]);
    assert!((0..3).all(|index| orders(&room.world, index) == Order::Room));
}

#[test]
fn what_the_hub_has_signed_beats_a_commit_of_the_room_that_would_have_won() {
    // The commits of the room come before or after what the hub posts.
    for seed in 0..8 {
        // The admin who hands it back has the last leaf.
        let (mut world, group) = one_network(4);
        let admins_add = vec![world.user(3)];
        let settings = Settings { admins_add, ..Settings::default() };
        let command = SettingsCommand { group: group.clone(), settings };
        world.command(0, Command::ChangeSettings(command));
        world.run();
        order_by_room(&mut world, 0, &group);
        world.run();
        world.shuffled = Some(seed);
        let id = hand_back(&mut world, 3, &group);
        let others = [
            world.command(0, Command::Rotate(group.clone())),
            world.command(1, Command::Rotate(group.clone())),
        ];
        world.say(2, &group, "meanwhile");
        world.run();
        world.pass(90);
        world.assert_done(3, &id);
        for (index, id) in others.iter().enumerate() {
            world.assert_done(index, id);
        }
        world.assert_agree(&group, &[0, 1, 2, 3]);
        assert!((0..4).all(|index| orders(&world, index) == Order::Hub), "seed {seed}");
        for index in 0..4 {
            assert_eq!(world.heard(index), ["TABLET: meanwhile"], "{index}, seed {seed}");
        }
    }
}

#[test]
fn after_a_cut_that_was_too_long_the_hub_brings_both_parts_together() {
    let mut room = Room::new(4);
    let group = room.group.clone();
    room.cut(&[0, 0, 1, 1]);
    for _ in 0..=ROOM_REWIND_EPOCHS {
        for index in [0, 2] {
            room.rotate(index);
            room.world.run();
        }
    }
    room.heal(2);
    let without = room.world.command(3, Command::Rejoin(group.clone()));
    room.world.run();
    assert!(room.world.failure(3, &without).contains("no hub has a way back"));
    room.hub_is_back();
    let id = hand_back(&mut room.world, 0, &group);
    room.world.run();
    room.world.assert_done(0, &id);
    let back = [2, 3].map(|index| {
        let id = room.world.command(index, Command::Rejoin(group.clone()));
        room.world.run();
        (index, id)
    });
    room.world.pass(60);
    for (index, id) in back {
        room.world.assert_done(index, &id);
    }
    room.assert_agree(&[0, 1, 2, 3]);
    room.say(3, "together");
    room.world.run();
    room.world.pass(5);
    assert!((0..4).all(|index| room.world.heard(index).contains(&"WATCH: together".to_owned())));
}

#[test]
fn a_branch_of_before_is_read_when_the_room_orders_the_group_once_more() {
    for seed in 0..4 {
        let mut room = Room::new(3);
        let group = room.group.clone();
        room.cut(&[0, 1, 1]);
        room.rotate(1);
        room.world.run();
        room.say(1, "on the branch");
        room.world.run();
        room.hub_is_back();
        let id = hand_back(&mut room.world, 0, &group);
        room.world.run();
        room.world.assert_done(0, &id);
        let id = order_by_room(&mut room.world, 0, &group);
        room.world.run();
        room.world.assert_done(0, &id);
        assert!(room.world.heard(0).is_empty());
        room.heal(seed);
        room.world.pass(10);
        assert_eq!(room.world.heard(0), ["DESK: on the branch"], "seed {seed}");
        room.assert_agree(&[0, 1, 2]);
    }
}

#[test]
fn a_branch_that_goes_further_than_the_group_is_read_as_it_comes() {
    let (mut world, group) = by_room(3);
    // Only the first hears the hub.
    world.tamper = Box::new(|index, input| {
        index == 0 || !matches!(input, Input::Answer(..) | Input::Notice(_))
    });
    let handed_back = hand_back(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &handed_back);
    let mut said = Vec::new();
    for turn in 0..3 {
        world.command(1, Command::Rotate(group.clone()));
        world.run();
        let text = format!("turn {turn}");
        world.say(1, &group, &text);
        world.run();
        said.push(format!("DESK: {text}"));
        assert_eq!(world.heard(0), said);
    }
    assert_eq!(world.epoch(1, &group), world.epoch(0, &group).map(|epoch| epoch + 2));
    world.tamper = Box::new(|_, _| true);
    for index in [1, 2] {
        world.come_back(index);
    }
    world.run();
    world.pass(120);
    world.assert_agree(&group, &[0, 1, 2]);
    for index in 0..3 {
        assert_eq!(world.heard(index), said, "{index}: once each");
    }
}

#[test]
fn what_the_hub_has_signed_is_followed_from_a_branch_that_parted_longer_ago_than_is_kept() {
    let mut room = Room::new(4);
    let group = room.group.clone();
    room.cut(&[1, 0, 0, 1]);
    for index in [3, 1] {
        room.rotate(index);
        room.world.run();
    }
    // They hear of the other branch while it could still win, which it does not.
    for index in [1, 2] {
        room.hear(index, 3, true);
    }
    for index in [2, 1, 2, 1, 2] {
        room.rotate(index);
        room.world.run();
    }
    room.hub_is_back();
    let id = hand_back(&mut room.world, 0, &group);
    room.world.run();
    room.world.assert_done(0, &id);
    room.world.pass(60);
    room.assert_agree(&[0, 1, 2, 3]);
    let alarm = |event: &Event| matches!(event, Event::Alarm(_));
    assert!((0..4).all(|index| room.world.count(index, alarm) == 0));
    room.say(2, "all here");
    room.world.run();
    room.heal(1);
    room.world.pass(5);
    assert!((0..4).all(|index| room.world.heard(index) == ["TABLET: all here"]));
}

#[test]
fn who_came_in_after_the_group_went_back_is_not_warned_of_the_room_s_commits() {
    let mut room = Room::new(3);
    let group = room.group.clone();
    room.cut(&[0, 1, 2]);
    for _ in 0..3 {
        room.rotate(1);
        room.world.run();
    }
    room.hub_is_back();
    hand_back(&mut room.world, 0, &group);
    room.world.run();
    let dave = room.world.add("@dave:a.org", "WATCH");
    room.world.run();
    let users = vec![room.world.user(dave)];
    let invite = room.world.invite(0, &group, users);
    room.world.run();
    room.world.assert_done(0, &invite);
    room.rotate(0);
    room.world.run();
    let commits = room.held(1);
    assert_eq!(commits.len(), 3);
    room.cut(&[]);
    for commit in commits {
        room.world.give(dave, commit);
    }
    room.world.run();
    assert!(room.world.warnings(dave).is_empty(), "{:?}", room.world.warnings(dave));
    room.heal(3);
    room.assert_agree(&[0, 1, 2, dave]);
}

#[test]
fn a_branch_that_is_longer_than_can_be_followed_is_no_news_once_the_hub_has_the_group_again() {
    let mut room = Room::new(3);
    let group = room.group.clone();
    room.cut(&[0, 0, 1]);
    for _ in 0..ROOM_REWIND_EPOCHS + 2 {
        room.rotate(2);
        room.world.run();
    }
    room.hub_is_back();
    let id = hand_back(&mut room.world, 0, &group);
    room.world.run();
    room.world.assert_done(0, &id);
    // All that was kept for branches is forgotten, and the group goes further than the branch went.
    room.world.pass(ROOM_REWIND_MS / 1000 + 60);
    for _ in 0..2 * ROOM_REWIND_EPOCHS {
        room.rotate(0);
        room.world.run();
    }
    room.heal(3);
    for index in [0, 1] {
        let warnings = room.world.warnings(index);
        assert!(warnings.is_empty(), "{index}: {warnings:?}");
    }
}

#[test]
fn who_was_away_while_the_group_came_back_follows() {
    let (mut world, group) = by_room(3);
    world.nodes[2].away = true;
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    let id = hand_back(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.shuffled = Some(3);
    world.come_back(2);
    world.run();
    world.pass(10);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(orders(&world, 2), Order::Hub);
}

#[test]
fn the_hub_takes_a_group_back_from_an_admin_of_before_only_and_from_no_made_up_group() {
    let (mut world, group) = by_room(3);
    let admins_add = vec![world.user(1)];
    let settings = Settings { admins_add, ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    world.command(0, Command::ChangeSettings(command));
    world.run();
    let id = hand_back(&mut world, 1, &group);
    world.run();
    assert!(world.failure(1, &id).contains("who was one before"), "{}", world.failure(1, &id));
    // A bit that flips on the way makes the submission another than what was signed.
    world.hub_tamper = Box::new(|input| {
        if let mls_core::hub::Input::Request(request) = input
            && let Request::SubmitCommit(submitted) = &mut request.request
            && let mls_core::wire::blob::Part::Inline(commit) = &mut submitted.commit
        {
            let last = commit.len() - 1;
            commit[last] ^= 1;
        }
    });
    let id = hand_back(&mut world, 0, &group);
    world.run();
    assert!(world.failure(0, &id).contains("not signed"), "{}", world.failure(0, &id));
    assert!((0..3).all(|index| orders(&world, index) == Order::Room));
    let done = |event: &Event| matches!(event, Event::Alarm(_));
    assert_eq!((0..3).map(|index| world.count(index, done)).sum::<usize>(), 0);
}
