//! Key packages: published, claimed once, unfit ones thrown away.

use mls_core::hub::{ClaimMatrix, Claimed, Effect, Input};
use mls_core::identity::credential;
use mls_core::limits::{CLAIM_ATTEMPTS_MAX, DEVICES_PER_USER_MAX, JOB_WAIT_MS};
use mls_core::policy::{CLAIMS_PER_HOUR, KEY_PACKAGE_LIFETIME_S, PUBLICATIONS_PER_HOUR};
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::publish_key_packages::KeyPackageCount;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Notice};
use mls_rs::identity::SigningIdentity;
use mls_rs_core::crypto::CipherSuiteProvider;

use crate::device::{self, Device, SUITE};
use crate::group::{claim_request, package_of};
use crate::lawless::Rules;
use crate::world::World;

fn bob() -> Device {
    Device::new("bob@example.org", "00000000000000b0")
}

fn counted(answer: Result<Answer, Refusal>) -> (u32, bool) {
    match answer {
        Ok(Answer::KeyPackageCount(KeyPackageCount { one_time, last_resort })) => {
            (one_time, last_resort)
        }
        other => panic!("{other:?}"),
    }
}

/// A key package that lives this long.
fn that_lives(of: &Device, now_ms: u64, seconds: u64) -> Vec<u8> {
    let suite = mls_core::crypto::Crypto::system().suite(SUITE).unwrap();
    let public = suite.signature_key_derive_public(&of.key).unwrap();
    let identity = SigningIdentity::new(credential(&of.id), public);
    let client = device::client(identity, of.key.clone(), seconds, Rules::default());
    device::key_package(&client, now_ms, false)
}

/// One that lives longer than the policy allows.
fn too_long_lived(of: &Device, now_ms: u64) -> Vec<u8> {
    that_lives(of, now_ms, 365 * 24 * 3600)
}

#[test]
fn packages_that_are_nearly_over_and_too_many_requests_are_refused() {
    let mut world = World::alone();
    let bob = bob();
    let short = that_lives(&bob, world.now, 2 * 3600);
    let refused = world.publish(&bob, vec![short], None);
    assert!(matches!(&refused, Err(Refusal::Invalid(why)) if why.contains("a day")), "{refused:?}");
    for _ in 1..PUBLICATIONS_PER_HOUR {
        world.publish(&bob, Vec::new(), None).unwrap();
    }
    assert!(matches!(world.publish(&bob, Vec::new(), None), Err(Refusal::RateLimited(_))));
}

#[test]
fn a_device_that_fills_its_pool_no_longer_makes_room_for_a_new_one() {
    let mut world = World::new();
    let device = |n: usize| Device::new("bob@example.org", &format!("{n:016x}"));
    for n in 0..DEVICES_PER_USER_MAX {
        let device = device(n);
        let last = device.key_package(world.now, true);
        // All but the first keep a one-time package.
        let one_time = (n > 0).then(|| device.key_package(world.now, false));
        world.publish(&device, one_time.into_iter().collect(), Some(last)).unwrap();
    }
    let one_more = |world: &mut World, n: usize| {
        let device = device(n);
        let package = device.key_package(world.now, false);
        world.publish(&device, vec![package], None)
    };
    assert_eq!(counted(one_more(&mut world, DEVICES_PER_USER_MAX)), (1, false));
    let refused = one_more(&mut world, DEVICES_PER_USER_MAX + 1);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}

#[test]
fn one_time_packages_are_handed_out_once_and_then_the_last_resort() {
    let mut world = World::new();
    let (bob, alice) = (bob(), world.alices_group());
    let packages = vec![bob.key_package(world.now, false)];
    let last = bob.key_package(world.now, true);
    assert_eq!(counted(world.publish(&bob, packages.clone(), Some(last.clone()))), (1, true));
    let claim =
        |world: &mut World| world.claim(&alice.user(), &alice.group_id(), &[bob.user()]).unwrap();
    let first = claim(&mut world);
    assert_eq!(first[0].outcome, ClaimOutcome::OneTime(packages[0].clone()));
    // The same group gets the same package for a day.
    assert_eq!(claim(&mut world), first);
    world.now += 24 * 3600 * 1000 + 1;
    assert_eq!(claim(&mut world)[0].outcome, ClaimOutcome::LastResort(last));
    // What was handed out does not come back into the pool.
    assert_eq!(counted(world.publish(&bob, packages, None)), (0, true));
}

