//! The steps back after a commit that cannot be processed, and that nothing forged takes them.

use mls_core::hub;
use mls_core::limits::REJOIN_PAUSE_MS;
use mls_core::member::{Alarm, AlarmEvent, Command, Event, Input};
use mls_core::store::{Store, Write};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use crate::attacks::damage_commits;
use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

fn asked(world: &World, what: fn(&Request) -> bool) -> usize {
    let asks = |input: &&hub::Input| matches!(input, hub::Input::Request(r) if what(&r.request));
    world.hub_inputs.iter().filter(asks).count()
}

fn info(request: &Request) -> bool {
    matches!(request, Request::FetchGroupInfo(_))
}

fn to_be_added_again(world: &World, index: usize) -> usize {
    let wanted = |event: &Event| {
        matches!(event, Event::Alarm(AlarmEvent { alarm: Alarm::ReAddNeeded(_), .. }))
    };
    world.count(index, wanted)
}

fn rotate(world: &mut World, index: usize, group: &GroupId) {
    let id = world.command(index, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(index, &id);
}

/// The stored state of the only group of a member.
fn stored(world: &World, index: usize, space: &'static str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = world.nodes[index].store.scan(space, &[], &[], 100).unwrap();
    rows.into_iter().map(|(key, value)| (key, value.to_vec())).collect()
}

fn put(world: &World, index: usize, (key, value): &(Vec<u8>, Vec<u8>)) {
    let (key, value) = (key.clone(), value.clone().into());
    world.nodes[index].store.apply(&[Write::Put { space: "group_state", key, value }]);
}

#[test]
fn a_state_that_fell_back_is_brought_up_from_the_one_before_the_last_commit() {
    for committer in [0, 1] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        let old = stored(&world, 1, "group_state").remove(0);
        rotate(&mut world, 0, &group);
        rotate(&mut world, 0, &group);
        rotate(&mut world, committer, &group);
        world.say(2, &group, "before");
        world.run();
        // A part of the database comes from an old copy.
        put(&world, 1, &old);
        world.restart(1);
        world.hub_inputs.clear();
        rotate(&mut world, 2, &group);
        world.pass(5);
        world.assert_agree(&group, &[0, 1, 2]);
        assert_eq!(asked(&world, info), 0, "{committer}: it came back by an external commit");
        assert_eq!(asked(&world, |r| matches!(r, Request::ReportInvalid(_))), 0);
        world.say(1, &group, "I am here");
        world.say(2, &group, "so am I");
        world.run();
        assert!(world.heard(0).contains(&"DESK: I am here".to_owned()));
        assert!(world.heard(1).contains(&"0011223344556677: so am I".to_owned()));
        world.restart(1);
        rotate(&mut world, 0, &group);
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn the_state_before_the_last_commit_goes_with_the_last_past_epoch() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    rotate(&mut world, 0, &group);
    rotate(&mut world, 0, &group);
    assert_eq!(stored(&world, 1, "previous_state").len(), 1);
    world.now_ms += 49 * 3600 * 1000;
    world.pass(61);
    assert!(stored(&world, 1, "previous_state").is_empty());
    rotate(&mut world, 0, &group);
    let id = world.remove(0, &group, 1);
    world.run();
    world.assert_done(0, &id);
    let left = stored(&world, 1, "previous_state").len();
    assert_eq!(left, 0, "secrets of a group that we are not in");
}

#[test]
fn who_cannot_process_a_commit_comes_back_by_itself() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    damage_commits(&mut world, 1);
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.hub_tamper = Box::new(|_| ());
    assert_eq!(world.epoch(0, &group), Some(1));
    world.pass(60);
    let waiting = world.say(2, &group, "we go on");
    world.run();
    world.pass(60);
    world.assert_done(2, &waiting);
    assert_eq!(world.epoch(0, &group), world.epoch(2, &group));
    assert!(world.heard(0).contains(&"0011223344556677: we go on".to_owned()));
    assert_eq!((to_be_added_again(&world, 0), to_be_added_again(&world, 2)), (0, 0));
}

#[test]
fn whose_command_to_come_back_failed_comes_back_by_itself_later() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    damage_commits(&mut world, 1);
    world.command(1, Command::Rotate(group.clone()));
    world.tamper = Box::new(|index, input| {
        if let (2, Input::Answer(_, Ok(Answer::GroupInfo(info)))) = (index, input) {
            info.group_info = vec![7; 100].into();
        }
        true
    });
    world.run();
    world.hub_tamper = Box::new(|_| ());
    let back = world.command(2, Command::Rejoin(group.clone()));
    let waiting = world.say(2, &group, "we go on");
    world.run();
    assert!(world.failure(2, &back).contains("no way back"));
    world.tamper = Box::new(|_, _| true);
    world.pass(REJOIN_PAUSE_MS / 1000 + 60);
    world.assert_done(2, &waiting);
    world.assert_agree(&group, &[0, 1, 2]);
}

