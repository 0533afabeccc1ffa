//! What the end of a process and a loss of power leave of messages, and of the keys they used.
//!
//! A receiver reads each generation of a sender's ratchet once. So where every message that left
//! is read, whoever forgot that it left, no generation and no key was used twice.

use mls_core::content::encode_text;
use mls_core::limits::{MESSAGES_UNCONFIRMED_MAX, MESSAGES_WITHOUT_SNAPSHOT_MAX};
use mls_core::member::{Command, Confirmation, Durability, Input, Outcome, Output, SendCommand};
use mls_core::wire::{Digest, GroupId};

use crate::network::World;
use crate::story::{ALICE, JULIET};

const SENDER: usize = 0;
const READER: usize = 1;

/// A group of two where all first updates are over; nothing was sent since the sender started.
fn quiet_group() -> (World, GroupId) {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    world.say(SENDER, &group, "first");
    world.run();
    world.pass(120);
    world.rest(SENDER);
    (world, group)
}

/// Sends a text; when this returns the message has left, and nothing has come of it yet.
fn send(world: &mut World, group: &GroupId, text: &str) -> String {
    let id = world.say(SENDER, group, text);
    world.step();
    id
}

/// Gives a command to the sender alone.
fn decide(world: &mut World, group: &GroupId, id: &str) -> Outcome {
    let content = encode_text(id, [7; 16]).unwrap();
    let command = Command::Send(SendCommand { group: group.clone(), content });
    hand_in(world, Input::Command(id.to_owned(), command))
}

fn hand_in(world: &mut World, input: Input) -> Outcome {
    let now_ms = world.now_ms;
    let node = &mut world.nodes[SENDER];
    let outcome = node.member.handle(now_ms, input).unwrap();
    node.commit(&outcome.writes, outcome.durability);
    outcome
}

fn sent(outcome: &Outcome) -> Vec<Digest> {
    let id = |output: &Output| match output {
        Output::Send(message) => Some(message.id),
        _ => None,
    };
    outcome.outputs.iter().filter_map(id).collect()
}

fn assert_read_once(world: &World, mut texts: Vec<String>) {
    assert_eq!(world.warnings(READER), Vec::<String>::new());
    texts.insert(0, "first".to_owned());
    let texts: Vec<_> = texts.iter().map(|text| format!("PHONE: {text}")).collect();
    let heard = world.heard(READER).into_iter().filter(|text| text.starts_with("PHONE"));
    assert_eq!(heard.collect::<Vec<_>>(), texts);
}

#[test]
fn a_loss_of_power_after_any_message_uses_no_generation_twice() {
    // Each run has another number of messages between two losses, so that reservations, their
    // ends and snapshots meet losses at every place.
    for stride in 1..=13 {
        let (mut world, group) = quiet_group();
        let mut texts = Vec::new();
        for number in 1..=40 {
            texts.push(format!("{number}"));
            send(&mut world, &group, &texts[number - 1]);
            if number % stride == 0 {
                world.lose_power(SENDER);
            }
            world.run();
        }
        assert_read_once(&world, texts);
    }
}

#[test]
fn a_loss_of_power_with_several_messages_under_way_uses_no_generation_twice() {
    let (mut world, group) = quiet_group();
    let mut texts = Vec::new();
    for round in 0..20 {
        for number in 0..1 + round % MESSAGES_UNCONFIRMED_MAX {
            texts.push(format!("{round}.{number}"));
            world.say(SENDER, &group, &format!("{round}.{number}"));
        }
        // All of them leave before anything comes back.
        for _ in 0..1 + round % MESSAGES_UNCONFIRMED_MAX {
            world.step();
        }
        world.lose_power(SENDER);
        world.run();
    }
    assert_read_once(&world, texts);
}

#[test]
fn the_end_of_the_process_after_any_message_loses_nothing() {
    for stride in 1..=5 {
        let (mut world, group) = quiet_group();
        let (mut texts, mut ids) = (Vec::new(), Vec::new());
        for number in 1..=20 {
            texts.push(format!("{number}"));
            ids.push(send(&mut world, &group, &texts[number - 1]));
            if number % stride == 0 {
                world.restart(SENDER);
            }
            world.run();
        }
        for id in &ids {
            world.assert_done(SENDER, id);
        }
        assert_eq!(world.heard(SENDER), world.heard(READER));
        assert_read_once(&world, texts);
    }
}

