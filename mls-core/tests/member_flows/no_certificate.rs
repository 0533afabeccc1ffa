//! Certificates that do not come: refused, put off, or over when they do.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mls_core::hub;
use mls_core::identity::Standing;
use mls_core::limits::{DAY_MS, RETRY_AFTER_MAX_MS};
use mls_core::member::{Command, Event, Input, WarningKind};
use mls_core::policy::{CREDENTIAL_LIFETIME_MS, CREDENTIAL_RENEW_MS};
use mls_core::wire::issue_credential::IssuedCredential;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET, ROMEO};

/// How often an account asked for a certificate since the test cleared what the hub was given.
fn asked(world: &World, index: usize) -> usize {
    let user = world.user(index);
    let asked = |input: &&hub::Input| match input {
        hub::Input::Request(asked) => {
            asked.from == user && matches!(asked.request, Request::IssueCredential(_))
        }
        _ => false,
    };
    world.hub_inputs.iter().filter(asked).count()
}

fn warned(world: &World, index: usize) -> usize {
    let warned = |event: &Event| match event {
        Event::Warning(warning) => warning.kind == WarningKind::NoCertificate,
        _ => false,
    };
    world.count(index, warned)
}

/// The certificate that a device gets next.
fn certificate_of(world: &mut World, account: &str, device: &str) -> IssuedCredential {
    let kept: Rc<RefCell<Option<IssuedCredential>>> = Rc::default();
    let keep = kept.clone();
    world.tamper = Box::new(move |_, input| {
        if let Input::Answer(_, Ok(Answer::Credential(issued))) = input {
            keep.borrow_mut().replace(issued.clone());
        }
        true
    });
    world.add(account, device);
    world.run();
    kept.take().unwrap()
}

/// From now on the authority answers a device with this one.
fn answer_with(world: &mut World, of: usize, old: IssuedCredential) {
    world.tamper = Box::new(move |index, input| {
        if let Input::Answer(_, Ok(Answer::Credential(issued))) = input
            && index == of
        {
            issued.clone_from(&old);
        }
        true
    });
}

#[test]
fn a_certificate_that_is_over_when_it_comes_is_asked_for_less_and_less_often_and_told_once() {
    let mut world = World::new(&[JULIET]);
    let old = certificate_of(&mut world, ROMEO.0, ROMEO.1);
    world.now_ms += CREDENTIAL_LIFETIME_MS + DAY_MS;
    let late = world.nodes.len();
    answer_with(&mut world, late, old);
    world.hub_inputs.clear();
    assert_eq!(world.add("romeo@x.org", "00000000000000bb"), late);
    world.run();
    // One may have been on its way for long: of each of the two keys, another one at once.
    assert_eq!((asked(&world, late), warned(&world, late)), (4, 1), "{:?}", world.warnings(late));
    assert!(world.warnings(late)[0].contains("clock"), "{:?}", world.warnings(late));
    let published = |event: &Event| matches!(event, Event::KeyPackagesPublished(_));
    assert_eq!(world.count(late, published), 1, "a basic credential is better than none");
    for minutes in [60, 600] {
        for _ in 0..minutes {
            world.now_ms += 60_000;
            world.give(late, Input::Tick);
            world.run();
        }
    }
    // After 1, 2, 4, 8, 16, 32, 64, 128, 256 minutes, and a little more.
    assert!((20..=24).contains(&asked(&world, late)), "{}", asked(&world, late));
    assert_eq!(warned(&world, late), 1);
    // The clock is set right again: nothing waits for the time that it showed.
    world.tamper = Box::new(|_, _| true);
    world.now_ms -= CREDENTIAL_LIFETIME_MS;
    world.hub_inputs.clear();
    world.give(late, Input::Tick);
    world.run();
    assert_eq!(asked(&world, late), 2);
    world.now_ms += DAY_MS;
    world.give(late, Input::Tick);
    world.run();
    assert_eq!(asked(&world, late), 2, "both came");
}

