//! ReInit: a group ends and goes on as another one, with the same people in the same rooms.

use mls_core::bridge_group::Order;
use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::member::{Command, Event, Input, ReInitCommand, SettingsCommand};
use mls_core::wire::{Answer, GroupId, Request};

use crate::credentials::STRANGER;
use crate::network::{Restarts, Task, World};
use crate::story::{ALICE, JULIET, four, today_ms};

pub(crate) fn start_anew(world: &mut World, index: usize, group: &GroupId, suite: u16) -> String {
    let command = ReInitCommand { group: group.clone(), suite, settings: Settings::default() };
    world.command(index, Command::ReInit(command))
}

#[test]
fn a_group_goes_on_with_another_suite_and_everybody_in_it() {
    let (mut world, group) = four();
    world.say(3, &group, "before");
    world.run();
    let mut current = group.clone();
    for suite in [3, 2, 1] {
        let id = start_anew(&mut world, 0, &current, suite);
        world.run();
        let next = world.group_of(0, &id);
        assert_ne!(next, current);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        let groups = world.nodes[3].member.groups().unwrap();
        assert_eq!(groups.iter().map(|g| g.suite).collect::<Vec<_>>(), [suite]);
        for index in 0..4 {
            let text = format!("{index} in {suite}");
            // By the former group's name, as somebody would who has not seen what happened.
            world.say(index, &current, &text);
            world.run();
            world.assert_heard(&[0, 1, 2, 3], &text);
        }
        let told = |e: &Event| matches!(e, Event::StartedAnew(e) if e.successor == next);
        assert_eq!(world.count(3, told), 1);
        current = next;
    }
}

#[test]
fn a_new_start_survives_restarts_of_every_member() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = four();
        world.restarts = restarts;
        let id = start_anew(&mut world, 0, &group, 3);
        world.run();
        world.pass(120);
        let next = world.group_of(0, &id);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        for index in [1, 2, 3] {
            world.say(index, &next, &format!("well {index}"));
        }
        world.run();
        world.pass(60);
        for index in [1, 2, 3] {
            world.assert_heard(&[0, 1, 2, 3], &format!("well {index}"));
        }
    }
}

#[test]
fn nothing_said_around_a_new_start_is_lost_or_doubled() {
    for seed in 1..12 {
        let (mut world, group) = four();
        world.shuffled = Some(seed);
        world.doubled = seed % 2 == 0;
        for index in 0..4 {
            world.say(index, &group, &format!("first {index}"));
        }
        let id = start_anew(&mut world, 0, &group, 3);
        for index in 0..4 {
            world.say(index, &group, &format!("second {index}"));
        }
        world.run();
        world.pass(120);
        let next = world.group_of(0, &id);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        for index in 0..4 {
            world.assert_heard(&[0, 1, 2, 3], &format!("first {index}"));
            world.assert_heard(&[0, 1, 2, 3], &format!("second {index}"));
        }
    }
}

#[test]
fn who_was_away_follows_when_it_comes_back() {
    let (mut world, group) = four();
    world.nodes[3].away = true;
    world.say(2, &group, "you will read this");
    world.run();
    let id = start_anew(&mut world, 0, &group, 3);
    world.run();
    let next = world.group_of(0, &id);
    world.say(2, &next, "and this");
    world.run();
    world.come_back(3);
    world.run();
    world.pass(60);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    world.assert_heard(&[3], "you will read this");
    world.assert_heard(&[3], "and this");
}

