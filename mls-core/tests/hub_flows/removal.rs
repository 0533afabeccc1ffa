//! Who leaves the room leaves the group: by the hub's Remove proposals.

use mls_core::address::{RoomAddress, UserId};
use mls_core::engine::sha256;
use mls_core::hub::{Effect, Input, Membership};
use mls_core::limits::{DAY_MS, EXPEL_ECHO_MS};
use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::wire::handshake::Handshake;
use mls_core::wire::leave_room::LeaveRoom;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use crate::device::Device;
use crate::world::{World, muc, room};

fn listed(world: &mut World, room: &RoomAddress, user: &UserId, listed: bool) {
    let change = Membership { room: room.clone(), user: user.clone(), listed };
    world.happen(Input::Membership(change));
}

/// Proposals that the hub has posted, each once.
fn proposals(world: &mut World) -> Vec<Handshake> {
    let in_room = world.take_posts(&room());
    in_room.into_iter().map(|post| post.handshake).collect()
}

fn two_devices_of_bob() -> (World, Device, Device, Device) {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    let alice = world.group_with(&mut [&mut bob, &mut laptop]);
    listed(&mut world, &muc(), &bob.user(), true);
    world.take_effects();
    (world, alice, bob, laptop)
}

#[test]
fn who_leaves_has_all_leaves_proposed_for_removal_once_and_members_can_commit_it() {
    let (mut world, mut alice, bob, _laptop) = two_devices_of_bob();
    listed(&mut world, &muc(), &bob.user(), false);
    let posted = proposals(&mut world);
    assert_eq!(posted.len(), 2);
    for (seq, handshake) in (2..).zip(&posted) {
        let receipt = Receipt::from_bytes(&handshake.receipt).unwrap();
        assert_eq!((receipt.tbs.kind, receipt.tbs.seq), (ReceiptKind::Proposal, seq));
        alice.receive(handshake);
    }
    // Said again, and said by the whole list: nothing more.
    listed(&mut world, &muc(), &bob.user(), false);
    world.happen(Input::Listed { room: muc(), users: Vec::new() });
    assert!(world.take_effects().is_empty());
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [], commit).unwrap();
    assert_eq!(alice.group().roster().members().len(), 1);
    assert_eq!(world.hub().users_in(&room()).unwrap(), [alice.user()]);
}

#[test]
fn a_commit_that_leaves_out_a_removal_is_refused_with_what_it_lacks() {
    let (mut world, mut alice, bob, _laptop) = two_devices_of_bob();
    listed(&mut world, &muc(), &bob.user(), false);
    let posted = proposals(&mut world);
    let commit = alice.update(world.now);
    let hashes = posted.iter().map(|h| sha256(h.message.inline().unwrap())).collect();
    let refused = world.submit(&alice.user(), commit);
    assert_eq!(refused, Err(Refusal::MissingProposals(hashes)));
    posted.iter().for_each(|handshake| alice.receive(handshake));
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [], commit).unwrap();
}

#[test]
fn who_is_missing_in_the_whole_list_after_having_been_in_it_is_removed() {
    let (mut world, _alice, bob, _laptop) = two_devices_of_bob();
    world.happen(Input::Listed { room: muc(), users: vec![bob.user()] });
    assert!(world.take_effects().is_empty());
    world.happen(Input::Listed { room: muc(), users: Vec::new() });
    assert_eq!(proposals(&mut world).len(), 2);
}

#[test]
fn who_was_added_and_is_not_let_in_yet_is_not_missed() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    world.group_with(&mut [&mut bob]);
    world.take_effects();
    world.happen(Input::Listed { room: muc(), users: Vec::new() });
    world.happen(Input::Listed { room: room(), users: Vec::new() });
    assert!(world.take_effects().is_empty());
}