#[test]
fn a_command_whose_new_key_gets_certificates_that_are_over_fails_and_says_so() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let old = certificate_of(&mut world, ROMEO.0, ROMEO.1);
    world.tamper = Box::new(|_, _| true);
    world.now_ms += CREDENTIAL_LIFETIME_MS + DAY_MS;
    world.come_back(1);
    world.run();
    world.pass(60);
    answer_with(&mut world, 1, old);
    world.hub_inputs.clear();
    let id = world.command(1, Command::ChangeKey(group.clone()));
    world.run();
    assert!(world.failure(1, &id).contains("clock"), "{}", world.failure(1, &id));
    assert_eq!(asked(&world, 1), 2);
    // The next one tries once more.
    let id = world.command(1, Command::ChangeKey(group.clone()));
    world.run();
    assert_eq!((asked(&world, 1), warned(&world, 1)), (3, 0), "{}", world.failure(1, &id));
    world.tamper = Box::new(|_, _| true);
    let id = world.command(1, Command::ChangeKey(group));
    world.run();
    world.assert_done(1, &id);
}

#[test]
fn a_groups_own_key_that_is_refused_a_certificate_is_asked_for_once_a_day_and_told_once() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    world.pass(60);
    world.say(1, &group, "my own key, first");
    world.run();
    world.now_ms += CREDENTIAL_RENEW_MS + DAY_MS;
    // The device's own two keys get theirs, the group's does not.
    let mut issued = 0;
    world.tamper = Box::new(move |index, input| {
        if let Input::Answer(_, result @ Ok(Answer::Credential(_))) = input
            && index == 1
        {
            issued += 1;
            if issued > 2 {
                *result = Err(Refusal::NotAllowed("not this one".to_owned()));
            }
        }
        true
    });
    world.hub_inputs.clear();
    world.pass(600);
    assert_eq!((asked(&world, 1), warned(&world, 1)), (3, 1), "{:?}", world.warnings(1));
    world.now_ms += DAY_MS;
    world.pass(600);
    assert_eq!((asked(&world, 1), warned(&world, 1)), (4, 1), "{:?}", world.warnings(1));
    world.tamper = Box::new(|_, _| true);
    world.now_ms += DAY_MS;
    // And into the leaf within the hour.
    world.pass(3700);
    assert_eq!(asked(&world, 1), 5);
    let bob = world.nodes[1].client.clone();
    let members = world.nodes[0].member.groups().unwrap().remove(0).members;
    let standing = members.into_iter().find(|member| member.client == bob).unwrap().standing;
    let fresh_s = (world.now_ms + CREDENTIAL_LIFETIME_MS - DAY_MS) / 1000;
    assert!(matches!(standing, Standing::Vouched { until_s } if until_s > fresh_s), "{standing:?}");
}

#[test]
fn a_request_that_is_refused_for_ten_years_or_for_ever_is_repeated_after_an_hour() {
    for wait_ms in [10 * 365 * DAY_MS, u64::MAX] {
        let mut world = World::new(&[JULIET]);
        let mut refused = BTreeSet::new();
        world.tamper = Box::new(move |_, input| {
            if let Input::Answer(id, result @ Ok(Answer::Credential(_))) = input
                && refused.insert(id.clone())
            {
                *result = Err(Refusal::Unavailable(wait_ms));
            }
            true
        });
        world.hub_inputs.clear();
        let romeo = world.add(ROMEO.0, ROMEO.1);
        world.run();
        assert_eq!(asked(&world, romeo), 2);
        world.now_ms += RETRY_AFTER_MAX_MS - 2000;
        world.give(romeo, Input::Tick);
        world.run();
        assert_eq!(asked(&world, romeo), 2, "{wait_ms}");
        world.pass(2);
        assert_eq!(asked(&world, romeo), 4, "{wait_ms}");
        assert_eq!(world.warnings(romeo), Vec::<String>::new());
    }
}
