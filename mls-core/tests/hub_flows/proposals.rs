//! Proposals by reference.

use mls_core::hub::{Input, Membership};
use mls_core::limits::PROPOSALS_PENDING_MAX;
use mls_core::receipt::ReceiptKind;
use mls_core::rules::{RuleError, check_proposal};
use mls_core::wire::blob::Part;
use mls_core::wire::refusal::Refusal;
use mls_rs::MlsMessage;
use mls_rs::group::Sender;
use mls_rs::group::proposal::Proposal;
use mls_rs_codec::MlsDecode;

use crate::device::Device;
use crate::world::{World, muc};

#[test]
fn a_member_without_rights_cannot_remove_others() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let alice = world.group_with(&mut [&mut bob]);
    // The engine's own rules stop an honest client; this one is told to go by the default rules.
    let output = bob.group().propose_remove(alice.index(), Vec::new()).unwrap();
    let refused = world.propose(&bob, output.to_bytes().unwrap());
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}

#[test]
fn a_proposal_of_a_member_is_ordered_and_committed_by_another() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    world.take_effects();
    let proposal = bob.group().propose_update(Vec::new()).unwrap().to_bytes().unwrap();
    let receipt = world.propose(&bob, proposal.clone()).unwrap();
    assert_eq!((receipt.tbs.kind, receipt.tbs.seq), (ReceiptKind::Proposal, 2));
    assert_eq!(world.propose(&bob, proposal), Ok(receipt));
    let posts = world.take_posts(&muc());
    assert_eq!(posts.len(), 1);
    alice.receive(&posts[0].handshake);
    let commit = alice.update(world.now);
    let by_reference = MlsMessage::from_bytes(commit.commit.inline().unwrap()).unwrap();
    assert_eq!(by_reference.proposals_by_reference().len(), 1);
    world.commit(&mut alice, &mut [&mut bob], commit).unwrap();
    assert_eq!((alice.epoch(), bob.epoch()), (2, 2));
}

/// Proposes an Update for a device, and hands its commit's maker what the hub orders.
fn update(world: &mut World, device: &mut Device, to: &mut Device) {
    let proposal = device.group().propose_update(Vec::new()).unwrap().to_bytes().unwrap();
    world.propose(device, proposal).unwrap();
    for post in world.take_posts(&muc()) {
        to.receive(&post.handshake);
    }
}

#[test]
fn of_two_updates_of_one_member_a_commit_takes_one() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut carol = Device::new("carol@example.org", "00000000000000c0");
    let mut alice = world.group_with(&mut [&mut bob, &mut carol]);
    world.take_effects();
    update(&mut world, &mut bob, &mut alice);
    update(&mut world, &mut carol, &mut alice);
    update(&mut world, &mut bob, &mut alice);
    let commit = alice.update(world.now);
    let by_reference = MlsMessage::from_bytes(commit.commit.inline().unwrap()).unwrap();
    assert_eq!(by_reference.proposals_by_reference().len(), 2);
    world.commit(&mut alice, &mut [], commit).unwrap();
}

#[test]
fn an_update_of_who_is_to_be_removed_is_left_out() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut carol = Device::new("carol@example.org", "00000000000000c0");
    let mut alice = world.group_with(&mut [&mut bob, &mut carol]);
    world.take_effects();
    update(&mut world, &mut bob, &mut alice);
    update(&mut world, &mut carol, &mut alice);
    let user = bob.user();
    for listed in [true, false] {
        world.happen(Input::Membership(Membership { room: muc(), user: user.clone(), listed }));
    }
    for post in world.take_posts(&muc()) {
        alice.receive(&post.handshake);
    }
    let commit = alice.update(world.now);
    let by_reference = MlsMessage::from_bytes(commit.commit.inline().unwrap()).unwrap();
    assert_eq!(by_reference.proposals_by_reference().len(), 2, "carol's Update, and the Remove");
    world.commit(&mut alice, &mut [], commit).unwrap();
}

#[test]
fn an_add_by_reference_needs_the_right_and_a_claimed_package() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    let carol = Device::new("carol@example.org", "00000000000000c0");
    let claimed = world.claim_one(&alice, &carol);
    let unclaimed = carol.key_package(world.now, false);
    let add = |device: &mut Device, package: &[u8]| {
        let package = MlsMessage::from_bytes(package).unwrap();
        device.group().propose_add(package, Vec::new()).unwrap().to_bytes().unwrap()
    };
    let (by_bob, wrong) = (add(&mut bob, &claimed), add(&mut alice, &unclaimed));
    assert!(matches!(world.propose(&bob, by_bob), Err(Refusal::NotAllowed(_))));
    assert!(matches!(world.propose(&alice, wrong), Err(Refusal::InvalidCommit(_))));
    let right = add(&mut alice, &claimed);
    world.propose(&alice, right).unwrap();
}

#[test]
fn proposals_of_one_epoch_are_bounded() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let _alice = world.group_with(&mut [&mut bob]);
    for _ in 0..PROPOSALS_PENDING_MAX {
        world.now += 60_000;
        let proposal = bob.group().propose_update(Vec::new()).unwrap().to_bytes().unwrap();
        world.propose(&bob, proposal).unwrap();
    }
    let proposal = bob.group().propose_update(Vec::new()).unwrap().to_bytes().unwrap();
    assert!(matches!(world.propose(&bob, proposal), Err(Refusal::NotAllowed(_))));
}

/// Where the key of the leaf stands in a PublicMessage of a member with a commit without proposals,
/// or with an Update: behind 36 bytes of header, and 3 more (RFC 9420 6, 12.1.2 and 12.4).
const LEAF_KEY: std::ops::Range<usize> = 39..71;

#[test]
fn a_commit_or_proposal_with_a_key_that_nobody_can_encrypt_to_is_refused() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    let mut update = bob.group().propose_update(Vec::new()).unwrap().to_bytes().unwrap();
    let mut proposal_in = |bytes: &[u8]| {
        let mut rest = &bytes[LEAF_KEY.start - 3..];
        let proposal = Proposal::mls_decode(&mut rest).unwrap();
        let group = bob.group();
        check_proposal(&proposal, &Sender::Member(1), &group.roster(), group.context())
    };
    proposal_in(&update).unwrap();
    update[LEAF_KEY].fill(0);
    assert!(matches!(proposal_in(&update), Err(RuleError::UnusableKey(_))));

    let mut commit = alice.update(world.now);
    let mut bytes = commit.commit.inline().unwrap().to_vec();
    bytes[LEAF_KEY].fill(0);
    commit.commit = Part::Inline(bytes);
    let refused = world.submit(&alice.user(), commit);
    let why = |refusal: &Refusal| matches!(refusal, Refusal::InvalidCommit(w) if w.contains("key"));
    assert!(refused.as_ref().is_err_and(why), "{refused:?}");
}
