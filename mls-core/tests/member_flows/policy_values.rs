//! Values of the policies that a member keeps by itself: when it renews its leaf, what it keeps of the future, what
//! it exports.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::limits::{EXPORT_BYTES_MAX, FUTURE_MESSAGES_MAX};
use mls_core::member::{Command, Event, ExportError, Input, ReceivedMessage};
use mls_core::policy::{
    BUSY_TREE_UPDATE_MS, LEAF_UPDATE_MESSAGES, LEAF_UPDATE_MS, PATHLESS_UPDATE_MS,
};
use mls_core::wire::{Answer, GroupId, Notice};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Time passes at once.
fn wait(world: &mut World, ms: u64) {
    world.now_ms += ms;
    world.pass(2);
}

#[test]
fn after_a_commit_without_a_path_its_committer_renews_its_leaf_within_a_day() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    assert_eq!(world.epoch(0, &group), Some(1));
    const { assert!(PATHLESS_UPDATE_MS < LEAF_UPDATE_MS / 2) };
    wait(&mut world, PATHLESS_UPDATE_MS);
    world.assert_agree(&group, &[0, 1]);
    assert_eq!(world.epoch(0, &group), Some(2));
}

#[test]
fn after_so_many_messages_a_member_renews_its_leaf_within_an_hour() {
    let mut world = World::new(&[ALICE]);
    let group = world.found(0);
    let before = world.epoch(0, &group).unwrap();
    for _ in 1..LEAF_UPDATE_MESSAGES {
        world.say(0, &group, "and another thing");
        world.run();
    }
    wait(&mut world, BUSY_TREE_UPDATE_MS);
    assert_eq!(world.epoch(0, &group), Some(before));
    world.say(0, &group, "and that is all");
    world.run();
    wait(&mut world, BUSY_TREE_UPDATE_MS);
    assert_eq!(world.epoch(0, &group), Some(before + 1));
}

/// A message of the next epoch, which Bob does not hear of.
fn from_the_future(world: &mut World, group: &GroupId) -> ReceivedMessage {
    let kept: Rc<RefCell<Option<ReceivedMessage>>> = Rc::default();
    let keep = kept.clone();
    world.tamper = Box::new(move |index, input| match input {
        Input::Message(message) if index == 1 => {
            keep.borrow_mut().replace(message.clone());
            false
        }
        Input::Notice(Notice::Handshake(_)) | Input::Answer(_, Ok(Answer::Handshakes(_))) => {
            index != 1
        }
        _ => true,
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.say(0, group, "you will hear this later");
    world.run();
    kept.take().unwrap()
}

#[test]
fn so_many_messages_of_epochs_to_come_are_kept_and_one_more_is_told() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let message = from_the_future(&mut world, &group);
    world.tamper = Box::new(|index, input| {
        index != 1 || !matches!(input, Input::Answer(..) | Input::Notice(_))
    });
    let told = |world: &World| world.count(1, |event| matches!(event, Event::Undecryptable(_)));
    // Damaged copies count too: nobody can tell before the epoch is there.
    for number in 0..FUTURE_MESSAGES_MAX {
        let mut copy = message.clone();
        let end = copy.message.len() - 2;
        copy.message[end..].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
        world.give(1, Input::Message(copy));
    }
    world.run();
    assert_eq!(told(&world), 0, "{:?}", world.warnings(1));
    let mut copy = message;
    *copy.message.last_mut().unwrap() ^= 1;
    *copy.message.iter_mut().rev().nth(2).unwrap() ^= 1;
    world.give(1, Input::Message(copy));
    world.run();
    assert_eq!(told(&world), 1, "{:?}", world.warnings(1));
}

#[test]
fn members_export_the_same_secret_for_one_label_and_context_up_to_a_length() {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    let export = |world: &mut World, index: usize, label: &str, context: &str, length| {
        let member = &mut world.nodes[index].member;
        let (label, context) = (label.as_bytes(), context.as_bytes());
        member.export_secret(&group, label, context, length).map(|found| found.unwrap())
    };
    for length in [16, EXPORT_BYTES_MAX] {
        let (epoch, secret) = export(&mut world, 0, "call", "video", length).unwrap();
        assert_eq!((epoch, secret.len()), (1, length));
        assert_eq!(
            export(&mut world, 1, "call", "video", length).unwrap(),
            (epoch, secret.clone())
        );
        for (label, context) in [("call", "voice"), ("file", "video")] {
            assert_ne!(export(&mut world, 1, label, context, length).unwrap().1, secret);
        }
    }
    let refused = export(&mut world, 0, "call", "video", EXPORT_BYTES_MAX + 1);
    assert!(matches!(refused, Err(ExportError::TooLong)));
}
