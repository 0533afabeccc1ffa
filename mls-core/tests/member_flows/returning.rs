//! Coming back after state was lost, or after a long time away.

use mls_core::member::{Command, Event, Input};
use mls_core::store::Store;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Notice};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET, ROMEO};

#[test]
fn a_lost_state_is_noticed_when_the_device_connects() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.lose(2, &["group_state", "epoch", "journal"]);
    world.give(2, Input::Connected);
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
    assert!(world.warnings(2).iter().any(|w| w.contains("lost the group's state")));
}

#[test]
fn a_rejoin_by_command_renews_the_leaf_and_talk_goes_on() {
    for index in [1, 2] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        let before = world.epoch(0, &group).unwrap();
        let id = world.command(index, Command::Rejoin(group.clone()));
        world.run();
        world.assert_done(index, &id);
        assert_eq!(world.epoch(0, &group), Some(before + 1));
        world.assert_agree(&group, &[0, 1, 2]);
        world.say(index, &group, "here again");
        world.say(0, &group, "good");
        world.run();
        for listener in 0..3 {
            assert_eq!(world.heard(listener).len(), 2, "{:?}", world.warnings(listener));
        }
    }
}

#[test]
fn a_device_that_lost_its_group_state_comes_back_by_itself() {
    for index in [1, 2] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        world.lose(index, &["group_state", "epoch", "journal"]);
        world.say(0, &group, "are you there?");
        world.run();
        world.pass(30);
        world.assert_agree(&group, &[0, 1, 2]);
        let id = world.say(index, &group, "yes");
        world.run();
        world.assert_done(index, &id);
        assert_eq!(world.heard(0).len(), 2);
    }
}

#[test]
fn a_device_that_knows_only_its_room_finds_its_group_and_comes_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let room = world.nodes[1].member.groups().unwrap()[0].rooms[0].clone();
    world.lose(1, &["group_state", "epoch", "journal", "group_record", "room"]);
    world.give(1, Input::Connected);
    world.give(1, Input::RoomJoined(room));
    world.run();
    assert_eq!(world.epoch(1, &group), None);
    world.pass(70);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn who_was_removed_has_no_way_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.remove(0, &group, 1);
    world.run();
    let id = world.command(1, Command::Rejoin(group.clone()));
    world.run();
    assert!(world.failure(1, &id).contains("no way back"), "{}", world.failure(1, &id));
    world.assert_agree(&group, &[0, 2]);
}

#[test]
fn two_who_rejoin_at_once_both_come_back() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET, ROMEO]);
    let commands =
        [1, 2, 3].map(|index| (index, world.command(index, Command::Rejoin(group.clone()))));
    world.run();
    world.pass(60);
    for (index, id) in commands {
        world.assert_done(index, &id);
    }
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn a_rejoin_while_a_removal_is_pending_lets_the_hub_propose_it_anew() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.nodes[0].away = true;
    let room = world.nodes[2].member.groups().unwrap()[0].rooms[1].clone();
    let juliet = world.user(2);
    world.leave_room(&room, &juliet);
    let id = world.command(1, Command::Rejoin(group.clone()));
    world.run();
    world.come_back(0);
    world.run();
    world.pass(120);
    world.assert_done(1, &id);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn who_was_away_for_some_epochs_catches_up_and_reads_what_was_said() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.nodes[2].away = true;
    for round in 0..5 {
        world.command(0, Command::Rotate(group.clone()));
        world.say(1, &group, &format!("round {round}"));
        world.run();
        world.pass(15);
    }
    world.come_back(2);
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(2), world.heard(1));
}

#[test]
fn handshakes_that_were_missed_are_fetched_when_a_later_one_or_a_message_comes() {
    for speak in [false, true] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        world.say(1, &group, "warm up");
        world.run();
        world.tamper = Box::new(|index, input| {
            use mls_core::member::Input;
            !(index == 2 && matches!(input, Input::Notice(Notice::Handshake(_))))
        });
        world.command(0, Command::Rotate(group.clone()));
        world.command(1, Command::Rotate(group.clone()));
        world.run();
        world.pass(30);
        assert_ne!(world.epoch(2, &group), world.epoch(0, &group));
        world.tamper = Box::new(|_, _| true);
        if speak {
            world.say(0, &group, "who is missing?");
            world.run();
            world.pass(10);
            assert_eq!(world.heard(2).last().unwrap(), "PHONE: who is missing?");
        } else {
            world.command(0, Command::Rotate(group.clone()));
            world.run();
        }
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn the_secrets_of_a_left_group_are_deleted() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    for index in [1, 2] {
        world.say(index, &group, "bye");
        world.run();
    }
    world.command(1, Command::Leave(group.clone()));
    world.run();
    world.remove(0, &group, 2);
    world.run();
    for index in [1, 2] {
        let store = &world.nodes[index].store;
        for space in ["group_state", "epoch", "journal"] {
            assert!(store.scan(space, &[], &[], 10).unwrap().is_empty(), "{space} of {index}");
        }
        assert_eq!(world.count(index, |e| matches!(e, Event::Removed(_))), 1);
    }
}