#[test]
fn the_echo_of_an_own_expulsion_does_not_remove_who_was_added_again() {
    let (mut world, mut alice, mut bob, laptop) = two_devices_of_bob();
    let commit = alice.commit(world.now, |builder| {
        builder.remove_member(bob.index())?.remove_member(laptop.index())
    });
    world.commit(&mut alice, &mut [], commit).unwrap();
    world.add(&mut alice, &mut [], &mut [&mut bob]);
    let admits = world.take_effects();
    assert!(admits.iter().any(|e| matches!(e, Effect::Admit(a) if a.room == muc())));
    // A list that was read before the kick, then the kick's echo, then the new invitation.
    world.happen(Input::Listed { room: muc(), users: vec![bob.user()] });
    listed(&mut world, &muc(), &bob.user(), false);
    listed(&mut world, &muc(), &bob.user(), true);
    assert!(world.take_effects().is_empty());
    // A real leave still counts.
    listed(&mut world, &muc(), &bob.user(), false);
    assert_eq!(proposals(&mut world).len(), 1);
}

#[test]
fn the_echo_counts_from_when_the_network_could_be_reached() {
    let (mut world, mut alice, mut bob, laptop) = two_devices_of_bob();
    let commit = alice.commit(world.now, |builder| {
        builder.remove_member(bob.index())?.remove_member(laptop.index())
    });
    world.commit(&mut alice, &mut [], commit).unwrap();
    world.now += EXPEL_ECHO_MS;
    world.add(&mut alice, &mut [], &mut [&mut bob]);
    world.take_effects();
    world.happen(Input::Listed { room: muc(), users: vec![bob.user()] });
    world.happen(Input::Expelled { room: muc(), user: bob.user() });
    world.now += EXPEL_ECHO_MS / 2;
    listed(&mut world, &muc(), &bob.user(), false);
    assert!(world.take_effects().is_empty());
}

#[test]
fn an_echo_that_never_came_does_not_excuse_a_later_leave() {
    let (mut world, mut alice, mut bob, laptop) = two_devices_of_bob();
    let commit = alice.commit(world.now, |builder| {
        builder.remove_member(bob.index())?.remove_member(laptop.index())
    });
    world.commit(&mut alice, &mut [], commit).unwrap();
    world.add(&mut alice, &mut [], &mut [&mut bob]);
    world.take_effects();
    world.happen(Input::Expelled { room: muc(), user: bob.user() });
    world.now += EXPEL_ECHO_MS;
    listed(&mut world, &muc(), &bob.user(), false);
    assert_eq!(proposals(&mut world).len(), 1);
}

#[test]
fn a_ghost_that_was_thrown_out_takes_its_account_along() {
    let (mut world, _alice, bob, _laptop) = two_devices_of_bob();
    listed(&mut world, &room(), &bob.user(), false);
    assert_eq!(proposals(&mut world).len(), 2);
    world.restart();
    assert!(world.hub().is_put_out(&room(), &bob.user()).unwrap());
    listed(&mut world, &room(), &bob.user(), true);
    assert!(!world.hub().is_put_out(&room(), &bob.user()).unwrap());
}

#[test]
fn a_ghost_that_was_thrown_out_comes_again_where_one_commit_removes_and_adds_its_account() {
    let (mut world, mut alice, bob, _laptop) = two_devices_of_bob();
    listed(&mut world, &room(), &bob.user(), true);
    listed(&mut world, &room(), &bob.user(), false);
    for handshake in proposals(&mut world) {
        alice.receive(&handshake);
    }
    let mut tablet = Device::new("bob@example.org", "00000000000000b2");
    world.add(&mut alice, &mut [], &mut [&mut tablet]);
    assert_eq!(alice.group().roster().members().len(), 2);
    let admitted = world.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::Admit(admit) => Some((admit.room, admit.user)),
        _ => None,
    });
    // In the other room Bob is all the time.
    assert_eq!(admitted.collect::<Vec<_>>(), [(room(), bob.user())]);
}

