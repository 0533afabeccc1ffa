//! Messages above their sender's rate: none is lost for being fast, none overtakes.

use mls_core::address::ClientId;
use mls_core::hub::{Effect, Input, Membership, Notify};
use mls_core::limits::{DAY_MS, DROPPED_NOTICE_MS, HELD_MESSAGES_PER_SENDER_MAX};
use mls_core::policy::{MESSAGES_BURST, MESSAGES_PER_SECOND};
use mls_core::wire::leave_room::LeaveRoom;
use mls_core::wire::{Answer, Notice, Request};

use crate::device::Device;
use crate::world::{Copied, World, muc, relayed, room};

const INTERVAL_MS: u64 = 1000 / MESSAGES_PER_SECOND as u64;

/// Alice and Bob in a group, and Bob has sent all that he may send at once.
fn bob_sent_his_burst() -> (World, Device, Device) {
    let mut world = World::alone();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let alice = world.group_with(&mut [&mut bob]);
    world.take_effects();
    for _ in 0..MESSAGES_BURST {
        let text = bob.encrypt("burst");
        assert_eq!(world.message(&muc(), &bob.user(), &text).len(), 1);
    }
    (world, alice, bob)
}

/// Bob sends messages, and each is held back; the copies that they are to become.
fn hold(world: &mut World, bob: &mut Device, count: u32) -> Vec<Copied> {
    let texts: Vec<_> = (0..count).map(|number| bob.encrypt(&number.to_string())).collect();
    for text in &texts {
        assert_eq!(world.message(&muc(), &bob.user(), text), []);
    }
    texts.into_iter().map(|text| (room(), bob.user(), text)).collect()
}

/// Calls the hub whenever it wants, until nothing is held: the copies, and when each was made.
fn release(world: &mut World) -> (Vec<Copied>, Vec<u64>) {
    let (mut copied, mut times) = (Vec::new(), Vec::new());
    while world.hub().due_ms().unwrap().is_some() {
        for copy in world.wait_until_due() {
            copied.push(copy);
            times.push(world.now);
        }
    }
    (copied, times)
}

/// Times after `start`, one interval apart.
fn at_the_rate(start: u64, count: u64) -> Vec<u64> {
    (1..=count).map(|number| start + number * INTERVAL_MS).collect()
}

/// The copies among what is to be done, and whether a handshake or an expulsion comes before one.
fn copies_first(effects: Vec<Effect>) -> (Vec<Copied>, bool) {
    let is_copy = |effect: &Effect| matches!(effect, Effect::Relay(_));
    let first = effects.iter().take_while(|effect| is_copy(effect)).count();
    let late = effects.iter().skip(first).any(is_copy);
    (effects.into_iter().filter(is_copy).map(relayed).collect(), !late)
}

#[test]
fn a_burst_above_the_bucket_arrives_whole_in_order_and_at_the_rate() {
    let (mut world, _alice, mut bob) = bob_sent_his_burst();
    let start = world.now;
    let held = hold(&mut world, &mut bob, 30);
    // The room brings one again: it is not held twice.
    assert_eq!(world.message(&muc(), &bob.user(), &held[0].2), []);
    let (copied, times) = release(&mut world);
    assert_eq!(copied, held);
    assert_eq!(times, at_the_rate(start, 30));
    // The bucket was emptied all the time.
    let next = hold(&mut world, &mut bob, 1);
    assert_eq!(world.wait_until_due(), next);
    assert_eq!(world.now, start + 31 * INTERVAL_MS);
}

#[test]
fn what_comes_while_something_is_held_queues_behind_it() {
    let (mut world, _alice, mut bob) = bob_sent_his_burst();
    let mut held = hold(&mut world, &mut bob, 3);
    world.with_twin();
    // Time has passed for more than one, but they belong to those that wait.
    world.now += 2 * INTERVAL_MS;
    held.extend(hold(&mut world, &mut bob, 3));
    assert_eq!(release(&mut world).0, held);
    // What was held is known like any other when it is brought again.
    world.now += DAY_MS;
    assert_eq!(world.message(&muc(), &bob.user(), &held[5].2), []);
    assert_eq!(world.hub().due_ms().unwrap(), None);
}

#[test]
fn a_flooder_delays_nobody_and_each_is_released_at_the_own_rate() {
    let (mut world, mut alice, mut bob) = bob_sent_his_burst();
    let start = world.now;
    let of_bob = hold(&mut world, &mut bob, 2);
    world.now += 50;
    for _ in 0..MESSAGES_BURST {
        let text = alice.encrypt("burst");
        assert_eq!(world.message(&room(), &alice.user(), &text).len(), 1);
    }
    let text = alice.encrypt("held");
    assert_eq!(world.message(&room(), &alice.user(), &text), []);
    world.with_twin();
    let (copied, times) = release(&mut world);
    let [first, second] = of_bob.try_into().unwrap();
    assert_eq!(copied, [first, (muc(), alice.user(), text), second]);
    assert_eq!(times, [100, 150, 200].map(|after| start + after));
}

