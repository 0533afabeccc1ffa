//! Application messages: copied once, from members only, and only what belongs here.

use mls_core::address::RoomAddress;
use mls_core::policy::PAST_EPOCHS;

use crate::device::Device;
use crate::world::{World, muc, room};

fn group(mut world: World) -> (World, Device, Device) {
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let alice = world.group_with(&mut [&mut bob]);
    (world, alice, bob)
}

#[test]
fn a_message_is_copied_once_into_the_other_room_under_its_sender() {
    let (mut world, mut alice, mut bob) = group(World::new());
    let text = alice.encrypt("hello");
    let copies = world.message(&room(), &alice.user(), &text);
    assert_eq!(copies, [(muc(), alice.user(), text.clone())]);
    assert_eq!(bob.decrypt(&copies[0].2), "hello");
    // The homeserver repeats itself, and somebody posts the copy again.
    assert_eq!(world.message(&room(), &alice.user(), &text), []);
    assert_eq!(world.message(&muc(), &bob.user(), &text), []);
    let answer = bob.encrypt("hi");
    assert_eq!(world.message(&muc(), &bob.user(), &answer), [(room(), bob.user(), answer.clone())]);
}

#[test]
fn what_does_not_belong_into_the_room_is_not_copied() {
    let (mut world, mut alice, mut bob) = group(World::new());
    let text = alice.encrypt("hello");
    let stranger = Device::new("@mallory:example.org", "M").user();
    assert_eq!(world.message(&room(), &stranger, &text), [], "a stranger's");
    assert_eq!(world.message(&room(), &bob.user(), &text), [], "of the other network");
    let elsewhere = RoomAddress::matrix("!elsewhere:example.org");
    assert_eq!(world.message(&elsewhere, &alice.user(), &text), [], "in another room");
    let mut other = World::new().group_with(&mut [&mut bob]);
    let foreign = other.encrypt("hello");
    assert_eq!(world.message(&room(), &alice.user(), &foreign), [], "of another group");
    for garbage in [Vec::new(), vec![0; 100], vec![0xff; 40_000]] {
        assert_eq!(world.message(&room(), &alice.user(), &garbage), [], "garbage");
    }
    let commit = alice.update(world.now).commit;
    let handshake = commit.inline().unwrap();
    assert_eq!(world.message(&room(), &alice.user(), handshake), [], "a handshake");
    assert_eq!(world.message(&room(), &alice.user(), &text).len(), 1, "the real one");
}

#[test]
fn a_message_of_a_past_epoch_is_copied_within_the_policy_and_of_a_future_one_never() {
    let (mut world, mut alice, mut bob) = group(World::new());
    let texts: Vec<_> = ["one", "two"].map(|text| bob.encrypt(text)).into();
    for _ in 0..PAST_EPOCHS {
        let commit = alice.update(world.now);
        world.commit(&mut alice, &mut [], commit).unwrap();
    }
    assert_eq!(world.message(&muc(), &bob.user(), &texts[0]).len(), 1);
    let commit = alice.update(world.now);
    alice.apply();
    let future = alice.encrypt("too early");
    assert_eq!(world.message(&room(), &alice.user(), &future), []);
    world.submit(&alice.user(), commit).unwrap();
    assert_eq!(world.message(&room(), &alice.user(), &future).len(), 1);
    assert_eq!(world.message(&muc(), &bob.user(), &texts[1]), []);
}

#[test]
fn the_length_of_a_message_shows_its_three_leading_bits_at_most() {
    let (_, mut alice, _) = group(World::new());
    let mut lengths: Vec<usize> =
        (0..1024).step_by(4).map(|length| alice.encrypt(&"x".repeat(length)).len()).collect();
    // A longer text never makes a shorter message, and few lengths are told apart.
    assert!(lengths.is_sorted());
    lengths.dedup();
    let steps: Vec<_> = lengths.windows(2).map(|two| (two[0], two[1] - two[0])).collect();
    for (length, step) in &steps {
        assert!(*step >= 32 && step * 12 >= *length, "{step} after {length}");
    }
    assert!(lengths.len() <= 16, "{lengths:?}");
}

#[test]
fn a_message_of_a_removed_member_is_not_copied() {
    let (mut world, mut alice, mut bob) = group(World::new());
    let late = bob.encrypt("late");
    let commit = alice.commit(world.now, |b| b.remove_member(bob.index()));
    world.commit(&mut alice, &mut [], commit).unwrap();
    assert_eq!(world.message(&muc(), &bob.user(), &late), []);
}
