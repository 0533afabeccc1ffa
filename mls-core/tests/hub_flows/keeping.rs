//! How long the hub keeps what it needs: handshakes, Welcomes, the log of claims; and how much it gives away.

use mls_core::hub::Input;
use mls_core::limits::{
    CLAIM_KEEP_MS, DEVICES_PER_USER_MAX, HANDSHAKE_KEEP_MS, HANDSHAKES_PER_SNAPSHOT,
    WELCOME_KEEP_MS,
};
use mls_core::policy::ONE_TIME_CLAIMS_PER_DAY;
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::fetch_handshakes::FetchHandshakes;
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use crate::device::Device;
use crate::world::World;

fn bob() -> Device {
    Device::new("bob@example.org", "00000000000000b0")
}

/// So much time passes, and the hub looks at its clock.
fn wait(world: &mut World, ms: u64) {
    world.now += ms;
    world.happen(Input::Tick);
}

#[test]
fn handshakes_are_kept_until_they_are_too_old() {
    let mut world = World::alone();
    let mut alice = world.alices_group();
    let fetch = FetchHandshakes { group: alice.group_id(), from_seq: 1 };
    let renew = |world: &mut World, alice: &mut Device| {
        let commit = alice.update(world.now);
        world.commit(alice, &mut [], commit).unwrap();
    };
    (0..=HANDSHAKES_PER_SNAPSHOT).for_each(|_| renew(&mut world, &mut alice));
    world.now += HANDSHAKE_KEEP_MS;
    renew(&mut world, &mut alice);
    let found = world.request(&alice.user(), Request::FetchHandshakes(fetch.clone()));
    assert!(matches!(found, Ok(Answer::Handshakes(_))), "{found:?}");
    world.now += 1;
    renew(&mut world, &mut alice);
    let gone = world.request(&alice.user(), Request::FetchHandshakes(fetch));
    assert_eq!(gone, Err(Refusal::Gone));
}

fn add(world: &mut World, alice: &mut Device, bob: &Device) {
    let package = world.claim_one(alice, bob);
    let commit = alice.commit_adding(world.now, &[package]);
    world.commit(alice, &mut [], commit).unwrap();
}

/// How many Welcomes wait for a device.
fn waiting(world: &mut World, device: &Device) -> usize {
    let id = device.id.device();
    let fetch = FetchWelcomes { device: id, acknowledged: Vec::new(), held: Vec::new() };
    match world.request(&device.user(), Request::FetchWelcomes(fetch)) {
        Ok(Answer::Welcomes(answer)) => answer.welcomes.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_welcome_waits_for_its_device_so_long() {
    let mut world = World::new();
    let (mut alice, bob) = (world.alices_group(), bob());
    add(&mut world, &mut alice, &bob);
    wait(&mut world, WELCOME_KEEP_MS - 1);
    assert_eq!(waiting(&mut world, &bob), 1);
    wait(&mut world, 1);
    assert_eq!(waiting(&mut world, &bob), 0);
}

#[test]
fn a_welcome_outlasts_the_leaf_that_it_is_for() {
    let mut world = World::new();
    let (mut alice, bob) = (world.alices_group(), bob());
    add(&mut world, &mut alice, &bob);
    let remove = alice.commit(world.now, |builder| builder.remove_member(1));
    world.commit(&mut alice, &mut [], remove).unwrap();
    // By nothing else a device learns that a restart took it along, and that it was put out of that.
    assert_eq!(waiting(&mut world, &bob), 1);
}

#[test]
fn a_claimed_package_can_be_added_as_long_as_its_claim_is_remembered() {
    for (after_ms, taken) in [(CLAIM_KEEP_MS - 1, true), (CLAIM_KEEP_MS, false)] {
        let mut world = World::new();
        let (mut alice, bob) = (world.alices_group(), bob());
        let package = world.claim_one(&alice, &bob);
        wait(&mut world, after_ms);
        let commit = alice.commit_adding(world.now, &[package]);
        let answer = world.commit(&mut alice, &mut [], commit);
        assert_eq!(answer.is_ok(), taken, "{answer:?}");
    }
}

#[test]
fn so_many_one_time_packages_of_a_user_are_handed_out_in_a_day_and_then_last_resorts() {
    let mut world = World::alone();
    let alice = world.alices_group();
    let mut carol = Device::new("@carol:example.org", "CAROL");
    let (matrix_room, muc) = ("!two:example.org".to_owned(), "two@rooms.example.org".to_owned());
    let rooms = RoomCreated { matrix_room: Some(matrix_room), muc: Some(muc) };
    let rooms = world.make_these_rooms(&carol.user(), rooms);
    let info = world.info(&carol.user());
    carol.create_group(&info, &rooms, world.now);
    world.receipt(&carol.user(), Request::RegisterGroup(carol.registration())).unwrap();
    let devices: Vec<_> = (0..DEVICES_PER_USER_MAX)
        .map(|number| Device::new("bob@example.org", &format!("{number:016x}")))
        .collect();
    for device in &devices {
        let one_time = [(); 2].map(|()| device.key_package(world.now, false)).to_vec();
        let last_resort = device.key_package(world.now, true);
        world.publish(device, one_time, Some(last_resort)).unwrap();
    }
    let one_time = |found: &ClaimedClient| matches!(found.outcome, ClaimOutcome::OneTime(_));
    let handed_out: Vec<_> = [&alice, &carol]
        .into_iter()
        .flat_map(|by| world.claim(&by.user(), &by.group_id(), &[bob().user()]).unwrap())
        .collect();
    assert_eq!(handed_out.len(), 2 * DEVICES_PER_USER_MAX);
    let first = handed_out.iter().filter(|found| one_time(found)).count();
    assert_eq!(first, usize::try_from(ONE_TIME_CLAIMS_PER_DAY).unwrap());
}
