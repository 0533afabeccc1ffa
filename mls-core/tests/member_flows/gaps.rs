//! Messages that do not come: noticed by what comes after them, told, and taken back.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::member::{Alarm, AlarmEvent, Command, Event, Input, ReceivedMessage};
use mls_core::wire::GroupId;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// What people were told is missing, by member.
fn missing(world: &World, index: usize) -> Vec<u32> {
    let count = |event: &Event| match event {
        Event::Alarm(AlarmEvent { alarm: Alarm::MessagesMissing(missing), .. }) => {
            assert_eq!(missing.sender, world.nodes[0].client);
            Some(missing.count)
        }
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(count).collect()
}

/// A group in an epoch that all saw begin.
fn group() -> (World, GroupId) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    (world, group)
}

/// Alice says something that does not reach Bob for now.
fn held_back(world: &mut World, group: &GroupId, count: usize) -> Vec<ReceivedMessage> {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = kept.clone();
    world.tamper = Box::new(move |index, input| match input {
        Input::Message(message) if index == 1 => {
            keep.borrow_mut().push(message.clone());
            false
        }
        _ => true,
    });
    for number in 0..count {
        world.say(0, group, &format!("held {number}"));
        world.run();
    }
    world.tamper = Box::new(|_, _| true);
    kept.take()
}

#[test]
fn a_gap_that_lasts_is_told_and_taken_back_as_messages_come_late() {
    let (mut world, group) = group();
    world.say(0, &group, "first");
    world.run();
    let held = held_back(&mut world, &group, 3);
    world.say(0, &group, "after");
    world.run();
    world.pass(50);
    assert_eq!(missing(&world, 1), Vec::<u32>::new(), "told too early");
    world.pass(15);
    assert_eq!(missing(&world, 1), [3]);
    world.give(1, Input::Message(held[1].clone()));
    world.run();
    assert_eq!(missing(&world, 1), [3, 2]);
    for message in [&held[0], &held[2]] {
        world.give(1, Input::Message(message.clone()));
    }
    world.run();
    assert_eq!(missing(&world, 1), [3, 2, 1, 0]);
    assert_eq!(missing(&world, 2), Vec::<u32>::new());
}

#[test]
fn the_first_message_of_an_epoch_is_missed_too() {
    let (mut world, group) = group();
    held_back(&mut world, &group, 1);
    world.say(0, &group, "after");
    world.run();
    world.pass(65);
    assert_eq!(missing(&world, 1), [1]);
}

#[test]
fn what_a_crash_skips_is_explained_by_the_sender() {
    let (mut world, group) = group();
    for number in 0..20 {
        world.say(0, &group, &number.to_string());
        world.run();
    }
    world.restart(0);
    world.say(0, &group, "again");
    world.run();
    world.pass(70);
    assert_eq!((missing(&world, 1), missing(&world, 2)), (vec![], vec![]));
    // And what is held back after the crash is still missed.
    held_back(&mut world, &group, 2);
    world.say(0, &group, "after");
    world.run();
    world.pass(65);
    assert_eq!(missing(&world, 1), [2]);
}

#[test]
fn late_messages_within_a_minute_and_other_orders_are_not_told() {
    let (mut world, group) = group();
    let held = held_back(&mut world, &group, 4);
    for message in held.iter().rev() {
        world.give(1, Input::Message(message.clone()));
        world.run();
        world.pass(5);
    }
    world.pass(70);
    assert_eq!(missing(&world, 1), Vec::<u32>::new());
    assert_eq!(world.heard(1).len(), 4);
}

#[test]
fn who_was_restarted_or_joined_just_now_misses_nothing_from_before() {
    let (mut world, group) = group();
    held_back(&mut world, &group, 2);
    world.restart(1);
    world.say(0, &group, "after");
    world.run();
    world.pass(70);
    assert_eq!(missing(&world, 1), Vec::<u32>::new());
}