#[test]
fn a_restart_in_the_middle_changes_neither_order_nor_rate() {
    let (mut world, _alice, mut bob) = bob_sent_his_burst();
    let start = world.now;
    let mut held = hold(&mut world, &mut bob, 20);
    let mut copied: Vec<_> = (0..5).flat_map(|_| world.wait_until_due()).collect();
    world.restart();
    world.with_twin();
    held.extend(hold(&mut world, &mut bob, 5));
    let (rest, times) = release(&mut world);
    copied.extend(rest);
    assert_eq!(copied, held);
    assert_eq!(times, at_the_rate(start + 5 * INTERVAL_MS, 20));
}

#[test]
fn a_call_that_comes_late_makes_up_for_one_second_only() {
    let (mut world, _alice, mut bob) = bob_sent_his_burst();
    let held = hold(&mut world, &mut bob, 50);
    world.with_twin();
    // The hub was down for a day, and its sweeps take away nothing of this.
    world.now += DAY_MS;
    world.happen(Input::Tick);
    let start = world.now;
    let at_once = world.wait_until_due();
    assert_eq!(at_once, held[..10]);
    let (rest, times) = release(&mut world);
    assert_eq!(rest, held[10..]);
    assert_eq!(times, at_the_rate(start, 40));
}

#[test]
fn above_the_bound_the_newest_is_dropped_and_every_client_is_told_once_a_minute() {
    let (mut world, alice, mut bob) = bob_sent_his_burst();
    let mut held = hold(&mut world, &mut bob, HELD_MESSAGES_PER_SENDER_MAX);
    let lost = bob.encrypt("lost");
    let told: Vec<ClientId> =
        world.post(&muc(), &bob.user(), &lost).effects.into_iter().map(warned).collect();
    assert_eq!(told, [alice.id.clone(), bob.id.clone()]);
    assert_eq!(hold(&mut world, &mut bob, 1).len(), 1, "nobody is told again");
    // One has gone: there is place for one.
    assert_eq!(world.wait_until_due(), held[..1]);
    held.extend(hold(&mut world, &mut bob, 1));
    world.now += DROPPED_NOTICE_MS;
    assert_eq!(world.post(&muc(), &bob.user(), &lost).effects.len(), 2);
    assert_eq!(release(&mut world).0, held[1..]);
    // It was not carried, so it may still come.
    world.now += DAY_MS;
    assert_eq!(world.message(&muc(), &bob.user(), &lost).len(), 1);
}

fn warned(effect: Effect) -> ClientId {
    match effect {
        Effect::Notify(Notify { to, notice: Notice::MembershipWarning(warning), .. }) => {
            assert!(
                warning.text.starts_with("xmpp:bob@example.org sends faster"),
                "{}",
                warning.text
            );
            to
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_held_of_a_removed_member_goes_before_the_commit_that_removes_it() {
    let (mut world, mut alice, mut bob) = bob_sent_his_burst();
    let held = hold(&mut world, &mut bob, 3);
    world.with_twin();
    let commit = alice.commit(world.now, |b| b.remove_member(bob.index()));
    world.submit(&alice.user(), commit).unwrap();
    assert_eq!(copies_first(world.take_effects()), (held, true));
    assert_eq!(world.hub().due_ms().unwrap(), None);
}

#[test]
fn what_is_held_of_a_member_that_leaves_goes_before_its_ghost() {
    let (mut world, alice, mut bob) = bob_sent_his_burst();
    let held = hold(&mut world, &mut bob, 3);
    world.with_twin();
    let leave = Request::LeaveRoom(LeaveRoom { group: alice.group_id() });
    assert_eq!(world.request(&bob.user(), leave), Ok(Answer::Done));
    assert_eq!(copies_first(world.take_effects()), (held, true));
    assert_eq!(world.hub().due_ms().unwrap(), None);
}

#[test]
fn what_is_held_of_a_member_whose_ghost_was_thrown_out_is_not_copied() {
    let (mut world, _alice, mut bob) = bob_sent_his_burst();
    hold(&mut world, &mut bob, 3);
    world.with_twin();
    world.happen(Input::Membership(Membership { room: room(), user: bob.user(), listed: true }));
    world.happen(Input::Membership(Membership { room: room(), user: bob.user(), listed: false }));
    assert_eq!(copies_first(world.take_effects()).0, []);
    assert_eq!(world.hub().due_ms().unwrap(), None);
}
