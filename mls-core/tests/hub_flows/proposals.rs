//! Proposals by reference.

use mls_core::limits::PROPOSALS_PENDING_MAX;
use mls_core::receipt::ReceiptKind;
use mls_core::wire::refusal::Refusal;
use mls_rs::MlsMessage;

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