#[test]
fn a_ghost_is_known_to_be_listed_until_it_goes_and_not_missed_in_a_list_without_ghosts() {
    let (mut world, mut alice, bob, laptop) = two_devices_of_bob();
    let is_listed =
        |world: &World, user: &UserId| world.hub().is_listed(&room(), user).unwrap_or_default();
    assert!(!is_listed(&world, &bob.user()));
    listed(&mut world, &room(), &bob.user(), true);
    world.happen(Input::Listed { room: room(), users: vec![alice.user()] });
    assert!(is_listed(&world, &bob.user()));
    assert!(world.take_effects().is_empty());
    let commit = alice.commit(world.now, |builder| {
        builder.remove_member(bob.index())?.remove_member(laptop.index())
    });
    world.commit(&mut alice, &mut [], commit).unwrap();
    assert!(!is_listed(&world, &bob.user()));
}

#[test]
fn who_is_listed_without_a_leaf_is_left_alone_and_rooms_of_others_mean_nothing() {
    let (mut world, _alice, bob, _laptop) = two_devices_of_bob();
    let guest = UserId::from_human("guest@example.org").unwrap();
    listed(&mut world, &muc(), &guest, true);
    listed(&mut world, &muc(), &guest, false);
    let elsewhere = RoomAddress::xmpp("elsewhere@rooms.example.org");
    listed(&mut world, &elsewhere, &bob.user(), false);
    assert!(world.take_effects().is_empty());
}

#[test]
fn an_xmpp_member_leaves_by_request_and_a_matrix_member_by_leaving_the_room() {
    let (mut world, mut alice, bob, _laptop) = two_devices_of_bob();
    let leave = Request::LeaveRoom(LeaveRoom { group: alice.group_id() });
    let refused = world.request(&alice.user(), leave.clone());
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))));
    assert_eq!(world.request(&bob.user(), leave), Ok(Answer::Done));
    for handshake in proposals(&mut world) {
        alice.receive(&handshake);
    }
    let put_out: Vec<_> = world
        .take_effects()
        .into_iter()
        .map(|effect| match effect {
            Effect::Expel(expel) => (expel.room, expel.user),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(put_out, [(room(), bob.user()), (muc(), bob.user())]);
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [], commit).unwrap();
}

#[test]
fn a_member_whose_removal_waits_cannot_win_an_epoch() {
    let (mut world, _alice, mut bob, mut laptop) = two_devices_of_bob();
    listed(&mut world, &muc(), &bob.user(), false);
    let commit = bob.update(world.now);
    let refused = world.submit(&bob.user(), commit);
    assert!(matches!(refused, Err(Refusal::MissingProposals(_))), "{refused:?}");
    for handshake in proposals(&mut world) {
        laptop.receive(&handshake);
    }
    let commit = laptop.update(world.now);
    let refused = world.submit(&laptop.user(), commit);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_leaf_that_nobody_renews_is_proposed_for_removal_and_one_that_was_renewed_is_not() {
    let (mut world, mut alice, mut bob, mut laptop) = two_devices_of_bob();
    world.now += 70 * DAY_MS;
    let update = alice.update(world.now);
    world.submit(&alice.user(), update).unwrap();
    let posted = proposals(&mut world);
    let [update] = posted.as_slice() else { panic!("{posted:?}") };
    for device in [&mut bob, &mut laptop] {
        device.receive(update);
    }
    alice.group().apply_pending_commit().unwrap();
    world.now += 6 * DAY_MS;
    world.happen(Input::Tick);
    assert!(proposals(&mut world).is_empty(), "nobody's time has come");
    world.now += DAY_MS;
    world.happen(Input::Tick);
    let posted = proposals(&mut world);
    assert_eq!(posted.len(), 2, "both of Bob's devices are idle, Alice's is not");
    for handshake in &posted {
        alice.receive(handshake);
    }
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [], commit).unwrap();
    assert_eq!(alice.group().roster().members().len(), 1);
    world.now += 30 * DAY_MS;
    world.happen(Input::Tick);
    assert!(proposals(&mut world).is_empty(), "who is gone is not proposed again");
}
