//! Devices that their homeserver lists no more: revoked when two answers lack them, and never without one.

use mls_core::hub::{
    AccountDevices, DeviceKey, DevicesListed, Effect, Input, ListDevices, Membership,
    OperatorAnswer, OperatorOrder, RevokedBy,
};
use mls_core::limits::{
    ACCOUNTS_LOOKED_AT_ONCE_MAX, DAY_MS, GONE_PAUSE_MS, LOOK_AT_ACCOUNTS_AGAIN_MS,
};
use mls_core::wire::Request;
use mls_core::wire::issue_credential::{IssueCredential, proof_of};

use crate::device::{Device, SUITE};
use crate::revocation::{public_key, sign};
use crate::world::{World, room};

/// A device that the homeserver lists and the hub certifies.
fn certify(world: &mut World, device: &Device, id: &str) {
    let public = public_key(device);
    let request =
        mls_core::authority::request_certificate(&device.id, SUITE, &device.key, &public).unwrap();
    let proof = sign(device, &proof_of(&request));
    let issue = IssueCredential { request, device_key: public.to_vec(), proof };
    assert!(world.request_as(&device.user(), id, Request::IssueCredential(issue)).is_none());
    let effects = world.take_effects();
    let [Effect::QueryDevice(query)] = effects.as_slice() else { panic!("{effects:?}") };
    let said = DeviceKey { job: query.job, result: Ok(Some(public.to_vec())) };
    world.happen(Input::DeviceKey(said));
    world.take_effects();
}

/// A hub with a device of Alice's and one of Bob's.
fn verona() -> (World, Device, Device) {
    let mut world = World::alone();
    let alice = Device::new("@alice:example.org", "ALICE");
    let bob = Device::new("@bob:example.org", "BOB");
    certify(&mut world, &alice, "a");
    certify(&mut world, &bob, "b");
    (world, alice, bob)
}

/// What the hub asks its homeserver with the next tick.
fn tick(world: &mut World) -> Option<ListDevices> {
    world.now += GONE_PAUSE_MS;
    tick_at_once(world)
}

/// The same, while no time passes.
fn tick_at_once(world: &mut World) -> Option<ListDevices> {
    world.happen(Input::Tick);
    world.take_effects().into_iter().find_map(|effect| match effect {
        Effect::ListDevices(asked) => Some(asked),
        _ => None,
    })
}

/// The homeserver lists these devices, and no others of the accounts that it was asked for.
fn lists(world: &mut World, asked: &ListDevices, there: &[&Device]) {
    let account = |user: &mls_core::address::UserId| AccountDevices {
        user: user.clone(),
        devices: there.iter().filter(|d| d.user() == *user).map(|d| d.id.device()).collect(),
    };
    let accounts = asked.users.iter().map(account).collect();
    world.happen(Input::DevicesListed(DevicesListed { job: asked.job, accounts }));
}

