//! Restarts at every point, and a network that doubles, reorders and loses.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::limits::{DAY_MS, LOOK_FOR_NEWEST_MS};
use mls_core::member::{Command, Input};
use mls_core::wire::fetch_handshakes::Handshakes;
use mls_core::wire::{Answer, GroupId, Notice};

use crate::network::{Restarts, World};
use crate::story::{ALICE, ALICE_LAPTOP, BOB, JULIET, ROMEO};

/// Everything that a group does, with somebody who comes and somebody who goes.
fn live(mut world: World) {
    let group = world.found(0);
    world.invite_all(0, &group);
    world.pass(2);
    let mut commands = Vec::new();
    for index in 0..4 {
        commands.push((index, world.say(index, &group, "one")));
        commands.push((index, world.say(index, &group, "two")));
    }
    commands.push((1, world.command(1, Command::Rotate(group.clone()))));
    world.run();
    world.pass(90);
    commands.push((0, world.remove(0, &group, 3)));
    commands.push((2, world.say(2, &group, "three")));
    world.run();
    world.pass(90);
    for (index, id) in &commands {
        world.assert_done(*index, id);
    }
    world.assert_agree(&group, &[0, 1, 2]);
    for index in 0..3 {
        let mut heard = world.heard(index);
        heard.sort();
        assert_eq!(heard.len(), 9, "{index} heard {heard:?}, {:?}", world.warnings(index));
        heard.dedup();
        assert_eq!(heard.len(), 9, "{index} heard twice: {heard:?}");
        assert_eq!(world.warnings(index), Vec::<String>::new());
    }
}

fn world() -> World {
    World::new(&[ALICE, BOB, JULIET, ROMEO])
}

#[test]
fn a_restart_of_every_member_before_every_input_changes_nothing() {
    let mut world = world();
    world.restarts = Restarts::BeforeEveryInput;
    live(world);
}

#[test]
fn outputs_that_are_lost_after_every_input_are_given_again() {
    let mut world = world();
    world.restarts = Restarts::AfterEveryInput;
    live(world);
}

#[test]
fn notices_and_messages_that_come_twice_count_once() {
    let mut world = world();
    world.doubled = true;
    live(world);
}

#[test]
fn any_order_of_arrival_ends_in_the_same_group() {
    for seed in 0..12 {
        let mut world = world();
        let group = world.found(0);
        world.invite_all(0, &group);
        world.pass(2);
        world.shuffled = Some(seed);
        world.doubled = seed % 2 == 0;
        let mut commands = Vec::new();
        for index in 0..4 {
            commands.push((index, world.say(index, &group, "one")));
            commands.push((index, world.command(index, Command::Rotate(group.clone()))));
            commands.push((index, world.say(index, &group, "two")));
        }
        world.run();
        world.pass(120);
        for (index, id) in &commands {
            world.assert_done(*index, id);
        }
        world.assert_agree(&group, &[0, 1, 2, 3]);
        for index in 0..4 {
            let heard = world.heard(index).len();
            assert_eq!(heard, 8, "seed {seed}: {index} {:?}", world.warnings(index));
        }
    }
}

#[test]
fn a_handshake_in_three_that_is_lost_is_fetched() {
    let mut world = world();
    let mut count = 0;
    world.tamper = Box::new(move |_, input| {
        let handshake = matches!(input, Input::Notice(Notice::Handshake(_)));
        count += usize::from(handshake);
        !handshake || count % 3 != 0
    });
    let group = world.found(0);
    world.invite_all(0, &group);
    let mut commands = Vec::new();
    for round in 0..6 {
        let index = round % 4;
        commands.push((index, world.command(index, Command::Rotate(group.clone()))));
        commands.push((index, world.say(index, &group, &format!("round {round}"))));
        world.run();
        world.pass(40);
    }
    world.pass(60);
    for (index, id) in &commands {
        world.assert_done(*index, id);
    }
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn requests_and_answers_that_are_lost_are_repeated() {
    let mut world = World::new(&[ALICE, ALICE_LAPTOP, JULIET]);
    let mut count = 0;
    world.tamper = Box::new(move |_, input| {
        let answer = matches!(input, Input::Answer(..));
        count += usize::from(answer);
        !answer || count % 2 != 0
    });
    let rooms = mls_core::wire::create_room::CreateRoom {
        matrix: true,
        xmpp: true,
        name: "Verona".to_owned(),
    };
    let id = world.command(0, Command::CreateGroup(rooms));
    world.run();
    world.pass(120);
    world.assert_done(0, &id);
    let group = world.nodes[0].member.groups().unwrap()[0].group.clone();
    let juliet = world.user(2);
    let id = world.invite(0, &group, vec![juliet]);
    world.run();
    world.pass(200);
    world.assert_done(0, &id);
    world.assert_agree(&group, &[0, 2]);
}

#[test]
fn no_generation_is_used_twice_whenever_the_process_is_killed() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    world.say(1, &group, "warm up");
    world.run();
    // More than one snapshot's worth, killed after every message.
    for number in 0..150 {
        world.restart(1);
        let id = world.say(1, &group, &format!("{number}"));
        world.run();
        world.assert_done(1, &id);
    }
    // A second use of a generation could not be decrypted: its key is gone after the first.
    assert_eq!(world.heard(0).len(), 151, "{:?}", world.warnings(0));
    assert_eq!(world.warnings(0), Vec::<String>::new());
}

