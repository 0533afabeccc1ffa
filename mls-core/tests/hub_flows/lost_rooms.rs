//! A room that is gone: the group goes on in the other, without those who sat in the lost one.

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{Effect, Input, Membership, Notify};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Notice, Request};

use crate::device::Device;
use crate::group::claim_request;
use crate::world::{World, muc, room};

/// Alice on Matrix, Bob on XMPP, and nothing left to look at.
fn alice_and_bob() -> (World, Device, Device) {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let alice = world.group_with(&mut [&mut bob]);
    world.take_effects();
    (world, alice, bob)
}

fn lose(world: &mut World, room: RoomAddress) {
    let outcome = world.input(Input::RoomLost { room: room.clone() });
    assert_eq!(outcome.lost_rooms, [room]);
    world.effects.extend(outcome.effects);
}

/// Whom the hub warned, taken out of the effects.
fn take_warned(world: &mut World) -> Vec<UserId> {
    let warned = |effect: &Effect| match effect {
        Effect::Notify(Notify { to, notice: Notice::MembershipWarning(_), .. }) => Some(to.user()),
        _ => None,
    };
    let users = world.effects.iter().filter_map(warned).collect();
    world.effects.retain(|effect| warned(effect).is_none());
    users
}

/// The rooms in which something is to be done.
fn rooms_of(effects: &[Effect]) -> Vec<RoomAddress> {
    let room = |effect: &Effect| match effect {
        Effect::PostHandshake(e) => Some(e.room.clone()),
        Effect::Relay(e) => Some(e.room.clone()),
        Effect::BindRoom(e) => Some(e.room.clone()),
        Effect::Admit(e) => Some(e.room.clone()),
        Effect::Expel(e) => Some(e.room.clone()),
        _ => None,
    };
    effects.iter().filter_map(room).collect()
}

#[test]
fn who_sat_in_a_lost_room_is_proposed_for_removal_and_nothing_more_is_done_in_it() {
    let (mut world, mut alice, bob) = alice_and_bob();
    let text = alice.encrypt("is anybody there?");
    lose(&mut world, muc());
    assert_eq!(take_warned(&mut world), [alice.user(), bob.user()]);
    assert_eq!(rooms_of(&world.effects), [room()]);
    for post in world.take_posts(&room()) {
        alice.receive(&post.handshake);
    }
    assert_eq!(world.message(&room(), &alice.user(), &text), []);
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [], commit).unwrap();
    assert_eq!(world.hub().users_in(&room()).unwrap(), [alice.user()]);
    // Bob's ghost leaves the room that lives; the commit was posted nowhere else.
    assert_eq!(rooms_of(&world.take_effects()), [room()]);
    assert_eq!(world.hub().rooms().unwrap(), [room()]);
}

#[test]
fn a_room_is_lost_once_and_what_it_says_afterwards_means_nothing() {
    let (mut world, alice, mut bob) = alice_and_bob();
    lose(&mut world, room());
    world.take_effects();
    let again = world.input(Input::RoomLost { room: room() });
    assert!(again.writes.is_empty() && again.effects.is_empty() && again.lost_rooms.is_empty());
    // Whoever still sits there may throw the ghosts out; their accounts stay in the group.
    let put_out = Membership { room: room(), user: bob.user(), listed: false };
    world.happen(Input::Membership(put_out));
    world.happen(Input::Listed { room: room(), users: Vec::new() });
    let text = bob.encrypt("into the void");
    assert_eq!(world.message(&muc(), &bob.user(), &text), []);
    assert_eq!(world.message(&room(), &alice.user(), &text), []);
    assert!(world.take_effects().is_empty());
}

#[test]
fn a_group_whose_only_room_is_lost_stays() {
    let (mut world, alice, bob) = alice_and_bob();
    lose(&mut world, muc());
    world.take_effects();
    lose(&mut world, room());
    assert_eq!(take_warned(&mut world), [alice.user(), bob.user()]);
    assert!(world.take_effects().is_empty());
    assert_eq!(world.hub().rooms().unwrap(), []);
}

#[test]
fn nobody_can_be_added_who_cannot_be_reached() {
    let (mut world, mut alice, _bob) = alice_and_bob();
    let carol = Device::new("carol@example.org", "00000000000000c0");
    let package = world.claim_one(&alice, &carol);
    lose(&mut world, muc());
    for post in world.take_posts(&room()) {
        alice.receive(&post.handshake);
    }
    let commit = alice.commit_adding(world.now, &[package]);
    let refused = world.submit(&alice.user(), commit);
    assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{refused:?}");
    let claim = claim_request(&alice.group_id(), &[carol.user()]);
    let refused = world.request(&alice.user(), claim);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}

#[test]
fn a_room_that_is_lost_before_a_group_lives_in_it_never_gets_one() {
    let mut world = World::new();
    let mut alice = Device::new("@alice:example.org", "ALICE");
    let rooms = world.make_rooms(&alice.user());
    let info = world.info(&alice.user());
    lose(&mut world, muc());
    alice.create_group(&info, &rooms, world.now);
    let refused = world.request(&alice.user(), Request::RegisterGroup(alice.registration()));
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}