#[test]
fn a_pool_that_runs_low_is_announced_to_its_device() {
    let mut world = World::new();
    let (bob, alice) = (bob(), world.alices_group());
    let packages = (0..50).map(|_| bob.key_package(world.now, false)).collect();
    assert_eq!(counted(world.publish(&bob, packages, None)), (50, false));
    world.claim(&alice.user(), &alice.group_id(), &[bob.user()]).unwrap();
    match world.take_effects().as_slice() {
        [Effect::Notify(notify)] => {
            assert_eq!(notify.to, bob.id);
            assert!(matches!(&notify.notice, Notice::KeyPackagesLow(low) if low.count == 49));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_fit_packages_of_the_own_device_are_pooled() {
    let mut world = World::new();
    let (bob, carol) = (bob(), Device::new("carol@example.org", "00000000000000c0"));
    let now = world.now;
    let mut forged = bob.key_package(now, false);
    *forged.last_mut().unwrap() ^= 1;
    let unfit = [
        ("another device's", carol.key_package(now, false)),
        ("a last resort as one-time", bob.key_package(now, true)),
        ("a forged one", forged),
        ("one from the past", bob.key_package(now - (KEY_PACKAGE_LIFETIME_S + 7200) * 1000, false)),
        ("one from the future", bob.key_package(now + 48 * 3600 * 1000, false)),
        ("one of 365 days", too_long_lived(&bob, now)),
        ("garbage", vec![1, 2, 3]),
    ];
    for (what, package) in unfit {
        let refused = world.publish(&bob, vec![package], None);
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{what}: {refused:?}");
    }
    let matrix = Device::new("@alice:example.org", "ALICE");
    let refused = world.publish(&matrix, vec![matrix.key_package(now, false)], None);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}

#[test]
fn who_may_not_add_may_not_claim_and_nobody_claims_for_nothing() {
    let mut world = World::new();
    let mut bob = bob();
    let alice = world.group_with(&mut [&mut bob]);
    let group = alice.group_id();
    let carol = Device::new("carol@example.org", "00000000000000c0").user();
    let by = |world: &mut World, who: &Device| {
        world.claim(&who.user(), &group, std::slice::from_ref(&carol))
    };
    assert!(matches!(by(&mut world, &bob), Err(Refusal::NotAllowed(_))));
    let stranger = Device::new("mallory@example.org", "0000000000000000");
    assert!(matches!(by(&mut world, &stranger), Err(Refusal::NotAllowed(_))));
    assert_eq!(by(&mut world, &alice).unwrap()[0].outcome, ClaimOutcome::Unknown);
    assert!(matches!(world.claim(&alice.user(), &group, &[]), Err(Refusal::Invalid(_))));
}

#[test]
fn claims_of_one_target_are_limited() {
    let mut world = World::alone();
    let alice = world.alices_group();
    let carol = Device::new("carol@example.org", "00000000000000c0").user();
    for _ in 0..CLAIMS_PER_HOUR {
        world.claim(&alice.user(), &alice.group_id(), std::slice::from_ref(&carol)).unwrap();
    }
    let refused = world.claim(&alice.user(), &alice.group_id(), &[carol]);
    assert!(matches!(refused, Err(Refusal::RateLimited(_))), "{refused:?}");
}

fn asked(world: &mut World) -> ClaimMatrix {
    match world.take_effects().pop() {
        Some(Effect::ClaimMatrix(asked)) => asked,
        other => panic!("{other:?}"),
    }
}

fn claimed(of: &Device, outcome: ClaimOutcome) -> ClaimedClient {
    ClaimedClient { user: of.user(), client: Some(of.id.clone()), outcome }
}

#[test]
fn a_claim_over_both_networks_is_answered_when_all_is_known() {
    let mut world = World::new();
    let (bob, alice) = (bob(), world.alices_group());
    let carol = Device::new("@carol:example.org", "CAROL");
    let phone = Device::new("@carol:example.org", "PHONE");
    world.publish(&bob, vec![bob.key_package(world.now, false)], None).unwrap();
    let request = claim_request(&alice.group_id(), &[bob.user(), carol.user()]);
    assert!(world.request_as(&alice.user(), "claim", request.clone()).is_none());
    let ask = asked(&mut world);
    assert_eq!(ask.targets.len(), 1);
    // Asked again meanwhile: nobody is asked twice, and one answer comes.
    assert!(world.request_as(&alice.user(), "claim", request.clone()).is_none());
    assert!(world.take_effects().is_empty());
    let package = carol.key_package(world.now, false);
    let clients = vec![
        claimed(&carol, ClaimOutcome::OneTime(package.clone())),
        claimed(&phone, ClaimOutcome::Exhausted),
    ];
    world.happen(Input::Claimed(Claimed { job: ask.job, clients: clients.clone() }));
    let found = world.take_claimed().unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.contains(&clients[0]) && found.contains(&clients[1]));
    // The homeserver's answer comes twice, and the request is repeated.
    world.happen(Input::Claimed(Claimed { job: ask.job, clients }));
    assert!(world.take_effects().is_empty());
    let again = world.request_as(&alice.user(), "claim", request);
    assert_eq!(again, Some(Ok(Answer::KeyPackages(found))));
}

#[test]
fn unfit_packages_of_a_homeserver_are_claimed_again_and_at_last_given_up() {
    let mut world = World::new();
    let alice = world.alices_group();
    let carol = Device::new("@carol:example.org", "CAROL");
    let request = claim_request(&alice.group_id(), &[carol.user()]);
    assert!(world.request_as(&alice.user(), "claim", request).is_none());
    let mut jobs = Vec::new();
    for round in 1..=CLAIM_ATTEMPTS_MAX {
        let ask = asked(&mut world);
        assert!(!jobs.contains(&ask.job), "each asking has a job of its own");
        jobs.push(ask.job);
        let device = (round > 1).then(|| "CAROL".to_owned());
        assert_eq!((ask.targets.len(), &ask.targets[0].device), (1, &device));
        let unfit = too_long_lived(&carol, world.now);
        let clients = vec![claimed(&carol, ClaimOutcome::OneTime(unfit))];
        world.happen(Input::Claimed(Claimed { job: ask.job, clients }));
    }
    let found = world.take_claimed().unwrap();
    assert_eq!(found, [claimed(&carol, ClaimOutcome::Incompatible)]);
}

#[test]
fn a_package_under_another_devices_name_is_not_handed_out() {
    let mut world = World::new();
    let alice = world.alices_group();
    let carol = Device::new("@carol:example.org", "CAROL");
    let mallory = Device::new("@mallory:example.org", "M");
    let request = claim_request(&alice.group_id(), &[carol.user()]);
    assert!(world.request_as(&alice.user(), "claim", request).is_none());
    let ask = asked(&mut world);
    let package = mallory.key_package(world.now, true);
    let clients = vec![
        claimed(&carol, ClaimOutcome::LastResort(package.clone())),
        claimed(&mallory, ClaimOutcome::LastResort(package)),
    ];
    world.happen(Input::Claimed(Claimed { job: ask.job, clients }));
    assert_eq!(world.take_claimed().unwrap(), [claimed(&carol, ClaimOutcome::Incompatible)]);
}

#[test]
fn a_claim_that_takes_long_is_told_so_and_answered_when_asked_again() {
    let mut world = World::new();
    let alice = world.alices_group();
    let carol = Device::new("@carol:example.org", "CAROL");
    let request = claim_request(&alice.group_id(), &[carol.user()]);
    assert!(world.request_as(&alice.user(), "claim", request.clone()).is_none());
    let ask = asked(&mut world);
    world.now += JOB_WAIT_MS;
    world.happen(Input::Tick);
    assert!(matches!(world.take_effects().as_slice(), [Effect::Answer(_)]));
    let package = carol.key_package(world.now, false);
    let clients = vec![claimed(&carol, ClaimOutcome::OneTime(package.clone()))];
    world.happen(Input::Claimed(Claimed { job: ask.job, clients }));
    assert!(world.take_effects().is_empty());
    let Some(Ok(Answer::KeyPackages(found))) = world.request_as(&alice.user(), "claim", request)
    else {
        panic!("no answer")
    };
    assert_eq!(found.into_iter().map(package_of).collect::<Vec<_>>(), [package]);
}

#[test]
fn a_new_device_is_found_by_the_claim_after_an_add() {
    let mut world = World::new();
    let mut carol = Device::new("@carol:example.org", "CAROL");
    let mut phone = Device::new("@carol:example.org", "PHONE");
    let mut alice = world.group_with(&mut [&mut carol]);
    world.now += 1;
    world.add(&mut alice, &mut [&mut carol], &mut [&mut phone]);
    assert_eq!((alice.epoch(), carol.epoch(), phone.epoch()), (2, 2, 2));
}
