//! Who cannot follow a group to its ReInit, or to what follows that, and has a leaf there.

use mls_core::group_settings::Settings;
use mls_core::limits::HOUSEKEEPING_MS;
use mls_core::member::{Command, Event, Input, SettingsCommand};
use mls_core::policy::PAST_EPOCH_KEEP_MS;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, GroupId, Request};

use crate::network::World;
use crate::starting_anew::start_anew;
use crate::story::{ALICE, BOB, four, today_ms};

#[test]
fn who_lost_the_state_of_a_group_that_has_ended_comes_into_what_follows_by_its_leaf() {
    let (mut world, group) = four();
    let id = start_anew(&mut world, 0, &group, 3);
    let ended = |e: &Event| matches!(e, Event::StartedAnew(_));
    while world.count(3, ended) == 0 {
        assert!(world.step());
    }
    world.lose(3, &["group_state", "epoch", "journal"]);
    world.run();
    world.pass(120);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 2, 3]);
}

/// Bob's device is added to a group that is started anew before it has come into it.
fn added_before_the_end(keeps: fn(&Welcome) -> bool) -> (World, GroupId) {
    let mut world = World::new_at(today_ms(), &[ALICE, BOB]);
    let group = world.found(0);
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Answer(_, Ok(Answer::Welcomes(welcomes)))) = (index, input) {
            welcomes.welcomes.retain(keeps);
        }
        true
    });
    let bob = world.user(1);
    world.invite(0, &group, vec![bob]);
    world.run();
    let rooms = world.nodes[0].member.groups().unwrap().remove(0).rooms;
    let room = rooms.iter().find(|room| room.network == world.user(1).network()).unwrap();
    world.join_room(1, room);
    world.give(1, Input::RoomJoined(room.clone()));
    world.run();
    let id = start_anew(&mut world, 0, &group, 3);
    world.run();
    world.tamper = Box::new(|_, _| true);
    let next = world.group_of(0, &id);
    (world, next)
}

#[test]
fn who_is_welcomed_into_what_follows_a_group_that_it_never_came_into_comes_in_by_its_leaf() {
    let (mut world, next) = added_before_the_end(|welcome| welcome.resumes.is_some());
    world.pass(120);
    world.assert_agree(&next, &[0, 1]);
    assert_eq!(world.count(1, |event| matches!(event, Event::Warning(_))), 0);
}

#[test]
fn who_is_welcomed_into_a_group_and_into_what_follows_it_comes_into_both() {
    let (mut world, next) = added_before_the_end(|_| false);
    world.come_back(1);
    world.run();
    world.pass(120);
    world.assert_agree(&next, &[0, 1]);
    assert_eq!(world.count(1, |event| matches!(event, Event::Warning(_))), 0);
    assert_eq!(world.count(1, |event| matches!(event, Event::StartedAnew(_))), 1);
}

#[test]
fn who_made_what_follows_too_late_and_hears_nothing_for_days_comes_into_that_of_another() {
    let (mut world, group) = four();
    let settings = Settings { admins_add: vec![world.user(2)], ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    world.command(0, Command::ChangeSettings(command));
    world.run();
    let id = start_anew(&mut world, 0, &group, 3);
    start_anew(&mut world, 2, &group, 3);
    // Both have made the next group before the hub has heard of either.
    let mut held = Vec::new();
    while held.len() < 2 {
        let registers = |request: &Request| matches!(request, Request::RegisterSuccessor(_));
        match world.queue.iter().position(|task| task.asks(registers)) {
            Some(place) => held.extend(world.queue.remove(place)),
            None => assert!(world.step()),
        }
    }
    world.tamper = Box::new(|index, input| {
        index != 2 || !matches!(input, Input::Answer(_, Err(_) | Ok(Answer::Welcomes(_))))
    });
    world.queue.extend(held.drain(..1));
    world.run();
    let next = world.group_of(0, &id);
    world.now_ms += PAST_EPOCH_KEEP_MS;
    world.pass(HOUSEKEEPING_MS / 1000 + 60);
    world.tamper = Box::new(|_, _| true);
    world.give(2, Input::Connected);
    world.run();
    world.pass(120);
    world.assert_agree(&next, &[0, 1, 2, 3]);
}
