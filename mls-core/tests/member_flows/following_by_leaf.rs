//! Who cannot follow a group to its ReInit, or to what follows that, and has a leaf there.

use mls_core::member::{Event, Input};
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, GroupId};

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
