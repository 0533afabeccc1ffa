//! Certificates of the domains' authority: who gets one, how it comes into groups, and how it is
//! renewed without a break.

use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::identity::Standing;
use mls_core::member::{Command, Event, Input, SettingsCommand};
use mls_core::policy::{CREDENTIAL_LIFETIME_MS, CREDENTIAL_RENEW_MS};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Request};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Of a domain that the hub's authority does not sign for.
pub(crate) const STRANGER: (&str, &str) = ("@tybalt:elsewhere.org", "PHONE");

fn standings(world: &World, index: usize) -> Vec<(usize, Standing)> {
    let members = world.nodes[index].member.groups().unwrap().remove(0).members;
    let place = |client| world.nodes.iter().position(|node| node.client == client).unwrap();
    let mut standings: Vec<_> =
        members.into_iter().map(|m| (place(m.client), m.standing)).collect();
    standings.sort_by_key(|(index, _)| *index);
    standings
}

fn until_ms(standing: Standing) -> u64 {
    match standing {
        Standing::Vouched { until_s } => until_s * 1000,
        Standing::Unvouched | Standing::Revoked => 0,
    }
}

/// The authority answers a device that it will not sign any more.
fn refuse_certificates(world: &mut World, of: usize) {
    world.tamper = Box::new(move |index, input| {
        if let Input::Answer(_, result @ Ok(Answer::Credential(_))) = input
            && index == of
        {
            *result = Err(Refusal::NotAllowed("you are revoked".to_owned()));
        }
        true
    });
}

fn change(world: &mut World, group: &GroupId, settings: Settings) -> String {
    let command = Command::ChangeSettings(SettingsCommand { group: group.clone(), settings });
    let id = world.command(0, command);
    world.run();
    id
}

#[test]
fn members_of_both_networks_have_certificates_of_their_domains_authority() {
    let (world, _) = World::group(&[ALICE, BOB, JULIET]);
    for index in 0..3 {
        for (_, standing) in standings(&world, index) {
            assert!(until_ms(standing) > world.now_ms + CREDENTIAL_LIFETIME_MS - DAY_MS);
        }
    }
}