#[test]
fn a_group_does_not_end_while_somebody_has_no_key_package_for_the_next() {
    let (mut world, group) = four();
    world.nodes[2].one_time.remove(&3);
    world.nodes[2].last_resort.remove(&3);
    let id = start_anew(&mut world, 0, &group, 3);
    world.run();
    let why = world.failure(0, &id);
    assert!(why.contains("bob") && why.contains("suite 3"), "{why}");
    world.say(2, &group, "we are still here");
    world.run();
    world.assert_heard(&[0, 1, 2, 3], "we are still here");
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn only_an_admin_starts_a_group_anew() {
    let (mut world, group) = four();
    let id = start_anew(&mut world, 2, &group, 3);
    world.run();
    assert!(world.failure(2, &id).contains("only an admin"));
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

/// A group that Alice's phone has ended and not started anew, for it is gone; Bob, node 2, is an admin too.
pub(crate) fn ended_by_a_device_that_vanished() -> (World, GroupId) {
    let (mut world, group) = four();
    end_and_vanish(&mut world, &group);
    (world, group)
}

fn end_and_vanish(world: &mut World, group: &GroupId) {
    let admins_add = vec![world.user(2)];
    let settings = Settings { admins_add, ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let done = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &done);
    start_anew(world, 0, group, 3);
    while world.step() {
        let ended = |e: &Event| matches!(e, Event::StartedAnew(_));
        if world.count(2, ended) > 0 {
            break;
        }
    }
    // Alice's phone dies with the ReInit accepted and the next group not handed over.
    let is_registration = |task: &Task| match task {
        Task::ToHub(hub::Input::Request(r)) => matches!(r.request, Request::RegisterSuccessor(_)),
        _ => false,
    };
    world.queue.retain(|task| !is_registration(task));
    world.nodes[0].away = true;
    world.run();
}

#[test]
fn another_admin_goes_on_where_the_first_vanished() {
    let (mut world, group) = ended_by_a_device_that_vanished();
    let id = start_anew(&mut world, 2, &group, 3);
    world.run();
    world.pass(60);
    let next = world.group_of(2, &id);
    world.come_back(0);
    world.run();
    world.pass(120);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    world.say(0, &next, "back again");
    world.run();
    world.assert_heard(&[1, 2, 3], "back again");
}

#[test]
fn who_lost_the_state_of_a_group_that_has_ended_is_told_that_it_cannot_start_it_anew() {
    for lost_first in [true, false] {
        let (mut world, group) = ended_by_a_device_that_vanished();
        let spaces = &["group_state", "epoch", "journal"];
        if lost_first {
            world.lose(2, spaces);
        }
        let id = start_anew(&mut world, 2, &group, 3);
        if !lost_first {
            // While the hub looks for key packages.
            world.lose(2, spaces);
        }
        world.run();
        world.pass(60);
        let why = world.failure(2, &id);
        assert!(why.contains("lost the state of the group"), "{why}");
    }
}

#[test]
fn what_waits_for_a_group_that_nobody_starts_anew_fails_after_an_hour() {
    let (mut world, group) = ended_by_a_device_that_vanished();
    let said = world.say(3, &group, "is anybody there");
    world.run();
    world.pass(3500);
    assert_eq!(world.result(3, &said), None);
    world.pass(200);
    assert!(world.failure(3, &said).contains("what follows did not come"));
}

#[test]
fn a_rejoin_that_meets_a_new_start_ends_and_holds_nothing_up() {
    for goes_on in [false, true] {
        let (mut world, group) = four();
        // Juliet hears nothing of her way back.
        world.tamper = Box::new(|index, input| {
            index != 3 || !matches!(input, Input::Answer(_, Ok(Answer::GroupInfo(_))))
        });
        let rejoin = world.command(3, Command::Rejoin(group.clone()));
        world.run();
        end_and_vanish(&mut world, &group);
        world.tamper = Box::new(|_, _| true);
        let said = world.say(3, &group, "is anybody there");
        world.run();
        if goes_on {
            start_anew(&mut world, 2, &group, 3);
            world.run();
        }
        world.pass(3700);
        for id in [rejoin, said] {
            match goes_on {
                true => world.assert_done(3, &id),
                false => assert!(world.failure(3, &id).contains("what follows did not come")),
            }
        }
    }
}

#[test]
fn who_is_put_out_between_the_end_and_the_new_start_is_removed_from_the_next() {
    let (mut world, group) = four();
    start_anew(&mut world, 0, &group, 3);
    let ended = |e: &Event| matches!(e, Event::StartedAnew(_));
    while world.count(3, ended) == 0 {
        assert!(world.step());
    }
    let rooms: Vec<_> = world.inside.keys().cloned().collect();
    let juliet = world.user(3);
    for room in rooms {
        world.leave_room(&room, &juliet);
    }
    world.run();
    world.pass(120);
    for index in [0, 1, 2] {
        let groups = world.nodes[index].member.groups().unwrap();
        assert_eq!(groups[0].members.len(), 3, "{index}");
    }
}

#[test]
fn a_group_out_of_whose_middle_somebody_was_removed_goes_on() {
    let (mut world, group) = four();
    let members = world.nodes[0].member.groups().unwrap().remove(0).members;
    let last = members.iter().max_by_key(|member| member.leaf_index).unwrap();
    let middle = if last.client == world.nodes[3].client { 2 } else { 3 };
    let remove = world.remove(0, &group, middle);
    world.run();
    world.assert_done(0, &remove);
    let id = start_anew(&mut world, 0, &group, 3);
    world.run();
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 5 - middle]);
}

