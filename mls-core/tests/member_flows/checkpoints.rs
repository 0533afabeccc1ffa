//! Checkpoints: who says them when, what a fork shows by them, and what forged ones cannot do.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::address::Network;
use mls_core::checkpoint::{Checkpoint, CheckpointBytes};
use mls_core::evidence::Evidence;
use mls_core::hub;
use mls_core::member::{Alarm, AlarmEvent, Command, Event, Input};
use mls_core::wire::{Answer, GroupId, Notice, Request};
use mls_rs_core::crypto::SignaturePublicKey;

use crate::evidence::{race, told};
use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const HOUR_MS: u64 = 3600 * 1000;

type Seen = Rc<RefCell<Vec<(usize, Option<CheckpointBytes>)>>>;

/// What comes beside messages, by member; `change` may alter it first.
fn watch(world: &mut World, change: fn(usize, &mut Option<CheckpointBytes>)) -> Seen {
    let seen = Seen::default();
    let keep = seen.clone();
    world.tamper = Box::new(move |index, input| {
        if let Input::Message(message) = input {
            change(index, &mut message.checkpoint);
            keep.borrow_mut().push((index, message.checkpoint.clone()));
        }
        true
    });
    seen
}

fn alarms(world: &World, index: usize) -> Vec<Alarm> {
    let alarm = |event: &Event| match event {
        Event::Alarm(AlarmEvent { alarm, .. }) => Some(alarm.clone()),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(alarm).collect()
}

fn say(world: &mut World, index: usize, group: &GroupId, text: &str) {
    let id = world.say(index, group, text);
    world.run();
    world.assert_done(index, &id);
}

/// Of each of the last messages that a member got, whether a checkpoint came beside it.
fn beside(seen: &Seen, index: usize) -> Vec<bool> {
    seen.borrow().iter().filter(|(i, _)| *i == index).map(|(_, c)| c.is_some()).collect()
}

#[test]
fn the_first_message_of_an_epoch_has_one_beside_it_on_both_networks() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let seen = watch(&mut world, |_, _| ());
    say(&mut world, 0, &group, "first");
    say(&mut world, 0, &group, "second");
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    say(&mut world, 0, &group, "first of the next");
    world.restart(0);
    say(&mut world, 0, &group, "after a restart");
    say(&mut world, 0, &group, "and on");
    world.now_ms += 7 * HOUR_MS;
    say(&mut world, 0, &group, "much later");
    for index in [1, 2] {
        assert_eq!(beside(&seen, index), [true, false, true, true, false, true], "{index}");
    }
    let of = |index: usize| -> Vec<_> {
        seen.borrow().iter().filter(|(i, _)| *i == index).map(|(_, c)| c.clone()).collect()
    };
    assert_eq!(of(1), of(2), "the hub changed what it passes on");
    let first = Checkpoint::from_bytes(&of(2)[0].as_ref().unwrap().0).unwrap();
    assert_eq!((first.tbs.group, first.tbs.generation, first.tbs.skipped), (group, 0, 0));
    assert_eq!(world.heard(2).len(), 6);
    for index in [0, 1, 2] {
        assert_eq!((alarms(&world, index), world.warnings(index)), (vec![], vec![]));
    }
}

#[test]
fn a_fork_shows_by_a_checkpoint_and_moves_nobody() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    // Juliet follows the story of a second hub, and is told nothing else for now.
    let truth = Rc::new(RefCell::new(true));
    let held = truth.clone();
    world.tamper = Box::new(move |index, input| match input {
        Input::Notice(Notice::Handshake(_)) | Input::Answer(_, Ok(Answer::Handshakes(_))) => {
            index != 2 || !*held.borrow()
        }
        _ => true,
    });
    let lie = race(&mut world, &group);
    *truth.borrow_mut() = false;
    world.give(2, Input::Notice(Notice::Handshake(lie)));
    world.run();
    assert_eq!(world.epoch(2, &group), world.epoch(0, &group), "the lie was not followed");
    *truth.borrow_mut() = true;
    world.hub_inputs.clear();
    say(&mut world, 0, &group, "one");
    say(&mut world, 0, &group, "two");
    assert_eq!(world.heard(2), Vec::<String>::new(), "the states are not forked");
    let alarms = alarms(&world, 2);
    let [Alarm::OtherState(seen)] = alarms.as_slice() else { panic!("{alarms:?}") };
    assert_eq!(seen.client, world.nodes[0].client);
    let kept = world.nodes[2].member.evidence(&group).unwrap();
    let read = Evidence::from_bytes(&kept[0]).unwrap();
    read.verify(&SignaturePublicKey::from(Vec::new())).unwrap();
    let Evidence::Checkpoint(other) = read else { panic!("{read:?}") };
    assert_eq!(other.signature_key, world.nodes[0].member.signature_key());
    // It asked the hub once, whose true answer then proves the lie; nothing else follows.
    assert_eq!(asked(&world, 2, |r| matches!(r, Request::FetchHandshakes(_))), 1);
    *truth.borrow_mut() = false;
    world.restart(2);
    world.pass(20);
    assert!(!told(&world, 2).is_empty());
    assert_eq!(asked(&world, 2, |r| matches!(r, Request::FetchGroupInfo(_))), 0);
    assert_eq!(world.heard(2), Vec::<String>::new());
}