fn revoked(world: &mut World) -> Vec<(String, RevokedBy)> {
    match world.order(OperatorOrder::List) {
        OperatorAnswer::Listed(entries) => {
            entries.into_iter().map(|entry| (format!("{:?}", entry.whom), entry.by)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_two_answers_lack_is_revoked_and_one_that_is_there_is_not() {
    let (mut world, alice, _) = verona();
    world.with_twin();
    let asked = tick(&mut world).unwrap();
    assert_eq!(asked.users.len(), 2);
    lists(&mut world, &asked, &[&alice]);
    assert_eq!(revoked(&mut world), [], "one answer is not enough");
    let again = tick(&mut world).unwrap();
    assert_eq!(again.users.len(), 1, "only who was missed");
    lists(&mut world, &again, &[&alice]);
    let revoked = revoked(&mut world);
    assert_eq!(revoked.len(), 1);
    assert!(revoked[0].0.contains("bob") && revoked[0].1 == RevokedBy::Gone, "{revoked:?}");
}

#[test]
fn a_device_that_is_listed_again_was_never_gone() {
    let (mut world, alice, bob) = verona();
    let asked = tick(&mut world).unwrap();
    lists(&mut world, &asked, &[&alice]);
    let again = tick(&mut world).unwrap();
    lists(&mut world, &again, &[&alice, &bob]);
    assert!(tick(&mut world).is_none(), "nobody is missed any more");
    world.now += LOOK_AT_ACCOUNTS_AGAIN_MS;
    let asked = tick(&mut world).unwrap();
    lists(&mut world, &asked, &[&alice]);
    assert_eq!(revoked(&mut world), [], "that is the first answer again");
}

#[test]
fn a_homeserver_that_is_away_or_says_nothing_of_an_account_revokes_nobody() {
    let (mut world, ..) = verona();
    let mut asked = tick(&mut world).unwrap();
    for _ in 0..5 {
        // No answer at all, for as long as it takes.
        assert!(tick(&mut world).is_none(), "it is not asked while it owes an answer");
        world.now += DAY_MS;
        asked = tick(&mut world).unwrap();
    }
    for _ in 0..5 {
        let nothing = DevicesListed { job: asked.job, accounts: Vec::new() };
        world.happen(Input::DevicesListed(nothing));
        world.now += LOOK_AT_ACCOUNTS_AGAIN_MS;
        while let Some(next) = tick(&mut world) {
            asked = next;
            world.happen(Input::DevicesListed(DevicesListed {
                job: asked.job,
                accounts: Vec::new(),
            }));
        }
    }
    assert_eq!(revoked(&mut world), []);
}

#[test]
fn two_answers_to_one_question_are_one() {
    let (mut world, ..) = verona();
    let asked = tick(&mut world).unwrap();
    lists(&mut world, &asked, &[]);
    world.now += GONE_PAUSE_MS;
    lists(&mut world, &asked, &[]);
    assert_eq!(revoked(&mut world), []);
}

#[test]
fn two_answers_at_one_moment_are_one() {
    let (mut world, alice, bob) = verona();
    let asked = tick(&mut world).unwrap();
    lists(&mut world, &asked, &[&alice]);
    world.order(OperatorOrder::LookAt(bob.user()));
    let asked = tick_at_once(&mut world).unwrap();
    lists(&mut world, &asked, &[&alice]);
    assert_eq!(revoked(&mut world), []);
    let asked = tick(&mut world).unwrap();
    lists(&mut world, &asked, &[&alice]);
    assert_eq!(revoked(&mut world).len(), 1);
}

/// A hub with so many accounts of one device each.
fn crowd(many: usize) -> (World, Vec<Device>) {
    let mut world = World::alone();
    let device = |n| Device::new(&format!("@user{n}:example.org"), "DEVICE");
    let devices: Vec<_> = (0..many).map(device).collect();
    for (n, device) in devices.iter().enumerate() {
        certify(&mut world, device, &format!("r{n}"));
    }
    (world, devices)
}

#[test]
fn accounts_of_which_the_homeserver_says_nothing_do_not_hold_up_the_others() {
    let (mut world, _) = crowd(ACCOUNTS_LOOKED_AT_ONCE_MAX * 2);
    let first = tick(&mut world).unwrap();
    lists(&mut world, &first, &[]);
    let mut seen: Vec<_> = first.users.clone();
    for _ in 0..3 {
        let asked = tick(&mut world).unwrap();
        assert!(asked.users.len() <= ACCOUNTS_LOOKED_AT_ONCE_MAX);
        // Nothing of those that it lacked, or of anybody.
        world.happen(Input::DevicesListed(DevicesListed { job: asked.job, accounts: Vec::new() }));
        seen.extend(asked.users);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), ACCOUNTS_LOOKED_AT_ONCE_MAX * 2);
    assert_eq!(revoked(&mut world), []);
}

#[test]
fn many_accounts_are_asked_for_a_few_at_a_time_and_each_once_in_a_round() {
    let (mut world, devices) = crowd(ACCOUNTS_LOOKED_AT_ONCE_MAX * 2 + 3);
    let all: Vec<_> = devices.iter().collect();
    let mut seen = Vec::new();
    while let Some(asked) = tick(&mut world) {
        assert!(asked.users.len() <= ACCOUNTS_LOOKED_AT_ONCE_MAX);
        lists(&mut world, &asked, &all);
        seen.extend(asked.users);
    }
    let mut users: Vec<_> = devices.iter().map(Device::user).collect();
    users.sort();
    assert_eq!(seen, users);
    assert_eq!(revoked(&mut world), []);
}

#[test]
fn who_leaves_a_room_or_is_named_by_the_operator_is_looked_at_with_the_next_tick() {
    let (mut world, alice, bob) = verona();
    let mut member = Device::new("dave@example.org", "00000000000000d0");
    world.group_with(&mut [&mut member]);
    let (here, there) = ([&alice, &bob], room());
    let asked = tick(&mut world).unwrap();
    lists(&mut world, &asked, &here);
    assert!(tick(&mut world).is_none());
    for listed in [true, false] {
        let change = Membership { room: there.clone(), user: bob.user(), listed };
        world.happen(Input::Membership(change));
    }
    let asked = tick(&mut world).unwrap();
    assert_eq!(asked.users, [bob.user()]);
    lists(&mut world, &asked, &here);
    world.order(OperatorOrder::LookAt(alice.user()));
    assert_eq!(tick(&mut world).unwrap().users, [alice.user()]);
    let refused = world.order(OperatorOrder::LookAt(member.user()));
    assert!(matches!(refused, OperatorAnswer::Refused(_)), "{refused:?}");
}
