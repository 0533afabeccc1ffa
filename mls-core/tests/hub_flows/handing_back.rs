//! A group that its room orders is handed back to the hub.

use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::hub::{OperatorOrder, Whom};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::{Answer, Request};
use mls_rs_core::extension::ExtensionList;

use crate::device::Device;
use crate::revocation::assert_refused;
use crate::world::{ROOM, World};

/// The context of a device's group, with another order.
fn ordered(device: &mut Device, order: Order) -> ExtensionList {
    let mut extensions = device.group().context().extensions.clone();
    let mut binding = BridgeGroup::from_extensions(&extensions).unwrap();
    binding.order = order;
    extensions.set_from(binding).unwrap();
    extensions
}

/// Alice's group, which she has handed over to its room.
pub(crate) fn by_room() -> (World, Device) {
    let mut world = World::new();
    let mut alice = Device::new("@alice:example.org", "ALICE");
    let rooms = RoomCreated { matrix_room: Some(ROOM.to_owned()), muc: None };
    world.make_these_rooms(&alice.user(), rooms.clone());
    let info = world.info(&alice.user());
    alice.create_group(&info, &rooms, world.now);
    world.receipt(&alice.user(), Request::RegisterGroup(alice.registration())).unwrap();
    let extensions = ordered(&mut alice, Order::Room);
    let commit = alice.commit(world.now, |builder| builder.set_group_context_ext(extensions));
    world.commit(&mut alice, &mut [], commit).unwrap();
    (world, alice)
}

/// The commit by which a device hands its group back.
fn hand_back(world: &World, device: &mut Device) -> SubmitCommit {
    let extensions = ordered(device, Order::Hub);
    let commit = device.commit(world.now, |builder| builder.set_group_context_ext(extensions));
    SubmitCommit { after_seq: 1, ..commit }
}

#[test]
fn a_revoked_device_hands_no_group_back() {
    let (mut world, mut alice) = by_room();
    world.order(OperatorOrder::Revoke(Whom::Client(alice.id.clone())));
    let commit = hand_back(&world, &mut alice);
    assert_refused(world.request(&alice.user(), Request::SubmitCommit(commit)), "is revoked");
}

#[test]
fn a_group_that_somebody_makes_up_in_the_name_of_a_member_is_not_taken_back() {
    let (mut world, mut alice) = by_room();
    // What a homeserver can do for one of its accounts.
    let mut made_up = Device::new("@alice:example.org", "ALICE");
    let extensions = alice.group().context().extensions.clone();
    made_up.create_group_as(alice.group_id().0, extensions, world.now);
    while made_up.epoch() < alice.epoch() {
        made_up.update(world.now);
        made_up.apply();
    }
    let forged = hand_back(&world, &mut made_up);
    let refused = world.request(&alice.user(), Request::SubmitCommit(forged));
    assert_refused(refused, "with this key");
    let own = hand_back(&world, &mut alice);
    let taken = world.request(&alice.user(), Request::SubmitCommit(own));
    assert!(matches!(taken, Ok(Answer::Receipt(_))), "{taken:?}");
}