#[test]
fn a_loss_of_power_costs_only_messages_that_were_not_answered() {
    let (mut world, group) = quiet_group();
    send(&mut world, &group, "reserves");
    world.run();
    let answered = world.say(SENDER, &group, "answered");
    let forgotten = world.say(SENDER, &group, "forgotten");
    world.step();
    world.sync(SENDER);
    world.step();
    world.lose_power(SENDER);
    world.run();
    world.assert_done(SENDER, &answered);
    assert_eq!(world.result(SENDER, &forgotten), None);
    // Both are in the room; its sender does not know the second.
    assert_read_once(&world, ["reserves", "answered", "forgotten"].map(str::to_owned).to_vec());
    assert_eq!(world.heard(SENDER), ["PHONE: first", "PHONE: reserves", "PHONE: answered"]);
    assert_eq!(world.warnings(SENDER), Vec::<String>::new());
    // Given again, it is sent again.
    let content = encode_text("forgotten", [7; 16]).unwrap();
    let again = Command::Send(SendCommand { group: group.clone(), content });
    world.give(SENDER, Input::Command(forgotten.clone(), again));
    world.run();
    world.assert_done(SENDER, &forgotten);
    assert_eq!(world.heard(READER).len(), 5);
    assert_eq!(world.warnings(READER), Vec::<String>::new());
}

#[test]
fn only_a_message_within_a_reservation_may_leave_before_a_sync() {
    let (mut world, group) = quiet_group();
    let first = decide(&mut world, &group, "reserves");
    assert_eq!(first.durability, Durability::Synced);
    let mut under_way = sent(&first);
    for number in 0..300 {
        let confirmed = Input::Confirmed(Confirmation::Sent(under_way.remove(0)));
        assert_eq!(hand_in(&mut world, confirmed).durability, Durability::Synced);
        let outcome = decide(&mut world, &group, &format!("message {number}"));
        let whole_group = outcome.writes.len() > 1;
        assert_eq!(outcome.durability == Durability::Synced, whole_group, "{number}");
        assert!(!whole_group || number > 100, "{number}: {:?}", outcome.writes);
        under_way.extend(sent(&outcome));
    }
}

#[test]
fn a_message_that_a_stored_command_waits_for_is_synced_before_it_leaves() {
    let (mut world, group) = quiet_group();
    let mut under_way = Vec::new();
    for number in 0..MESSAGES_UNCONFIRMED_MAX {
        under_way.extend(sent(&decide(&mut world, &group, &format!("message {number}"))));
    }
    let queued = decide(&mut world, &group, "queued");
    assert_eq!((queued.durability, sent(&queued)), (Durability::Synced, vec![]));
    let confirmed = hand_in(&mut world, Input::Confirmed(Confirmation::Sent(under_way[0])));
    assert_eq!((confirmed.durability, sent(&confirmed).len()), (Durability::Synced, 1));
}

#[test]
fn a_sender_that_is_killed_after_each_message_stays_where_receivers_can_follow() {
    let (mut world, group) = quiet_group();
    world.rest(READER);
    let texts: Vec<_> =
        (1..MESSAGES_WITHOUT_SNAPSHOT_MAX).map(|number| number.to_string()).collect();
    for text in &texts {
        send(&mut world, &group, text);
        world.restart(SENDER);
        world.run();
    }
    // The reader falls back to where it was before the first of them.
    world.restart(READER);
    send(&mut world, &group, "last");
    world.run();
    assert_read_once(&world, [texts, vec!["last".to_owned()]].concat());
}

#[test]
fn an_orderly_end_skips_no_generation() {
    let (mut world, group) = quiet_group();
    world.tamper = Box::new(|index, input| index != READER || !matches!(input, Input::Message(_)));
    for number in 0..300 {
        send(&mut world, &group, &number.to_string());
        world.run();
        world.rest(SENDER);
    }
    world.tamper = Box::new(|_, _| true);
    send(&mut world, &group, "heard");
    world.run();
    assert_read_once(&world, vec!["heard".to_owned()]);
}

#[test]
fn a_message_that_cannot_be_read_uses_up_no_reservation() {
    let (mut world, group) = quiet_group();
    // The reader's first message renews its leaf: a new epoch.
    world.say(READER, &group, "fine");
    world.run();
    send(&mut world, &group, "reserves");
    world.run();
    // Whoever can spoil messages must not make others skip generations.
    world.tamper = Box::new(|index, input| {
        if let (SENDER, Input::Message(received)) = (index, input) {
            *received.message.last_mut().unwrap() ^= 1;
        }
        true
    });
    world.say(READER, &group, "spoilt");
    world.run();
    assert_eq!(world.warnings(SENDER).len(), 1);
    let outcome = decide(&mut world, &group, "next");
    assert_eq!(outcome.durability, Durability::Committed, "{:?}", outcome.writes);
    // What was decided for the test is given again by the restart, and leaves only then.
    world.restart(SENDER);
    send(&mut world, &group, "last");
    world.run();
    assert_read_once(&world, ["reserves", "next", "last"].map(str::to_owned).to_vec());
}