#[test]
fn a_new_start_may_change_the_settings_and_everybody_goes_by_them() {
    let (mut world, group) = four();
    let settings =
        Settings { admins_add: vec![world.user(2)], open_join: Some(true), ..Settings::default() };
    let command = ReInitCommand { group: group.clone(), suite: 2, settings };
    let id = world.command(0, Command::ReInit(command));
    world.run();
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    let removed = world.remove(2, &next, 3);
    world.run();
    world.assert_done(2, &removed);
    world.assert_agree(&next, &[0, 1, 2]);
}

#[test]
fn a_new_start_after_which_nobody_could_make_the_next_group_is_refused_before_it_ends_anything() {
    let mut world = World::new_at(today_ms(), &[ALICE, JULIET, STRANGER]);
    let group = world.found(0);
    let juliet = world.user(1);
    let users = vec![juliet.clone(), world.user(2)];
    world.invite(0, &group, users);
    world.run();
    let none = Settings::default;
    let by_room = Settings { order: Some(Order::Room), ..none() };
    let alice = vec![world.user(0)];
    let hands_on = Settings { admins_add: vec![juliet], admins_remove: alice.clone(), ..none() };
    let nobody = Settings { admins_remove: alice, ..none() };
    let strict = Settings { basic_allowed: Some(false), ..none() };
    for (settings, why) in [
        (by_room, "cannot be changed"),
        (hands_on, "stays its admin"),
        (nobody, "stays its admin"),
        (strict, "certificate"),
    ] {
        let command = ReInitCommand { group: group.clone(), suite: 3, settings };
        let id = world.command(0, Command::ReInit(command));
        world.run();
        let said = world.failure(0, &id);
        assert!(said.contains(why), "{said}");
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn a_group_of_one_goes_on() {
    let mut world = World::new_at(today_ms(), &[ALICE]);
    let group = world.found(0);
    let id = start_anew(&mut world, 0, &group, 3);
    world.run();
    let next = world.group_of(0, &id);
    assert_ne!(next, group);
    world.assert_agree(&next, &[0]);
}

#[test]
fn who_leaves_what_follows_before_it_is_registered_leaves_it_then() {
    let mut world = World::new_at(today_ms(), &[ALICE]);
    let group = world.found(0);
    start_anew(&mut world, 0, &group, 3);
    let next = |world: &World| {
        let mut events = world.nodes[0].events.iter();
        events.find_map(|event| match event {
            Event::StartedAnew(anew) => Some(anew.successor.clone()),
            _ => None,
        })
    };
    while next(&world).is_none() {
        assert!(world.step());
    }
    let next = next(&world).unwrap();
    world.tamper = Box::new(|_, input| !matches!(input, Input::Answer(_, Ok(Answer::Receipt(_)))));
    let leave = world.command(0, Command::Leave(next.clone()));
    world.run();
    world.tamper = Box::new(|_, _| true);
    world.pass(120);
    world.assert_done(0, &leave);
    assert_eq!(world.epoch(0, &next), None);
    assert!(world.warnings(0).is_empty(), "{:?}", world.warnings(0));
}

#[test]
fn a_large_group_goes_on_with_everybody_at_once() {
    let mut world = World::new_at(today_ms(), &[ALICE]);
    let group = world.found(0);
    let mut users = Vec::new();
    for number in 0..60 {
        world.add(&format!("@member{number}:a.org"), "PHONE");
        users.push(world.user(world.nodes.len() - 1));
    }
    world.run();
    for some in users.chunks(30) {
        let invite = world.invite(0, &group, some.to_vec());
        world.run();
        world.assert_done(0, &invite);
    }
    let id = start_anew(&mut world, 0, &group, 1);
    world.run();
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &(0..61).collect::<Vec<_>>());
}
