//! What anybody in a room can send: junk and damaged copies. It costs little and loses nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mls_core::address::RoomAddress;
use mls_core::member::{Event, Input, Member, ReceivedMessage};
use mls_core::store::{MemoryStore, Space, Store, StoreError, Value};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const READINGS_MAX: usize = mls_core::limits::GROUP_READINGS_MAX as usize;

/// A store that counts how often a whole group is read.
struct Counting(MemoryStore, Arc<AtomicUsize>);

impl Store for Counting {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        if space == "group_state" {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
        self.0.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        self.0.scan(space, prefix, from, limit)
    }
}

/// Keeps what comes for member 1, damaged at its end where `damages` says so.
fn keep(
    world: &mut World,
    damages: impl Fn(usize) -> bool + 'static,
) -> Rc<RefCell<Vec<ReceivedMessage>>> {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (keep, count) = (kept.clone(), Cell::new(0));
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Message(message)) = (index, input) {
            count.set(count.get() + 1);
            if damages(count.get()) {
                keep.borrow_mut().push(message.clone());
                *message.message.last_mut().unwrap() ^= 1;
            }
        }
        true
    });
    kept
}

#[test]
fn junk_does_not_have_a_group_read_again() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = keep(&mut world, |_| true);
    world.say(0, &group, "one");
    world.say(0, &group, "two");
    world.run();
    let reads = Arc::new(AtomicUsize::new(0));
    let store = world.nodes[1].store.clone();
    let counting = Counting(store.clone(), reads.clone());
    let client = world.nodes[1].client.clone();
    let (mut bob, _) = Member::open(Arc::new(counting), client).unwrap();
    let mut shown = Vec::new();
    let mut hear = |message: ReceivedMessage| {
        let outcome = bob.handle(world.now_ms, Input::Message(message)).unwrap();
        store.apply(&outcome.writes);
        for output in outcome.outputs {
            if let mls_core::member::Output::Event(record) = output {
                shown.push(record.event);
            }
        }
    };
    let true_ones = kept.take();
    hear(true_ones[0].clone());
    let loaded = reads.load(Ordering::Relaxed);
    for number in 0..100u8 {
        // A stranger's: nothing of it is right but the header.
        let mut junk = true_ones[1].clone();
        junk.message[33..60].iter_mut().for_each(|byte| *byte ^= number | 1);
        hear(junk);
    }
    let again = reads.load(Ordering::Relaxed) - loaded;
    assert_eq!(again, 0, "junk had the group read");
    for number in 0..100u8 {
        // A copy of a message that was read: its key is gone.
        let mut copy = true_ones[0].clone();
        let length = copy.message.len();
        copy.message[length - 1] ^= number | 1;
        hear(copy);
    }
    let again = reads.load(Ordering::Relaxed) - loaded;
    assert!(again <= READINGS_MAX + 2, "the group was read {again} times");
    hear(true_ones[1].clone());
    assert_eq!(shown.iter().filter(|event| matches!(event, Event::Message(_))).count(), 2);
}

#[test]
fn damaged_copies_before_the_true_ones_lose_nothing_however_long_it_goes_on() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = keep(&mut world, |number| number % 50 == 0);
    let most = 1100;
    for number in 0..most {
        world.say(0, &group, &number.to_string());
        world.run();
        for message in kept.take() {
            // Past the tamper, which counts it too.
            world.give(1, Input::Message(message));
            world.run();
        }
    }
    assert_eq!(world.heard(1).len(), most);
    assert_eq!(world.epoch(1, &group), world.epoch(0, &group));
}

#[test]
fn a_damaged_copy_does_not_burn_the_true_message_over_the_end_of_its_epoch() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = keep(&mut world, |_| true);
    world.say(0, &group, "precious");
    world.run();
    world.command(0, mls_core::member::Command::Rotate(group.clone()));
    world.run();
    world.pass(3);
    world.tamper = Box::new(|_, _| true);
    for message in kept.take() {
        world.give(1, Input::Message(message));
    }
    world.run();
    assert_eq!(world.heard(1), ["PHONE: precious"]);
}

#[test]
fn bytes_that_are_no_message_start_nothing() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.hub_inputs.clear();
    let room = RoomAddress::clone(&world.nodes[1].member.groups().unwrap()[0].rooms[0]);
    for junk in [vec![], vec![0; 100], vec![255; 40_000]] {
        let (room, sender, sent_ms) = (room.clone(), Some(world.user(0)), world.now_ms);
        let received = ReceivedMessage { room, sender, sent_ms, message: junk, checkpoint: None };
        world.give(1, Input::Message(received));
    }
    world.run();
    world.pass(30);
    assert!(world.hub_inputs.iter().all(|i| !matches!(i, mls_core::hub::Input::Request(_))));
    world.assert_agree(&group, &[0, 1, 2]);
}
