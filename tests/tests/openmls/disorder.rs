//! Messages out of order, of past epochs, and before their epoch.

use mls_core::member::{Command, Input};
use mls_core::policy::PAST_EPOCHS;

use crate::memory::{ALICE, JULIET, PETRA, World, everybody_agrees, group_with};
use crate::peer::{Change, Link as _, OpenMlsPeer};

/// More than the 5 that OpenMLS allows by default, within a sender's rate.
const MESSAGES: usize = 300;

fn texts(peer: &OpenMlsPeer) -> Vec<String> {
    let mut texts = peer.texts();
    texts.sort();
    texts
}

#[test]
fn openmls_reads_our_messages_in_any_order() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    world.say(1, &group, "000");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    let mut expected = petra.texts();
    for number in 1..MESSAGES {
        world.say(1, &group, &format!("{number:03}"));
        expected.push(format!("0011223344556677: {number:03}"));
    }
    let inbox = world.at(&petra.client).take_inbox();
    for input in inbox.into_iter().rev() {
        petra.take(&mut world.at(&petra.client.clone()), input).unwrap();
    }
    assert_eq!(texts(&petra), expected);
}

#[test]
fn we_read_the_messages_of_openmls_in_any_order() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    group_with(&mut world, &mut [&mut petra]);
    let messages: Vec<_> =
        (0..MESSAGES).map(|number| petra.encrypt(&format!("{number:03}")).unwrap()).collect();
    for message in messages.into_iter().rev() {
        world.at(&petra.client).post(message).unwrap();
    }
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    for member in [0, 1] {
        let mut heard = world.heard(member);
        assert_eq!(heard.len(), MESSAGES);
        assert_eq!(heard.first().unwrap(), "00000000000000a1: 299");
        heard.dedup();
        assert_eq!(heard.len(), MESSAGES);
    }
}

#[test]
fn messages_of_past_epochs_are_read_by_both() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    world.say(0, &group, "first");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    world.say(0, &group, "late from mls-rs");
    let held = world.at(&petra.client).take_inbox();
    assert!(matches!(held.iter().next(), Some(Input::Message(_))));
    let late = petra.encrypt("late from OpenMLS").unwrap();
    for _ in 0..PAST_EPOCHS - 1 {
        // Another's commits: neither engine reads late messages of a leaf that has a new key.
        world.done(1, Command::Rotate(group.clone()));
        world.deliver(&mut petra).unwrap();
    }
    for input in held {
        petra.take(&mut world.at(&petra.client.clone()), input).unwrap();
    }
    world.at(&petra.client).post(late).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(petra.texts(), ["PHONE: first", "PHONE: late from mls-rs"]);
    assert_eq!(world.heard(0).last().unwrap(), "00000000000000a1: late from OpenMLS");
    assert_eq!(world.heard(1).last().unwrap(), "00000000000000a1: late from OpenMLS");
}

#[test]
fn late_messages_of_who_left_or_has_a_new_key_are_read_by_openmls_only() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    let juliet = world.user(1);
    world.say(1, &group, "first");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    world.say(1, &group, "late from mls-rs");
    let held = world.at(&petra.client).take_inbox();
    let late = petra.encrypt("late from OpenMLS").unwrap();
    world.remove(0, &group, juliet);
    world.deliver(&mut petra).unwrap();
    for input in held {
        petra.take(&mut world.at(&petra.client.clone()), input).unwrap();
    }
    let texts = ["0011223344556677: first", "0011223344556677: late from mls-rs"];
    assert_eq!(petra.texts(), texts);
    petra.rotate_signature_key(&mut world.at(&petra.client.clone())).unwrap();
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    world.at(&petra.client).post(late).unwrap();
    world.run();
    assert_eq!(world.heard(0), texts);
    assert_eq!(world.warnings(0).len(), 1, "{:?}", world.warnings(0));
}

#[test]
fn a_message_before_its_commit_waits_for_it() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    world.done(0, Command::Rotate(group.clone()));
    world.say(0, &group, "of the new epoch");
    let inbox = world.at(&petra.client).take_inbox();
    let (messages, handshakes): (Vec<_>, Vec<_>) =
        inbox.into_iter().partition(|input| matches!(input, Input::Message(_)));
    for input in messages.into_iter().chain(handshakes) {
        petra.take(&mut world.at(&petra.client.clone()), input).unwrap();
    }
    assert_eq!(petra.texts(), ["PHONE: of the new epoch"]);
    // The same the other way round: the message of OpenMLS is there before its commit.
    petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
    petra.say(&mut world.at(&petra.client.clone()), "of a newer one").unwrap();
    world.turn_around();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert_eq!(world.heard(1).last().unwrap(), "00000000000000a1: of a newer one");
}

#[test]
fn handshakes_that_were_lost_or_doubled_are_fetched_or_passed_over() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    for _ in 0..3 {
        world.done(0, Command::Rotate(group.clone()));
    }
    let inbox = world.at(&petra.client).take_inbox();
    let last = inbox.back().unwrap().clone();
    petra.take(&mut world.at(&petra.client.clone()), last).unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    for input in inbox {
        petra.take(&mut world.at(&petra.client.clone()), input).unwrap();
    }
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
}