/// Bob's commit brings a fresh key of his, and nobody can process it.
fn with_a_key_that_nobody_could_follow() -> (World, GroupId) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    damage_commits(&mut world, 1);
    world.command(1, Command::ChangeKey(group.clone()));
    world.run();
    world.hub_tamper = Box::new(|_| ());
    (world, group)
}

#[test]
fn who_comes_back_sees_by_the_handshakes_that_others_have_new_keys() {
    let (mut world, group) = with_a_key_that_nobody_could_follow();
    world.pass(60);
    rotate(&mut world, 0, &group);
    world.assert_agree(&group, &[0, 1, 2]);
    for index in [0, 2] {
        let warnings = world.warnings(index);
        assert!(!warnings.iter().any(|w| w.contains("other keys than before")), "{warnings:?}");
    }
}

#[test]
fn a_hub_that_does_not_show_how_keys_became_others_is_not_believed() {
    let (mut world, group) = with_a_key_that_nobody_could_follow();
    // The first handshake is left out, and the rest shows nothing.
    world.tamper = Box::new(|_, input| {
        if let Input::Answer(_, Ok(Answer::Handshakes(answer))) = input
            && !answer.handshakes.is_empty()
        {
            answer.handshakes.remove(0);
        }
        true
    });
    world.pass(60);
    for index in [0, 2] {
        let warnings = world.warnings(index);
        assert!(warnings.iter().any(|w| w.contains("other keys than before")), "{warnings:?}");
        assert_eq!(world.epoch(index, &group), Some(1));
    }
}

#[test]
fn after_some_attempts_people_are_told_and_a_member_adds_the_device_again() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    damage_commits(&mut world, 1);
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.hub_tamper = Box::new(|_| ());
    // What Juliet is sent to come back by is damaged each time.
    world.tamper = Box::new(|index, input| {
        if let Input::Answer(_, Ok(Answer::GroupInfo(info))) = input
            && index == 2
        {
            info.group_info = vec![7; 100].into();
        }
        true
    });
    world.hub_inputs.clear();
    for _ in 0..12 {
        world.pass(60);
        world.now_ms += 9 * 60_000;
    }
    assert_eq!(to_be_added_again(&world, 2), 1);
    let juliet = world.user(2);
    let asked_by_her = world.hub_inputs.iter().filter(|input| match input {
        hub::Input::Request(r) => r.from == juliet && info(&r.request),
        _ => false,
    });
    assert_eq!(asked_by_her.count(), 3);
    // Alice came back meanwhile, and does what the alarm says.
    world.remove(0, &group, 2);
    world.run();
    world.pass(60);
    let id = world.invite(0, &group, vec![juliet]);
    world.run();
    world.pass(60);
    world.assert_done(0, &id);
    assert_eq!(world.epoch(2, &group), world.epoch(0, &group));
    world.say(2, &group, "back");
    world.run();
    world.pass(5);
    assert!(world.heard(0).contains(&"0011223344556677: back".to_owned()));
}

#[test]
fn a_forged_word_that_handshakes_are_gone_makes_nobody_come_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        if let Input::Answer(_, answer @ Ok(Answer::Handshakes(_))) = input
            && index == 1
        {
            *answer = Err(Refusal::Gone);
        }
        true
    });
    world.hub_inputs.clear();
    let before = world.epoch(1, &group);
    world.now_ms += 2 * 3600 * 1000;
    world.give(1, Input::Connected);
    world.run();
    world.pass(30);
    assert_eq!(asked(&world, info), 1, "the test forged nothing");
    assert_eq!(asked(&world, |r| matches!(r, Request::SubmitCommit(_))), 0);
    assert_eq!(world.epoch(1, &group), before);
    let id = world.say(1, &group, "still here");
    world.run();
    world.assert_done(1, &id);
}

#[test]
fn nothing_that_is_forged_starts_a_way_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let before = stored(&world, 1, "group_state");
    let keys = world.keys.clone();
    world.tamper = Box::new(move |index, input| {
        // Whatever the hub says to Bob is altered on its way, in its signature or its content.
        match input {
            Input::Notice(Notice::Handshake(h)) if index == 1 => {
                keys.change(h, |h| *h.receipt.last_mut().unwrap() ^= 1);
            }
            Input::Answer(_, Ok(Answer::Handshakes(answer))) if index == 1 => {
                answer.handshakes.iter_mut().for_each(|h| h.message = vec![9; 300].into());
            }
            Input::Message(message) if index == 1 => message.message[40] ^= 1,
            _ => {}
        }
        true
    });
    world.hub_inputs.clear();
    for _ in 0..3 {
        rotate(&mut world, 0, &group);
        world.say(0, &group, "hello");
        world.run();
        world.pass(30);
    }
    assert_eq!(asked(&world, info), 0);
    assert_eq!(asked(&world, |r| matches!(r, Request::ReportInvalid(_))), 0);
    assert!(stored(&world, 1, "group_state") == before, "its state was moved");
    world.tamper = Box::new(|_, _| true);
    world.give(1, Input::Connected);
    world.now_ms += 3600 * 1000;
    world.give(1, Input::Connected);
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
}