#[test]
fn who_has_no_authority_is_let_in_where_the_group_allows_it_and_shown_as_unvouched() {
    let (mut world, group) = World::group(&[ALICE, JULIET, STRANGER]);
    let told = standings(&world, 0);
    assert!(told.contains(&(2, Standing::Unvouched)), "{told:?}");
    world.say(2, &group, "peace? I hate the word");
    world.run();
    assert_eq!(world.heard(0).len(), 1);
    // Only certificates from now on: not while somebody has none.
    let strict = || Settings { basic_allowed: Some(false), ..Settings::default() };
    let id = change(&mut world, &group, strict());
    assert!(world.failure(0, &id).contains("elsewhere.org"), "{}", world.failure(0, &id));
    let remove = world.remove(0, &group, 2);
    world.run();
    world.assert_done(0, &remove);
    let id = change(&mut world, &group, strict());
    world.assert_done(0, &id);
    let stranger = world.user(2);
    let invite = world.invite(0, &group, vec![stranger]);
    world.run();
    let why = world.failure(0, &invite);
    assert!(why.contains("certificate"), "{why}");
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_certificate_is_renewed_before_it_ends_and_talk_goes_on() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let first: Vec<_> = standings(&world, 0).into_iter().map(|(_, s)| until_ms(s)).collect();
    let mut said = 0;
    for _ in 0..(CREDENTIAL_RENEW_MS / DAY_MS + 3) {
        world.now_ms += DAY_MS;
        world.pass(3700);
        for index in 0..3 {
            world.say(index, &group, "still here");
            world.run();
            said += 1;
        }
    }
    for (index, first) in first.iter().enumerate() {
        assert_eq!(world.heard(index).len(), said, "{:?}", world.warnings(index));
        for (other, standing) in standings(&world, index) {
            assert!(until_ms(standing) > *first, "{index} sees the old one of {other}");
        }
    }
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_device_that_was_away_until_its_certificate_ended_gets_a_new_one_and_goes_on() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.now_ms += CREDENTIAL_RENEW_MS - DAY_MS;
    world.pass(3700);
    world.now_ms += CREDENTIAL_LIFETIME_MS - CREDENTIAL_RENEW_MS + 2 * DAY_MS;
    world.come_back(1);
    let id = world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.pass(30);
    world.assert_done(1, &id);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_certificate_that_came_forged_or_for_somebody_else_is_not_taken() {
    let mut world = World::new(&[JULIET]);
    let stranger =
        mls_core::authority::Authority::make(&mls_core::crypto::Crypto::system(), "not the hub's")
            .unwrap()
            .0;
    let forged = stranger.anchor().to_vec();
    world.tamper = Box::new(move |_, input| {
        if let Input::Answer(_, Ok(Answer::Credential(issued))) = input {
            // The right shape, signed by nobody whom the hub named.
            issued.chain[0].0.clone_from(&forged);
        }
        true
    });
    let romeo = world.add("romeo@x.org", "00000000000000bb");
    world.run();
    let warnings = world.warnings(romeo);
    assert!(warnings.iter().any(|text| text.contains("no certificate")), "{warnings:?}");
    let published = |event: &Event| matches!(event, Event::KeyPackagesPublished(_));
    assert_eq!(world.count(romeo, published), 1, "a basic credential is better than none");
}

#[test]
fn the_authority_refuses_other_accounts_other_devices_keys_and_other_domains() {
    let mut world = World::new(&[ALICE, BOB, JULIET, STRANGER]);
    let asked: Vec<_> = world
        .hub_inputs
        .iter()
        .filter_map(|input| match input {
            hub::Input::Request(r) if matches!(r.request, Request::IssueCredential(_)) => {
                Some(r.clone())
            }
            _ => None,
        })
        .collect();
    let of = |index: usize| asked.iter().find(|r| r.from == world.user(index)).cloned().unwrap();
    let refused = |world: &mut World, request: hub::RequestInput| {
        let outcome = world.hub.handle(world.now_ms, hub::Input::Request(request)).unwrap();
        match outcome.effects.into_iter().next() {
            Some(hub::Effect::Answer(hub::AnswerEffect {
                reply: hub::Reply::Refused(why),
                ..
            })) => why,
            other => panic!("not refused: {other:?}"),
        }
    };
    let (alice, juliet) = (of(0), of(2));
    let body = |input: &hub::RequestInput| match &input.request {
        Request::IssueCredential(request) => request.clone(),
        other => panic!("{other:?}"),
    };
    // Another account's request, as one's own.
    let stolen = hub::RequestInput { from: world.user(1), id: "a".to_owned(), ..alice.clone() };
    assert!(matches!(refused(&mut world, stolen), Refusal::NotAllowed(_)));
    // A request that the device's key has not signed.
    let mut unsigned = body(&juliet);
    unsigned.proof[0] ^= 1;
    let request = Request::IssueCredential(unsigned);
    let unsigned = hub::RequestInput { id: "b".to_owned(), request, ..juliet.clone() };
    assert!(matches!(refused(&mut world, unsigned), Refusal::Invalid(_)));
    // Another key for a device that is bound to one.
    let (secret, public) = key();
    let mut other = body(&juliet);
    other.device_key = public;
    other.proof = sign(&secret, &other.request);
    let request = Request::IssueCredential(other);
    let other = hub::RequestInput { id: "c".to_owned(), request, ..juliet };
    assert!(matches!(refused(&mut world, other), Refusal::NotAllowed(_)));
    // A domain that is not the authority's.
    let client = world.nodes[3].client.clone();
    let request = certificate_request(&client);
    let from = world.user(3);
    let foreign = hub::RequestInput { from, id: "d".to_owned(), request, ..alice };
    let Refusal::NotAllowed(why) = refused(&mut world, foreign) else { panic!("not refused") };
    assert!(why.contains("elsewhere.org"), "{why}");
}

#[test]
fn a_matrix_device_whose_key_the_homeserver_does_not_list_gets_nothing() {
    let mut world = World::new(&[BOB]);
    for (number, listed) in
        [Ok(None), Ok(Some(vec![1; 32])), Err("away".to_owned())].into_iter().enumerate()
    {
        let user = world.user(0);
        let client = user.device(&format!("NEW{number}")).unwrap();
        let request = hub::RequestInput {
            from: user,
            reply_to: hub::ReplyTo::ControlRoom("!control:a.org".to_owned()),
            id: format!("new{number}"),
            request: certificate_request(&client),
        };
        let asked = world.hub.handle(world.now_ms, hub::Input::Request(request)).unwrap();
        let Some(hub::Effect::QueryDevice(query)) = asked.effects.into_iter().next() else {
            panic!("the homeserver is not asked");
        };
        world.hub_store.apply(&asked.writes);
        let said = hub::DeviceKey { job: query.job, result: listed };
        let said = world.hub.handle(world.now_ms, hub::Input::DeviceKey(said)).unwrap();
        let [hub::Effect::Answer(answer)] = said.effects.as_slice() else { panic!("no answer") };
        assert!(matches!(answer.reply, hub::Reply::Refused(_)), "{:?}", answer.reply);
    }
}

fn key() -> (mls_rs_core::crypto::SignatureSecretKey, Vec<u8>) {
    let suite = mls_core::policy::CIPHER_SUITES[0];
    let (secret, public) =
        mls_core::crypto::Crypto::system().generate_signature_key(suite).unwrap();
    (secret, public.to_vec())
}

fn sign(secret: &mls_rs_core::crypto::SignatureSecretKey, request: &[u8]) -> Vec<u8> {
    let suite = mls_core::policy::CIPHER_SUITES[0];
    let proof = mls_core::wire::issue_credential::proof_of(request);
    mls_core::engine::sign(suite, secret, &proof).unwrap()
}

/// A request of a device with a fresh key.
fn certificate_request(client: &mls_core::address::ClientId) -> Request {
    let suite = mls_core::policy::CIPHER_SUITES[0];
    let (secret, device_key) = key();
    let public = device_key.clone().into();
    let request =
        mls_core::authority::request_certificate(client, suite, &secret, &public).unwrap();
    let proof = sign(&secret, &request);
    let request = mls_core::wire::issue_credential::IssueCredential { request, device_key, proof };
    Request::IssueCredential(request)
}

#[test]
fn a_key_package_does_not_outlive_its_certificate() {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    world.now_ms += CREDENTIAL_RENEW_MS - DAY_MS;
    world.pass(10);
    let romeo = world.add("romeo@x.org", "00000000000000bb");
    world.run();
    let user = world.user(romeo);
    let invite = world.invite(0, &group, vec![user]);
    world.run();
    world.assert_done(0, &invite);
    world.assert_agree(&group, &[0, 1, romeo]);
}

#[test]
fn a_device_comes_back_with_another_certificate_for_the_same_key() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let first = until_ms(standings(&world, 0)[1].1);
    world.now_ms += CREDENTIAL_RENEW_MS + DAY_MS;
    world.come_back(1);
    world.run();
    // The new certificate has come, and is in no leaf yet.
    world.lose(1, &["group_state", "epoch", "journal"]);
    world.say(0, &group, "are you there?");
    world.run();
    world.pass(30);
    let told = standings(&world, 0);
    assert!(until_ms(told[1].1) > first, "{told:?} {:?}", world.warnings(1));
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn where_a_certificate_is_asked_for_a_leaf_goes_before_its_own_ends() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let id =
        change(&mut world, &group, Settings { basic_allowed: Some(false), ..Settings::default() });
    world.assert_done(0, &id);
    refuse_certificates(&mut world, 2);
    let end_ms = until_ms(standings(&world, 0)[2].1);
    while world.now_ms + DAY_MS < end_ms {
        world.now_ms += DAY_MS - 3_600_000;
        world.pass(3600);
        let members = world.nodes[0].member.groups().unwrap().remove(0).members.len();
        let left = (end_ms - world.now_ms) / DAY_MS;
        if left != 7 {
            assert_eq!(members, if left > 7 { 3 } else { 2 }, "{left} days left");
        }
    }
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_device_whose_certificate_ended_and_is_not_renewed_goes_on_with_a_basic_credential() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    refuse_certificates(&mut world, 2);
    for _ in 0..(CREDENTIAL_LIFETIME_MS / DAY_MS + 3) {
        world.now_ms += DAY_MS;
        world.pass(3700);
    }
    let id = world.command(2, Command::Rotate(group.clone()));
    world.run();
    world.pass(30);
    world.assert_done(2, &id);
    assert!(standings(&world, 0).contains(&(2, Standing::Unvouched)));
    let warnings = world.warnings(2);
    assert!(warnings.iter().any(|text| text.contains("you are revoked")), "{warnings:?}");
    world.assert_agree(&group, &[0, 1, 2]);
}
