//! Many Adds by reference, in one commit.

use mls_core::address::UserId;
use mls_core::engine::mls_time;
use mls_core::limits::{
    ADDS_BY_REFERENCE_PER_COMMIT_MAX, ADDS_BY_VALUE_PER_COMMIT_MAX, INLINE_BYTES_MAX,
    OBJECT_BYTES_MAX,
};
use mls_core::wire::blob::Part;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::welcome::Welcome;
use mls_rs::MlsMessage;

use crate::blobs::get;
use crate::device::Device;
use crate::world::{World, room};

/// Has alice propose to add a new device, which is returned; bob follows.
fn propose_one(world: &mut World, alice: &mut Device, bob: &mut Device, number: usize) -> Device {
    let (carol, proposal) = add(world, alice, number);
    world.propose(alice, proposal).unwrap();
    for post in world.take_posts(&room()) {
        bob.receive(&post.handshake);
    }
    carol
}

/// A new device, and alice's proposal to add it.
fn add(world: &mut World, alice: &mut Device, number: usize) -> (Device, Vec<u8>) {
    let carol = Device::new(&format!("carol{number}@example.org"), "00000000000000c0");
    let package = MlsMessage::from_bytes(&world.claim_one(alice, &carol)).unwrap();
    let proposal = alice.group().propose_add(package, Vec::new()).unwrap();
    (carol, proposal.to_bytes().unwrap())
}

/// A Welcome with its parts fetched.
fn whole(world: &mut World, user: &UserId, mut welcome: Welcome) -> Welcome {
    for part in welcome.parts_mut() {
        if let Part::Blob(blob) = part {
            *part = Part::Inline(get(world, user, blob).unwrap());
        }
    }
    welcome
}

#[test]
fn one_commit_adds_all_whom_proposals_have_named_and_no_more_are_taken() {
    let mut world = World::alone();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    world.take_effects();
    let mut carols: Vec<_> = (0..ADDS_BY_REFERENCE_PER_COMMIT_MAX)
        .map(|number| propose_one(&mut world, &mut alice, &mut bob, number))
        .collect();
    // One more is refused by the hub, and would be left out by whoever has it all the same.
    let before = alice.group.clone();
    let (_, one_more) = add(&mut world, &mut alice, ADDS_BY_REFERENCE_PER_COMMIT_MAX);
    let refused = world.propose(&alice, one_more);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
    let commit = alice.update(world.now);
    let commit = MlsMessage::from_bytes(commit.commit.inline().unwrap()).unwrap();
    assert_eq!(commit.proposals_by_reference().len(), ADDS_BY_REFERENCE_PER_COMMIT_MAX);
    alice.group = before;
    // The place of other proposals is not taken by Adds.
    let update = alice.group().propose_update(Vec::new()).unwrap().to_bytes().unwrap();
    world.propose(&alice, update).unwrap();
    for post in world.take_posts(&room()) {
        bob.receive(&post.handshake);
    }

    let commit = bob.update(world.now);
    let bytes = commit.commit.inline().unwrap().len();
    let welcome = commit.welcome.as_ref().unwrap().inline().unwrap().len();
    assert!(bytes < INLINE_BYTES_MAX && welcome < OBJECT_BYTES_MAX, "{bytes} {welcome}");
    world.submit(&bob.user(), commit).unwrap();
    bob.apply();
    for post in world.take_posts(&room()) {
        alice.receive(&post.handshake);
    }

    let welcomes = world.take_welcomes();
    assert_eq!(welcomes.len(), ADDS_BY_REFERENCE_PER_COMMIT_MAX);
    let hello = alice.encrypt("hello");
    for carol in &mut carols {
        let welcome = welcomes.iter().find(|welcome| welcome.client == carol.id).unwrap();
        let welcome = whole(&mut world, &carol.user(), welcome.clone());
        carol.join(&welcome);
        assert_eq!(carol.decrypt(&hello), "hello");
    }
}

#[test]
fn a_commit_adds_few_by_value() {
    let mut world = World::alone();
    let mut alice = world.alices_group();
    let package = |number| {
        let carol = Device::new(&format!("carol{number}@example.org"), "00000000000000c0");
        carol.key_package(world.now, false)
    };
    let packages: Vec<_> = (0..=ADDS_BY_VALUE_PER_COMMIT_MAX).map(package).collect();
    // What founds a group may hold everybody; the hub is not sent such a commit, and takes none.
    let founding = alice.commit_adding(world.now, &packages);
    let refused = world.submit(&alice.user(), founding).unwrap_err().to_string();
    assert!(refused.contains("at most 50 clients"), "{refused}");
    let update = alice.update(world.now);
    world.commit(&mut alice, &mut [], update).unwrap();
    let time = mls_time(world.now);
    let mut build = |packages: &[Vec<u8>]| {
        let group = alice.group();
        group.clear_pending_commit();
        let mut builder = group.commit_builder().commit_time(time);
        for package in packages {
            builder = builder.add_member(MlsMessage::from_bytes(package).unwrap()).unwrap();
        }
        builder.build().map(|_| ())
    };
    let refused = build(&packages).unwrap_err().to_string();
    assert!(refused.contains("at most 50 clients"), "{refused}");
    build(&packages[1..]).unwrap();
}
