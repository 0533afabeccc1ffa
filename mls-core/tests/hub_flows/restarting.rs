//! A new group takes over the rooms of one that an admin gives up.

use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::hub::{Effect, OperatorAnswer, OperatorOrder, Whom};
use mls_core::identity::credential;
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::fetch_group_info::FetchGroupInfo;
use mls_core::wire::find_group::FindGroup;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Request};

use mls_rs::identity::SigningIdentity;

use crate::device::{Device, bridge_group};
use crate::handing_back::by_room;
use crate::revocation::{assert_refused, public_key};
use crate::world::{MUC, ROOM, World, muc, room};

fn rooms() -> RoomCreated {
    RoomCreated { matrix_room: Some(ROOM.to_owned()), muc: Some(MUC.to_owned()) }
}

/// The device makes another group, which names `former` as replaced.
fn restarting(world: &mut World, device: &Device, former: &GroupId) -> Device {
    restarting_with(world, device, former, |_| {})
}

fn restarting_with(
    world: &mut World,
    device: &Device,
    former: &GroupId,
    change: impl FnOnce(&mut BridgeGroup),
) -> Device {
    let info = world.info(&device.user());
    let identity = SigningIdentity::new(credential(&device.id), public_key(device));
    let mut next = Device::with_key(device.id.clone(), device.key.clone(), identity);
    let mut binding = bridge_group(&info, &rooms(), &device.user());
    binding.replaces = former.0.clone();
    change(&mut binding);
    next.create_group_with(&info, &binding, world.now);
    next
}

fn register(world: &mut World, device: &Device) -> Result<(), Refusal> {
    let request = Request::RegisterGroup(device.registration());
    world.receipt(&device.user(), request).map(drop)
}

fn group_of(world: &mut World, asker: &Device) -> GroupId {
    let find = Request::FindGroup(FindGroup { room: room() });
    match world.request(&asker.user(), find).unwrap() {
        Answer::GroupFound(found) => found.group,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_admin_restarts_a_group_once_and_the_rooms_are_the_new_ones() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    let former = alice.group_id();
    world.take_effects();
    let next = restarting(&mut world, &alice, &former);
    register(&mut world, &next).unwrap();
    let bound: Vec<_> = world
        .take_effects()
        .into_iter()
        .map(|effect| match effect {
            Effect::BindRoom(bind) => (bind.room, bind.group),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(bound, [(room(), next.group_id()), (muc(), next.group_id())]);
    assert_eq!(group_of(&mut world, &alice), next.group_id());
    // The same again is answered the same; another one is too late.
    register(&mut world, &next).unwrap();
    let second = restarting(&mut world, &alice, &former);
    assert_eq!(register(&mut world, &second), Err(Refusal::Exists));
    // The former takes nothing any more.
    let commit = alice.update(world.now);
    assert_eq!(world.submit(&alice.user(), commit).map(drop), Err(Refusal::Gone));
    // The next one can be restarted in its turn.
    let third = restarting(&mut world, &alice, &next.group_id());
    register(&mut world, &third).unwrap();
    assert_eq!(group_of(&mut world, &alice), third.group_id());
}

#[test]
fn nobody_but_an_admin_of_the_group_as_the_hub_has_it_may_restart_it() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let alice = world.group_with(&mut [&mut bob]);
    let former = alice.group_id();
    let mallory = Device::new("@mallory:example.org", "M");
    for device in [&bob, &mallory] {
        let next = restarting(&mut world, device, &former);
        let refused = register(&mut world, &next);
        assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
    }
    // Nor another device of the admin, which none of the others would take it from.
    let laptop = Device::new(&alice.user().address(), "LAPTOP");
    let next = restarting(&mut world, &laptop, &former);
    assert_refused(register(&mut world, &next), "no longer in");
    // Nor who has made up a key for the admin's device, as a homeserver could.
    let made_up = Device::new(&alice.user().address(), &alice.id.device());
    let next = restarting(&mut world, &made_up, &former);
    assert_refused(register(&mut world, &next), "with this key");
    let unknown = restarting(&mut world, &alice, &GroupId(vec![9; 16]));
    assert_eq!(register(&mut world, &unknown), Err(Refusal::UnknownGroup));
    assert_eq!(group_of(&mut world, &alice), former);
}

#[test]
fn a_revoked_device_of_an_admin_does_not_restart_a_group() {
    let mut world = World::new();
    let mut laptop = Device::new("@alice:example.org", "LAPTOP");
    let alice = world.group_with(&mut [&mut laptop]);
    let former = alice.group_id();
    let revoke = OperatorOrder::Revoke(Whom::Client(laptop.id.clone()));
    let revoked = world.order(revoke);
    assert!(matches!(revoked, OperatorAnswer::Done(_)), "{revoked:?}");
    let next = restarting(&mut world, &laptop, &former);
    assert_refused(register(&mut world, &next), "revoked");
    assert_eq!(group_of(&mut world, &alice), former);
}

#[test]
fn a_restart_with_another_binding_is_refused() {
    type Mutation = (&'static str, fn(&mut BridgeGroup));
    let mutations: [Mutation; 5] = [
        ("another Matrix room", |group| group.matrix_room = "!other:example.org".to_owned()),
        ("one room less", |group| group.muc.clear()),
        ("another receipt key", |group| group.receipt_key[0] ^= 1),
        ("order by the room", |group| group.order = Order::Room),
        ("no admin", |group| group.admins.clear()),
    ];
    for (what, mutate) in mutations {
        let mut world = World::new();
        let alice = world.alices_group();
        let former = alice.group_id();
        let next = restarting_with(&mut world, &alice, &former, mutate);
        assert!(register(&mut world, &next).is_err(), "{what} was accepted");
        assert_eq!(group_of(&mut world, &alice), former, "{what}");
    }
}

#[test]
fn whoever_comes_to_a_former_group_that_its_room_ordered_hears_that_it_has_ended() {
    let (mut world, mut alice) = by_room();
    let fetch = || Request::FetchGroupInfo(FetchGroupInfo { group: alice.group_id() });
    assert_eq!(world.request(&alice.user(), fetch()), Err(Refusal::RoomOrders));
    let next = restarting_with(&mut world, &alice, &alice.group_id(), |group| group.muc.clear());
    register(&mut world, &next).unwrap();
    assert_eq!(world.request(&alice.user(), fetch()), Err(Refusal::Gone));
    // From a state that its room led to, which the hub never had.
    let mut handed_back = alice.update(world.now);
    handed_back.epoch += 1;
    assert_eq!(
        world.request(&alice.user(), Request::SubmitCommit(handed_back)),
        Err(Refusal::Gone)
    );
}

#[test]
fn what_a_group_replaces_never_changes() {
    let mut world = World::new();
    let mut alice = world.alices_group();
    alice.rules.break_them();
    let mut extensions = alice.group().context().extensions.clone();
    let mut binding = BridgeGroup::from_extensions(&extensions).unwrap();
    binding.replaces = vec![7; 16];
    extensions.set_from(binding).unwrap();
    let commit = alice.commit(world.now, |builder| builder.set_group_context_ext(extensions));
    let refused = world.submit(&alice.user(), commit);
    assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{refused:?}");
}
