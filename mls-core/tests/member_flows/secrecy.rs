//! Forward secrecy and healing, shown with copies of a member's whole store: what somebody who
//! stole it can read, and what not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mls_core::member::{Command, Event, Input, Member, Output};
use mls_core::policy::PAST_EPOCH_KEEP_MS;
use mls_core::store::{MemoryStore, Write};
use mls_core::wire::{GroupId, Notice};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// A member's store, as somebody else took it away.
struct Stolen {
    member: Member,
    store: MemoryStore,
    heard: Vec<Vec<u8>>,
}

impl Stolen {
    fn from(world: &World, index: usize) -> Self {
        let store = world.copy_store(index);
        let client = world.nodes[index].client.clone();
        let (member, writes) = Member::open(Arc::new(store.clone()), client).unwrap();
        store.apply(&writes);
        Self { member, store, heard: Vec::new() }
    }

    /// Gives it everything that a server could have recorded.
    fn give(&mut self, now_ms: u64, inputs: &[Input]) {
        for input in inputs {
            let outcome = self.member.handle(now_ms, input.clone()).unwrap();
            self.apply(&outcome.writes);
            for output in outcome.outputs {
                if let Output::Event(record) = output
                    && let Event::Message(message) = record.event
                {
                    self.heard.push(message.content);
                }
            }
        }
    }

    fn apply(&mut self, writes: &[Write]) {
        self.store.apply(writes);
    }

    fn heard(&self, text: &str) -> bool {
        self.heard.iter().any(|content| content.windows(text.len()).any(|w| w == text.as_bytes()))
    }
}

/// Records all that goes to a member by the room and from the hub, as servers and archives do, and
/// lets it through or not.
fn record(world: &mut World, index: usize, through: bool) -> Rc<RefCell<Vec<Input>>> {
    let tape = Rc::new(RefCell::new(Vec::new()));
    let writing = Rc::clone(&tape);
    world.tamper = Box::new(move |to, input| {
        let travels = matches!(input, Input::Message(_) | Input::Notice(Notice::Handshake(_)));
        if to == index && travels {
            writing.borrow_mut().push(input.clone());
        }
        through || to != index || !travels
    });
    tape
}

fn say(world: &mut World, index: usize, group: &GroupId, text: &str) {
    world.say(index, group, text);
    world.run();
}

#[test]
fn a_profile_copied_before_an_update_reads_nothing_after_it() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    say(&mut world, 1, &group, "settled");
    let mut stolen = Stolen::from(&world, 1);
    let tape = record(&mut world, 1, true);
    say(&mut world, 0, &group, "said before Bob renews his keys");
    let rotate = world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(1, &rotate);
    say(&mut world, 0, &group, "said by Alice after Bob renewed");
    say(&mut world, 2, &group, "said by Juliet after Bob renewed");
    stolen.give(world.now_ms, &tape.borrow());
    assert!(stolen.heard("said before Bob renews his keys"), "the copy is of no use at all");
    for text in ["said by Alice after Bob renewed", "said by Juliet after Bob renewed"] {
        assert!(world.heard(1).iter().any(|t| t.ends_with(text)), "Bob himself lacks {text}");
        assert!(!stolen.heard(text), "the copy reads {text}");
    }
}

#[test]
fn the_update_of_another_member_heals_nobody_but_that_member() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    say(&mut world, 1, &group, "settled");
    let mut stolen = Stolen::from(&world, 1);
    let tape = record(&mut world, 1, true);
    let rotate = world.command(2, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(2, &rotate);
    say(&mut world, 0, &group, "said after Juliet renewed");
    stolen.give(world.now_ms, &tape.borrow());
    assert!(stolen.heard("said after Juliet renewed"));
}

#[test]
fn a_profile_copied_after_past_epochs_were_deleted_reads_nothing_of_them() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    say(&mut world, 1, &group, "settled");
    // The servers keep back from Bob what they have recorded.
    let tape = record(&mut world, 1, false);
    say(&mut world, 0, &group, "an old secret");
    let old: Vec<Input> = messages(&tape.borrow());
    world.tamper = Box::new(|_, _| true);
    for index in [0, 2] {
        let rotate = world.command(index, Command::Rotate(group.clone()));
        world.run();
        world.assert_done(index, &rotate);
    }
    world.pass(60);
    let mut early = Stolen::from(&world, 1);
    early.give(world.now_ms, &old);
    assert!(early.heard("an old secret"), "nothing had to be deleted");
    world.now_ms += PAST_EPOCH_KEEP_MS;
    world.pass(2);
    let mut late = Stolen::from(&world, 1);
    late.give(world.now_ms, &old);
    assert!(!late.heard("an old secret"), "deleted epochs can still be read");
}

#[test]
fn a_profile_copied_after_a_message_was_read_and_saved_does_not_read_it_again() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    say(&mut world, 1, &group, "settled");
    let tape = record(&mut world, 1, true);
    say(&mut world, 0, &group, "read and gone");
    let mut early = Stolen::from(&world, 1);
    early.forget_what_was_seen();
    early.give(world.now_ms, &messages(&tape.borrow()));
    assert!(early.heard("read and gone"), "nothing had to be deleted");
    // The snapshot is written at the latest after ten minutes.
    world.pass(11 * 60);
    let mut stolen = Stolen::from(&world, 1);
    stolen.forget_what_was_seen();
    stolen.give(world.now_ms, &messages(&tape.borrow()));
    assert!(!stolen.heard("read and gone"));
}

/// The messages alone.
fn messages(tape: &[Input]) -> Vec<Input> {
    tape.iter().filter(|input| matches!(input, Input::Message(_))).cloned().collect()
}

impl Stolen {
    /// The hashes that keep a message from being shown twice are no secret keys: a thief drops them.
    fn forget_what_was_seen(&mut self) {
        let seen = mls_core::store::Store::scan(&self.store, "seen_message", &[], &[], 10_000);
        let writes: Vec<Write> = seen
            .unwrap()
            .into_iter()
            .map(|(key, _)| Write::Delete { space: "seen_message", key })
            .collect();
        assert!(!writes.is_empty(), "there is nothing to forget: has the space another name?");
        self.apply(&writes);
    }
}
