//! An authority that is a service of its own: devices find it by the hub's word, and go to both.

use std::sync::Arc;

use mls_core::group_settings::Settings;
use mls_core::hub::{self, Hub, HubSetup};
use mls_core::member::{Command, Input, SettingsCommand};
use mls_core::service::ServiceAddress;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use crate::network::{START_MS, World};
use crate::story::{ALICE, BOB, JULIET};
use crate::two_services::{address, root};

/// Alice's other device.
const TABLET: (&str, &str) = (ALICE.0, "TABLET");

fn is_for_certificate(request: &Request) -> bool {
    matches!(request, Request::IssueCredential(_))
}

#[test]
fn devices_of_both_networks_are_certified_by_the_authority_and_meet_at_the_hub() {
    let root = root();
    let mut world = World::apart(&[ALICE, BOB, JULIET], &root, &root);
    // Each asks once who it is, and for certificates of its keys of two suites.
    assert_eq!(world.asked_authority(|request| *request == Request::HubInfo).1, 3);
    assert_eq!(world.asked_authority(is_for_certificate).1, 6);
    let tea = world.found(0);
    world.invite_all(0, &tea);
    world.pass(30);
    world.assert_agree(&tea, &[0, 1, 2]);
    assert_eq!([0, 1, 2].map(|index| world.certified(index)), [3, 3, 3]);
    let strict = Settings { basic_allowed: Some(false), ..Settings::default() };
    let change = SettingsCommand { group: tea.clone(), settings: strict };
    let id = world.command(0, Command::ChangeSettings(change));
    world.pass(10);
    world.assert_done(0, &id);
    world.say(2, &tea, "by whose word art thou here?");
    world.pass(2);
    world.assert_heard(&[0, 1], "by whose word art thou here?");
}

#[test]
fn a_device_that_is_revoked_at_the_authority_is_removed_when_the_hub_has_its_list() {
    let root = root();
    let mut world = World::apart(&[ALICE, TABLET, BOB], &root, &root);
    let tea = world.found(2);
    world.invite_all(2, &tea);
    world.pass(30);
    world.assert_agree(&tea, &[0, 1, 2]);
    let lost = world.nodes[1].client.clone();
    let id = world.command(0, Command::RevokeDevice(lost));
    world.pass(30);
    world.assert_done(0, &id);
    world.assert_agree(&tea, &[0, 1, 2]);
    world.carry_list(&root);
    world.assert_agree(&tea, &[0, 2]);
}

#[test]
fn after_a_restart_a_device_goes_to_the_authority_that_it_knows() {
    let root = root();
    let mut world = World::apart(&[ALICE], &root, &root);
    world.reopen(0);
    let before = world.hub_inputs.len();
    world.give(0, Input::LookForRevocations);
    world.give(0, Input::LookIntoLog);
    world.pass(5);
    assert!(world.asked_authority(|request| *request == Request::FetchRevocations).1 > 0);
    assert_eq!(world.hub_inputs.len(), before, "the hub was asked what the authority answers");
}

#[test]
fn a_service_that_names_another_root_is_not_used_and_people_are_told_once() {
    let mut world = World::apart(&[ALICE, JULIET], &root(), &root());
    world.pass(1200);
    for index in 0..2 {
        let told = world.warnings(index);
        let told: Vec<_> = told.iter().filter(|text| text.contains("is not used")).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("no root that this device goes by"), "{told:?}");
    }
    assert_eq!(world.asked_authority(is_for_certificate), (0, 0));
}

#[test]
fn a_device_whose_authority_falls_silent_asks_the_hub_who_may_answer_itself_now() {
    let root = root();
    let mut world = World::apart(&[ALICE, JULIET], &root, &root);
    world.authority.as_mut().unwrap().silent = true;
    let (store, delivery) = (world.hub_store.clone(), address("@mls:a.org", "mls.x.org"));
    let ServiceAddress { matrix, xmpp } = delivery;
    let setup = HubSetup { matrix, xmpp, authority: Some(root), ..HubSetup::default() };
    let (hub, writes) = Hub::open(Arc::new(store.clone()), setup).unwrap();
    store.apply(&writes);
    world.hub = hub;
    world.now_ms = START_MS + mls_core::limits::REVOCATIONS_AGAIN_MS * 2;
    world.hub_inputs.clear();
    for index in 0..2 {
        world.give(index, Input::LookForRevocations);
    }
    world.pass(1200);
    let (fetches, _) = world.asked_authority(|request| *request == Request::FetchRevocations);
    assert!(fetches > 2, "it was asked again before it was doubted: {fetches}");
    let answered = world.hub_inputs.iter().filter(|input| matches!(input, hub::Input::Sealed(_)));
    assert!(answered.count() >= 2, "the hub was not asked");
    for index in 0..2 {
        let waiting = world.nodes[index].member.pending().unwrap();
        assert!(waiting.is_empty(), "{waiting:?}");
    }
}

#[test]
fn an_authority_that_is_silent_for_long_is_asked_for_at_the_hub_now_and_then_until_it_answers() {
    let root = root();
    let mut world = World::apart(&[ALICE], &root, &root);
    world.authority.as_mut().unwrap().silent = true;
    world.now_ms += mls_core::limits::REVOCATIONS_AGAIN_MS * 2;
    world.give(0, Input::LookForRevocations);
    // To this one it has not even said who it is.
    world.add(JULIET.0, JULIET.1);
    world.pass(60);
    world.hub_inputs.clear();
    world.pass(1800);
    // A handful of requests of each, each once in some minutes.
    let asked = world.hub_inputs.iter().filter(|input| matches!(input, hub::Input::Sealed(_)));
    let asked = asked.count();
    assert!((2..=100).contains(&asked), "{asked}");
    let fetches =
        |world: &World| world.asked_authority(|request| *request == Request::FetchRevocations).0;
    let before = fetches(&world);
    world.pass(600);
    assert!(fetches(&world) > before, "the authority was not asked again");
    world.authority.as_mut().unwrap().silent = false;
    world.pass(600);
    for index in 0..2 {
        let waiting = world.nodes[index].member.pending().unwrap();
        assert!(waiting.is_empty(), "{waiting:?}");
    }
    let tea = world.found(1);
    world.invite_all(1, &tea);
    world.pass(30);
    assert_eq!(world.certified(1), 2);
}

#[test]
fn two_services_that_name_each_other_move_a_device_once_a_minute_at_most() {
    let root = root();
    let mut world = World::apart(&[], &root, &root);
    world.tamper = Box::new(|_, input| {
        if let Input::Answer(_, result @ Ok(Answer::Credential(_))) = input {
            *result = Err(Refusal::Elsewhere(address("@mls:a.org", "mls.x.org")));
        }
        true
    });
    world.add(ALICE.0, ALICE.1);
    world.pass(300);
    let (asked, requests) = world.asked_authority(is_for_certificate);
    assert_eq!(requests, 2, "one a suite");
    assert!((2 * requests..=6 * requests).contains(&asked), "{asked}");
    world.tamper = Box::new(|_, _| true);
    world.pass(300);
    let waiting = world.nodes[0].member.pending().unwrap();
    assert!(waiting.is_empty(), "{waiting:?}");
}