fn asked(world: &World, index: usize, what: fn(&Request) -> bool) -> usize {
    let from = world.user(index);
    let mut ids: Vec<_> = world
        .hub_inputs
        .iter()
        .filter_map(|input| match input {
            hub::Input::Request(r) if r.from == from && what(&r.request) => Some(r.id.clone()),
            _ => None,
        })
        .collect();
    ids.dedup();
    ids.len()
}

#[test]
fn a_forged_checkpoint_is_ignored_and_its_message_read() {
    let flip = |index, checkpoint: &mut Option<CheckpointBytes>| match checkpoint {
        Some(CheckpointBytes(bytes)) if index == 2 => *bytes.last_mut().unwrap() ^= 1,
        _ => {}
    };
    let replace = |index, checkpoint: &mut Option<CheckpointBytes>| {
        if index == 2 {
            *checkpoint = Some(CheckpointBytes(vec![7; 100]));
        }
    };
    let resign = |index, checkpoint: &mut Option<CheckpointBytes>| {
        let Some(CheckpointBytes(bytes)) = checkpoint.as_mut().filter(|_| index == 2) else {
            return;
        };
        let suite = mls_core::policy::CIPHER_SUITES[0];
        let (key, _) = mls_core::crypto::Crypto::system().generate_signature_key(suite).unwrap();
        let mut tbs = Checkpoint::from_bytes(bytes).unwrap().tbs;
        tbs.authenticator.0[0] ^= 1;
        *bytes = tbs.sign(suite, &key).unwrap().to_bytes().unwrap();
    };
    for forge in [flip, replace, resign] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        watch(&mut world, forge);
        world.hub_inputs.clear();
        for text in ["one", "two"] {
            say(&mut world, 0, &group, text);
            world.command(1, Command::Rotate(group.clone()));
            world.run();
        }
        assert_eq!(world.heard(2), ["PHONE: one", "PHONE: two"]);
        assert_eq!(alarms(&world, 2), []);
        let warnings = world.warnings(2);
        assert!(warnings.len() == 1 && warnings[0].contains("nobody in the group"), "{warnings:?}");
        assert_eq!(asked(&world, 2, |_| true), 0);
        assert!(world.nodes[2].member.evidence(&group).unwrap().is_empty());
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn a_day_without_a_checkpoint_from_the_other_network_is_told_once() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    watch(&mut world, |index, checkpoint| {
        if index == 2 {
            *checkpoint = None;
        }
    });
    for hour in 0..27 {
        say(&mut world, 0, &group, &format!("{hour}"));
        say(&mut world, 2, &group, &format!("{hour}"));
        world.now_ms += HOUR_MS;
    }
    assert_eq!(alarms(&world, 2), [Alarm::NoCheckpoints(Network::Matrix)]);
    for index in [0, 1] {
        assert_eq!(alarms(&world, index), []);
    }
}

#[test]
fn a_long_silence_is_no_missing_checkpoint() {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    say(&mut world, 0, &group, "now");
    world.now_ms += 30 * HOUR_MS;
    say(&mut world, 0, &group, "and a day later");
    assert_eq!(alarms(&world, 1), []);
    assert_eq!(world.heard(1).len(), 2);
}

#[test]
fn a_checkpoint_of_a_past_epoch_whose_signer_moved_to_another_leaf_warns_nobody() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let late: Rc<RefCell<Vec<Input>>> = Rc::default();
    let keep = late.clone();
    world.tamper = Box::new(move |index, input| {
        let held = index == 1 && matches!(input, Input::Message(_));
        if held {
            keep.borrow_mut().push(input.clone());
        }
        !held
    });
    say(&mut world, 2, &group, "late");
    for (index, command) in
        [(0, Command::Leave(group.clone())), (2, Command::Rejoin(group.clone()))]
    {
        let id = world.command(index, command);
        world.run();
        world.assert_done(index, &id);
    }
    world.tamper = Box::new(|_, _| true);
    for message in late.take() {
        world.give(1, message);
    }
    world.run();
    let warnings = world.warnings(1);
    assert!(!warnings.iter().any(|warning| warning.contains("checkpoint")), "{warnings:?}");
}
