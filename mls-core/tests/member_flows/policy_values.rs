//! Values of the policies that a member keeps by itself: when it renews its leaf, what it keeps of the future, what
//! it exports.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::limits::{
    DAY_MS, EXPORT_BYTES_MAX, FUTURE_MESSAGES_MAX, KEY_PACKAGES_KEPT_MAX,
    KEY_PACKAGES_SWEPT_AT_ONCE,
};
use mls_core::member::{Command, Event, ExportError, Input, ReceivedMessage, WarningKind};
use mls_core::policy::{
    BUSY_TREE_UPDATE_MS, KEY_PACKAGE_LIFETIME_S, LEAF_UPDATE_MESSAGES, LEAF_UPDATE_MS,
    PATHLESS_UPDATE_MS,
};
use mls_core::store::{Store, Write};
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

/// References of the key packages whose private parts a device keeps.
fn private_parts(world: &World, index: usize) -> Vec<Vec<u8>> {
    let rows = world.nodes[index].store.scan("key_package", &[], &[], usize::MAX).unwrap();
    rows.into_iter().map(|(reference, _)| reference).collect()
}

/// A device gets so many more private parts, copies of one, as if it had made them; their references begin with a byte.
fn make_private_parts(world: &World, index: usize, of: &[u8], count: usize, first: u8) {
    let store = &world.nodes[index].store;
    let value = store.get("key_package", of).unwrap().unwrap();
    let copy = |number: usize| {
        let key = [&[first; 28], &u32::try_from(number).unwrap().to_be_bytes()[..]].concat();
        Write::Put { space: "key_package", key, value: value.clone() }
    };
    store.apply(&(0..count).map(copy).collect::<Vec<_>>());
}

/// The homeserver says that all one-time packages were claimed.
fn all_claimed(world: &mut World, index: usize) {
    world.nodes[index].one_time.clear();
    world.give(index, Input::KeyPackagesLeft { suite: 1, count: 0 });
    world.run();
}

#[test]
fn whoever_claims_all_key_packages_again_and_again_does_not_fill_the_store() {
    let mut world = World::new(&[ALICE]);
    let one = private_parts(&world, 0).remove(0);
    make_private_parts(&world, 0, &one, KEY_PACKAGES_KEPT_MAX, 0xff);
    let before = private_parts(&world, 0).len();
    let told = |world: &World| {
        world.count(0, |event| match event {
            Event::Warning(warning) => warning.kind == WarningKind::KeyPackagesStay,
            _ => false,
        })
    };
    for _ in 0..3 {
        all_claimed(&mut world, 0);
        assert_eq!((private_parts(&world, 0).len(), told(&world)), (before, 1));
    }
    // The last resort is there, and goes with its age.
    assert!(world.nodes[0].last_resort.contains_key(&1));
    // When some have ended, others are made.
    world.now_ms += KEY_PACKAGE_LIFETIME_S * 1000 + 2 * DAY_MS;
    for _ in 0..20 {
        wait(&mut world, 60_000);
    }
    assert!(!world.nodes[0].one_time[&1].is_empty());
    assert!(private_parts(&world, 0).len() < 500, "{}", private_parts(&world, 0).len());
}

#[test]
fn private_parts_that_have_ended_go_a_slice_at_a_time_also_behind_many_that_have_not() {
    let mut world = World::new(&[ALICE]);
    let old = private_parts(&world, 0);
    make_private_parts(&world, 0, &old[0], 3 * KEY_PACKAGES_SWEPT_AT_ONCE, 0xff);
    world.now_ms += KEY_PACKAGE_LIFETIME_S * 1000 / 2;
    all_claimed(&mut world, 0);
    let young = private_parts(&world, 0).into_iter().find(|one| !old.contains(one)).unwrap();
    make_private_parts(&world, 0, &young, 5 * KEY_PACKAGES_SWEPT_AT_ONCE, 0);
    world.now_ms += KEY_PACKAGE_LIFETIME_S * 1000 / 2 + 2 * DAY_MS;
    let count = |world: &World, first: u8| {
        let of = |key: &&Vec<u8>| key[..28] == [first; 28];
        private_parts(world, 0).iter().filter(of).count()
    };
    for _ in 0..10 {
        // A bot that runs for a moment only goes on where it was.
        world.restart(0);
        world.now_ms += 60_000;
        let before = count(&world, 0xff);
        world.give(0, Input::Tick);
        world.run();
        assert!(before - count(&world, 0xff) <= KEY_PACKAGES_SWEPT_AT_ONCE);
    }
    assert_eq!(count(&world, 0xff), 0);
    assert_eq!(count(&world, 0), 5 * KEY_PACKAGES_SWEPT_AT_ONCE);
}