#[test]
fn who_was_removed_and_added_again_while_away_joins_by_the_new_welcome() {
    for seed in [None, Some(1), Some(2), Some(3)] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        world.nodes[1].away = true;
        world.remove(0, &group, 1);
        world.run();
        let bob = world.user(1);
        world.invite(0, &group, vec![bob]);
        world.say(0, &group, "after all");
        world.run();
        world.shuffled = seed;
        world.come_back(1);
        world.run();
        world.pass(60);
        world.assert_agree(&group, &[0, 1, 2]);
        assert_eq!(world.heard(2), ["PHONE: after all"]);
        let id = world.say(1, &group, "thank you");
        world.run();
        world.pass(30);
        world.assert_done(1, &id);
        assert_eq!(world.heard(2).len(), 2);
    }
}

#[test]
fn a_failed_rejoin_of_a_removed_device_tells_of_the_removal_once() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    world.remove(0, &group, 1);
    world.run();
    for _ in 0..2 {
        let id = world.command(1, Command::Rejoin(group.clone()));
        world.run();
        world.failure(1, &id);
    }
    assert_eq!(world.count(1, |e| matches!(e, Event::Removed(_))), 1);
}

#[test]
fn who_needs_handshakes_that_are_no_longer_kept_comes_back_by_itself() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        match input {
            Input::Answer(_, answer @ Ok(Answer::Handshakes(_))) => *answer = Err(Refusal::Gone),
            Input::Notice(Notice::Handshake(h)) => return index != 2 || h.seq % 2 == 0,
            _ => {}
        }
        true
    });
    for _ in 0..3 {
        world.command(0, Command::Rotate(group.clone()));
        world.run();
    }
    world.pass(60);
    assert_eq!(world.count(2, |e| matches!(e, Event::Joined(_))), 2);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn who_was_removed_while_away_learns_it_by_the_commit_that_did_it() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.nodes[2].away = true;
    world.remove(0, &group, 2);
    world.run();
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.tamper = Box::new(|index, input| {
        // Nothing from the room reaches it any more.
        index != 2 || !matches!(input, Input::Notice(Notice::Handshake(_)) | Input::Message(_))
    });
    world.come_back(2);
    world.run();
    world.pass(60);
    let alice = world.nodes[0].client.clone();
    let by = |e: &Event| matches!(e, Event::Removed(removed) if removed.by == alice);
    assert_eq!(world.count(2, by), 1, "{:?}", world.warnings(2));
    world.assert_agree(&group, &[0, 1]);
}

/// Everything that a device keeps.
const ALL_SPACES: [&str; 31] = [
    "asked_to_join",
    "command_result",
    "command_result_order",
    "counter",
    "early_handshake",
    "epoch",
    "event",
    "future_message",
    "epoch_mark",
    "evidence",
    "followed_handshake",
    "group_record",
    "group_state",
    "handled_welcome",
    "hub",
    "intent",
    "journal",
    "key_package",
    "key_package_pool",
    "key_package_upload",
    "membership_log",
    "outgoing_message",
    "own_message",
    "previous_state",
    "request",
    "return_attempts",
    "room",
    "seen_message",
    "shown_device",
    "signature_key",
    "welcome",
];

#[test]
fn nobody_comes_back_by_itself_among_people_with_other_keys() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.nodes[1].away = true;
    world.remove(0, &group, 2);
    world.run();
    let before = world.nodes[2].member.signature_key().to_vec();
    world.lose(2, &ALL_SPACES);
    assert_ne!(world.nodes[2].member.signature_key(), before);
    world.give(2, Input::Connected);
    world.run();
    let juliet = world.user(2);
    let id = world.invite(0, &group, vec![juliet]);
    world.run();
    world.assert_done(0, &id);
    world.tamper = Box::new(|index, input| match input {
        Input::Answer(_, answer @ Ok(Answer::Handshakes(_))) if index == 1 => {
            *answer = Err(Refusal::Gone);
            true
        }
        Input::Notice(Notice::Handshake(_)) => index != 1,
        _ => true,
    });
    world.come_back(1);
    world.run();
    world.say(0, &group, "is it still you?");
    world.run();
    world.pass(60);
    let warnings = world.warnings(1).join("; ");
    assert!(warnings.contains("other keys than before of"), "{warnings}");
    assert_eq!(world.epoch(1, &group), Some(1));
    world.tamper = Box::new(|_, _| true);
    let id = world.command(1, Command::Rejoin(group.clone()));
    world.run();
    world.assert_done(1, &id);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn each_past_epoch_is_deleted_two_days_after_its_own_end() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let past = |world: &World| world.nodes[1].store.scan("epoch", &[0], &[0], 1000).unwrap().len();
    for _ in 0..5 {
        world.now_ms += 30 * 3600 * 1000;
        world.command(0, Command::Rotate(group.clone()));
        world.run();
        world.pass(61);
    }
    // Those that ended now and 30 hours ago.
    assert_eq!(past(&world), 2);
}
