//! What all requests have in common, and the small ones.

use mls_core::hub::{AnswerEffect, Effect, Input, ReplyTo, RequestInput};
use mls_core::limits::ANSWER_KEEP_MS;
use mls_core::policy::{CIPHER_SUITES, COMMITS_PER_HOUR};
use mls_core::wire::ask_to_join::AskToJoin;
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::device_waiting::DeviceWaiting;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::report_invalid::ReportInvalid;
use mls_core::wire::{Answer, Notice, Request};

use crate::device::Device;
use crate::world::World;

#[test]
fn the_hub_says_who_it_is_and_does_not_change_its_keys() {
    let mut world = World::new();
    let alice = Device::new("@alice:example.org", "ALICE").user();
    let info = world.info(&alice);
    assert_eq!(info.receipt_key.len(), 32);
    assert_eq!(info.senders.len(), CIPHER_SUITES.len());
    assert_eq!(info.hub_xmpp.as_deref(), Some("mls.example.org"));
    assert_eq!(world.info(&alice), info);
}

#[test]
fn an_answer_goes_where_the_request_came_from() {
    let mut world = World::new();
    let from = Device::new("@alice:example.org", "ALICE").user();
    let reply_to = ReplyTo::ControlRoom("!control:example.org".to_owned());
    let id = "one".to_owned();
    let request = Request::HubInfo;
    let input = RequestInput { from, reply_to: reply_to.clone(), id, request };
    let outcome = world.input(Input::Request(input));
    match outcome.effects.as_slice() {
        [Effect::Answer(AnswerEffect { to, id, .. })] => {
            assert_eq!((to, id.as_str()), (&reply_to, "one"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_id_names_one_request_for_a_day() {
    let mut world = World::new();
    let bob = Device::new("bob@example.org", "00000000000000b0");
    let publish = |package| {
        Request::PublishKeyPackages(mls_core::wire::publish_key_packages::PublishKeyPackages {
            device: bob.id.device(),
            one_time: vec![mls_core::wire::publish_key_packages::KeyPackageBytes(package)],
            last_resort: None,
        })
    };
    let first = publish(bob.key_package(world.now, false));
    let second = publish(bob.key_package(world.now, false));
    let answer = world.request_as(&bob.user(), "p", first.clone()).unwrap();
    assert!(answer.is_ok());
    assert_eq!(world.request_as(&bob.user(), "p", first), Some(answer));
    let refused = world.request_as(&bob.user(), "p", second.clone());
    assert!(matches!(refused, Some(Err(Refusal::Invalid(_)))), "{refused:?}");
    // Another account's id is another id, and after a day it is free.
    let carol = Device::new("carol@example.org", "00000000000000c0");
    let create = CreateRoom { matrix: false, xmpp: true, name: String::new() };
    assert!(world.request_as(&carol.user(), "p", Request::CreateRoom(create)).is_none());
    world.now += ANSWER_KEEP_MS;
    world.happen(Input::Tick);
    assert!(world.request_as(&bob.user(), "p", second).unwrap().is_ok());
}

#[test]
fn an_id_that_is_none_is_refused() {
    let mut world = World::new();
    let alice = Device::new("@alice:example.org", "ALICE").user();
    for id in ["", "a b", "ä", &"x".repeat(65)] {
        let refused = world.request_as(&alice, id, Request::HubInfo);
        assert!(matches!(refused, Some(Err(Refusal::Invalid(_)))), "{id:?}");
    }
}

#[test]
fn a_report_of_an_invalid_handshake_is_shown_to_admins_and_moves_nothing() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    let commit = alice.update(world.now);
    let receipt = world.commit(&mut alice, &mut [&mut bob], commit).unwrap();
    world.take_effects();
    let report = |seq, receipt: &[u8]| {
        Request::ReportInvalid(ReportInvalid {
            group: bob.group_id(),
            seq,
            receipt: receipt.to_vec(),
            why: "x".repeat(10_000),
        })
    };
    let bytes = receipt.to_bytes().unwrap();
    assert_eq!(world.request(&bob.user(), report(2, &bytes)), Ok(Answer::Done));
    match world.take_effects().as_slice() {
        [Effect::Notify(notify)] => {
            assert_eq!(notify.to, alice.id);
            let Notice::MembershipWarning(warning) = &notify.notice else { panic!() };
            assert!(warning.text.contains(bob.user().as_str()) && warning.text.len() < 1000);
        }
        other => panic!("{other:?}"),
    }
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(world.request(&bob.user(), report(2, &forged)), Err(Refusal::Invalid(_))));
    assert!(matches!(world.request(&bob.user(), report(1, &bytes)), Err(Refusal::Invalid(_))));
    let stranger = Device::new("mallory@example.org", "0000000000000000").user();
    assert!(matches!(world.request(&stranger, report(2, &bytes)), Err(Refusal::NotAllowed(_))));
}

#[test]
fn a_new_device_is_announced_to_its_users_devices_and_to_admins_only() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut carol = Device::new("@carol:example.org", "CAROL");
    let alice = world.group_with(&mut [&mut bob, &mut carol]);
    world.take_effects();
    let ask = |device: &str| Request::AskToJoin(AskToJoin { device: device.to_owned() });
    assert_eq!(world.request(&bob.user(), ask("00000000000000b1")), Ok(Answer::Done));
    let laptop = bob.user().device("00000000000000b1").unwrap();
    let mut told = Vec::new();
    for effect in world.take_effects() {
        let Effect::Notify(notify) = effect else { panic!("{effect:?}") };
        let waiting = DeviceWaiting { group: bob.group_id(), client: laptop.clone() };
        assert_eq!(notify.notice, Notice::DeviceWaiting(waiting));
        told.push(notify.to);
    }
    told.sort();
    assert_eq!(told, [alice.id, bob.id.clone()]);
    // A device that is in the group already, and an account that is in none.
    assert_eq!(world.request(&bob.user(), ask("00000000000000b0")), Ok(Answer::Done));
    let stranger = Device::new("mallory@example.org", "0000000000000000").user();
    assert_eq!(world.request(&stranger, ask("0000000000000000")), Ok(Answer::Done));
    assert!(world.take_effects().is_empty());
    assert!(matches!(world.request(&bob.user(), ask("laptop")), Err(Refusal::Invalid(_))));
}

#[test]
fn commits_of_one_member_are_limited() {
    let mut world = World::alone();
    let mut alice = world.alices_group();
    for _ in 0..COMMITS_PER_HOUR {
        let commit = alice.update(world.now);
        world.commit(&mut alice, &mut [], commit).unwrap();
    }
    let commit = alice.update(world.now);
    let refused = world.submit(&alice.user(), commit.clone());
    let Err(Refusal::RateLimited(wait_ms)) = refused else { panic!("{refused:?}") };
    world.now += wait_ms;
    world.commit(&mut alice, &mut [], commit).unwrap();
}