#[test]
fn a_restarted_hub_goes_on_where_it_was() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    for index in 0..3 {
        world.restart_hub();
        world.command(index, Command::Rotate(group.clone()));
        world.say(index, &group, "still here");
        world.run();
    }
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(0).len(), 3);
}

#[test]
fn handshakes_that_overtake_each_other_wait_for_their_turn() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = kept.clone();
    world.tamper = Box::new(move |index, input| {
        let late = index == 2 && matches!(input, Input::Notice(_));
        if late {
            keep.borrow_mut().push(input.clone());
        }
        !late
    });
    for _ in 0..3 {
        world.command(0, Command::Rotate(group.clone()));
        world.run();
    }
    // Nothing can be fetched now: only what was kept can fill the gap.
    world.tamper = Box::new(|_, input| !matches!(input, Input::Answer(..)));
    for notice in kept.take().into_iter().rev() {
        world.give(2, notice);
    }
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_handshake_that_nobody_delivered_is_found_when_the_device_connects() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        index != 2 || !matches!(input, Input::Notice(Notice::Handshake(_)))
    });
    world.remove(0, &group, 1);
    world.run();
    assert_ne!(world.epoch(2, &group), world.epoch(0, &group));
    world.now_ms += LOOK_FOR_NEWEST_MS;
    world.give(2, Input::Connected);
    world.run();
    world.assert_agree(&group, &[0, 2]);
}

/// Juliet hears what is said in an epoch to come, and not how the group came to it; then she sleeps for three days.
fn asleep_before_an_epoch() -> (World, GroupId) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        index != 2 || !matches!(input, Input::Notice(_) | Input::Answer(..))
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.say(0, &group, "said before she slept");
    world.run();
    world.nodes[2].away = true;
    world.now_ms += 3 * DAY_MS;
    (world, group)
}

#[test]
fn what_waited_for_its_epoch_while_the_device_slept_for_days_is_read_when_it_is_back() {
    let (mut world, group) = asleep_before_an_epoch();
    world.tamper = Box::new(|_, _| true);
    world.come_back(2);
    world.give(2, Input::Tick);
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
    world.assert_heard(&[2], "said before she slept");
    assert_eq!(world.warnings(2), Vec::<String>::new());
}

#[test]
fn what_waited_for_an_epoch_of_which_the_hub_says_nothing_is_told_of_after_a_day() {
    let (mut world, _group) = asleep_before_an_epoch();
    world.tamper = Box::new(|index, input| match input {
        Input::Answer(_, Ok(Answer::Handshakes(answer))) if index == 2 => {
            *answer = Handshakes { handshakes: Vec::new(), last_seq: 0 };
            true
        }
        Input::Notice(_) => index != 2,
        _ => true,
    });
    world.come_back(2);
    world.pass(2);
    assert_eq!(world.warnings(2), ["the handshakes before it did not come within a day"]);
}

#[test]
fn a_gap_that_shows_while_the_hub_is_being_asked_is_asked_for_after_its_answer() {
    let (mut world, group) = World::group_with(&[ALICE, BOB], &[1]);
    let held = Rc::new(RefCell::new(None));
    let (kept, mut lost) = (Rc::clone(&held), false);
    world.tamper = Box::new(move |index, input| match (index, input) {
        (1, input @ Input::Answer(_, Ok(Answer::Handshakes(_)))) if kept.borrow().is_none() => {
            *kept.borrow_mut() = Some(input.clone());
            false
        }
        (1, Input::Notice(Notice::Handshake(_))) => std::mem::replace(&mut lost, true),
        _ => true,
    });
    world.give(1, Input::Connected);
    world.run();
    for _ in 0..2 {
        world.command(0, Command::Rotate(group.clone()));
        world.run();
    }
    assert!(world.epoch(1, &group) < world.epoch(0, &group));
    let answer = held.take().expect("it asked");
    world.tamper = Box::new(|_, _| true);
    world.give(1, answer);
    world.run();
    assert_eq!(world.epoch(1, &group), world.epoch(0, &group));
}
