//! What a hub, or whoever pretends to be it, refuses a device that comes back.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::limits::REJOIN_PAUSE_MS;
use mls_core::member::{Command, Event, Input};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Notice};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

#[test]
fn a_refusal_that_anybody_on_the_way_could_forge_costs_no_group() {
    for refusal in [Refusal::NotAllowed("no".to_owned()), Refusal::UnknownGroup] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        world.tamper = Box::new(move |index, input| match input {
            Input::Answer(_, answer @ Ok(Answer::Handshakes(_) | Answer::GroupInfo(_))) => {
                *answer = Err(refusal.clone());
                true
            }
            Input::Notice(Notice::Handshake(h)) => index != 2 || h.seq % 2 == 0,
            _ => true,
        });
        for _ in 0..3 {
            world.command(0, Command::Rotate(group.clone()));
            world.run();
        }
        world.pass(60);
        assert_eq!(world.count(2, |e| matches!(e, Event::Removed(_))), 0);
        let told = |text: &&String| text.contains("does not tell how the group goes on");
        assert_eq!(world.warnings(2).iter().filter(told).count(), 1, "{:?}", world.warnings(2));
        world.tamper = Box::new(|_, _| true);
        world.give(2, Input::Connected);
        world.say(0, &group, "welcome back");
        world.run();
        world.pass(60);
        world.assert_agree(&group, &[0, 1, 2]);
        assert_eq!(world.heard(2).len(), 1, "{:?}", world.warnings(2));
    }
}

#[test]
fn who_is_refused_the_way_back_is_told_once_and_asks_now_and_then_only() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let refused = Rc::new(Cell::new(0_u64));
    let count = refused.clone();
    world.tamper = Box::new(move |index, input| {
        match input {
            Input::Answer(_, answer @ Ok(Answer::Handshakes(_))) => *answer = Err(Refusal::Gone),
            Input::Answer(_, answer @ Ok(Answer::GroupInfo(_))) => {
                *answer = Err(Refusal::NotAllowed("it has ended".to_owned()));
                count.set(count.get() + 1);
            }
            Input::Notice(Notice::Handshake(h)) => return index != 2 || h.seq % 2 == 0,
            _ => {}
        }
        true
    });
    let (rounds, minutes) = (60, 2);
    for _ in 0..rounds {
        world.command(0, Command::Rotate(group.clone()));
        world.run();
        world.pass(minutes * 60);
    }
    let told = |text: &&String| text.contains("no way back into the group");
    assert_eq!(world.warnings(2).iter().filter(told).count(), 1, "{:?}", world.warnings(2));
    let most = rounds * minutes * 60_000 / REJOIN_PAUSE_MS + 1;
    assert!((2..=most).contains(&refused.get()), "{} times", refused.get());
    world.tamper = Box::new(|_, _| true);
    world.pass(REJOIN_PAUSE_MS / 1000);
    world.say(0, &group, "welcome back");
    world.run();
    world.pass(60);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(2).len(), 1, "{:?}", world.warnings(2));
}

#[test]
fn no_command_waits_where_the_hub_has_forgotten_what_is_missing_and_shows_no_way_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Answer(_, answer)) = (index, &mut *input) {
            match answer {
                Ok(Answer::Handshakes(_)) => *answer = Err(Refusal::Gone),
                Ok(Answer::GroupInfo(_)) => *answer = Err(Refusal::NotAllowed(String::new())),
                _ => {}
            }
        }
        index != 1 || !matches!(input, Input::Notice(Notice::Handshake(_)))
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let id = world.command(1, Command::Rotate(group));
    world.pass(6 * REJOIN_PAUSE_MS / 1000);
    assert!(world.failure(1, &id).contains("no way back"), "{}", world.failure(1, &id));
}

#[test]
fn no_command_waits_for_a_way_back_that_is_refused_again_and_again() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Answer(_, answer @ Ok(Answer::GroupInfo(_)))) = (index, input) {
            *answer = Err(Refusal::Invalid("its leaf may not come in".to_owned()));
        }
        true
    });
    world.lose(1, &["group_state", "epoch", "journal"]);
    for _ in 0..2 {
        let ids =
            [world.say(1, &group, "is this me?"), world.command(1, Command::Rotate(group.clone()))];
        world.pass(3 * REJOIN_PAUSE_MS / 1000);
        ids.iter()
            .for_each(|id| assert!(world.failure(1, id).contains("its leaf may not come in")));
        let told = |event: &Event| matches!(event, Event::Alarm(_));
        assert_eq!(world.count(1, told), 1, "{:?}", world.warnings(1));
    }
    world.tamper = Box::new(|_, _| true);
    world.pass(REJOIN_PAUSE_MS / 1000 + 10);
    world.assert_agree(&group, &[0, 1, 2]);
}
