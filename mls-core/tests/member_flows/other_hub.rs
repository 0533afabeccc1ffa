//! The authorities of another domain, asked of that domain's own hub.

use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::identity::TrustAnchor;
use mls_core::limits::{HOME_WAIT_MS, OTHER_HUB_WAIT_MS, OTHER_HUBS_MAX};
use mls_core::member::{
    AnchorSource, AskAuthorities, Command, DomainAnchors, Event, Input, SettingsCommand,
};
use mls_core::service::Service;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use crate::authorities::{changes, print, stranger, trust};
use crate::network::{Restarts, World};
use crate::story::{ALICE, BOB, JULIET};

const MATRIX: &str = "@mls:b.org";
const XMPP: &str = "mls.y.org";

/// A world with the hub of b.org on Matrix and y.org on XMPP, and what it names for these domains.
fn world(devices: &[(&str, &str)]) -> (World, [TrustAnchor; 2]) {
    let mut world = World::new(devices);
    world.servers_see = Some(Vec::new());
    let (authority, _) = Authority::make(&Crypto::system(), "another").unwrap();
    world.add_other_hub(MATRIX, XMPP, &authority);
    let named = |domain: &str| {
        let certificate = authority.anchor().to_vec();
        TrustAnchor { domain: domain.to_owned(), certificate }
    };
    let named = [named("b.org"), named("y.org")];
    (world, named)
}

fn ask(world: &mut World, index: usize, domain: &str, hub: &str) -> String {
    let wanted = AskAuthorities { domain: domain.to_owned(), hub: hub.to_owned() };
    let id = world.command(index, Command::AskAuthorities(wanted));
    world.run();
    id
}

fn known(world: &World, index: usize, domain: &str) -> Option<DomainAnchors> {
    let all = world.nodes[index].member.authorities().unwrap();
    all.into_iter().find(|known| known.domain == domain)
}

#[test]
fn what_the_hub_of_another_domain_names_is_pinned_as_its_own_word() {
    for restarts in [Restarts::Never, Restarts::AfterEveryInput] {
        let (mut world, [matrix, xmpp]) = world(&[ALICE, JULIET]);
        world.restarts = restarts;
        for (index, domain, hub, named) in [(0, "b.org", MATRIX, matrix), (1, "y.org", XMPP, xmpp)]
        {
            let id = ask(&mut world, index, domain, hub);
            world.assert_done(index, &id);
            let pinned = known(&world, index, domain).unwrap();
            assert_eq!((pinned.known.0, pinned.source), (vec![named], AnchorSource::Hub));
            assert!(pinned.offered.0.is_empty() && !pinned.issued_by_hub);
            assert!(changes(&world, index).is_empty());
            // The hub was asked about one domain, and is believed for that alone.
            let other = if domain == "b.org" { "y.org" } else { "b.org" };
            assert_eq!(known(&world, index, other), None);
        }
    }
}

#[test]
fn a_domain_whose_authority_only_a_group_vouched_for_is_confirmed_by_its_own_hub() {
    let (mut world, [named, _]) = world(&[ALICE, BOB]);
    let group = world.found(0);
    let settings = Settings { anchors_add: vec![named.clone()], ..Settings::default() };
    let command = SettingsCommand { group, settings };
    let id = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &id);
    assert_eq!(known(&world, 0, "b.org").unwrap().source, AnchorSource::Group);
    let id = ask(&mut world, 0, "b.org", MATRIX);
    world.assert_done(0, &id);
    let confirmed = known(&world, 0, "b.org").unwrap();
    assert_eq!((confirmed.source, confirmed.known.0), (AnchorSource::Hub, vec![named]));
}

#[test]
fn where_others_are_known_what_its_hub_names_is_an_offer_that_a_person_accepts() {
    let (mut world, [named, _]) = world(&[ALICE]);
    let before = stranger("b.org");
    let id = trust(&mut world, 0, vec![before.clone()]);
    world.assert_done(0, &id);
    for _ in 0..2 {
        let id = ask(&mut world, 0, "b.org", MATRIX);
        world.assert_done(0, &id);
    }
    let told = changes(&world, 0);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].named, print(std::slice::from_ref(&named)));
    let pinned = known(&world, 0, "b.org").unwrap();
    assert_eq!((pinned.known.0, pinned.offered.0), (vec![before], vec![named.clone()]));
    let id = trust(&mut world, 0, vec![named.clone()]);
    world.assert_done(0, &id);
    let id = ask(&mut world, 0, "b.org", MATRIX);
    world.assert_done(0, &id);
    let accepted = known(&world, 0, "b.org").unwrap();
    assert_eq!((accepted.known.0, accepted.source), (vec![named], AnchorSource::Person));
    assert!(accepted.offered.0.is_empty());
}

#[test]
fn an_address_that_is_not_the_domains_own_is_not_asked() {
    let (mut world, _) = world(&[ALICE, JULIET]);
    let own = world.user(0).domain();
    for (index, domain, hub, words) in [
        (0, "b.org", "@mls:evil.org", "no address of a hub of b.org"),
        (0, "y.org", XMPP, "in this account's network"),
        (0, "b.org", "@mls:evil.org:b.org", "no address of a hub"),
        (1, "y.org", "mls@y.org", "no address of a hub"),
        (1, "y.org", "mls.evil.y.org", "no address of a hub"),
        (0, &own, "@mls:a.org", "own hub"),
        (1, "y.org", "MLS.y.org", "in small letters"),
    ] {
        let id = ask(&mut world, index, domain, hub);
        let why = world.failure(index, &id);
        assert!(why.contains(words), "{domain} at {hub}: {why}");
    }
}

#[test]
fn a_hub_that_is_another_than_was_asked_or_names_nothing_for_the_domain_is_not_believed() {
    let (mut world, _) = world(&[ALICE]);
    world.tamper = Box::new(|_, input| {
        if let Input::Answer(_, Ok(Answer::HubInfo(info))) = input {
            info.hub_matrix = Some("@mls:c.org".to_owned());
        }
        true
    });
    let id = ask(&mut world, 0, "b.org", MATRIX);
    let why = world.failure(0, &id);
    assert!(why.contains("another address"), "{why}");
    world.tamper = Box::new(|_, input| {
        if let Input::Answer(_, Ok(Answer::HubInfo(info))) = input {
            info.anchors.retain(|anchor| anchor.domain != "b.org");
        }
        true
    });
    let id = ask(&mut world, 0, "b.org", MATRIX);
    let why = world.failure(0, &id);
    assert!(why.contains("names none"), "{why}");
    assert_eq!(known(&world, 0, "b.org"), None);
}

#[test]
fn who_asks_where_nobody_answers_is_told_after_a_minute() {
    let (mut world, _) = world(&[ALICE]);
    let id = ask(&mut world, 0, "c.org", "@mls:c.org");
    world.pass(OTHER_HUB_WAIT_MS / 1000 + 1);
    let why = world.failure(0, &id);
    assert!(why.contains("nobody answered at @mls:c.org"), "{why}");
    let many: Vec<_> = (0..=OTHER_HUBS_MAX)
        .map(|one| ask(&mut world, 0, &format!("c{one}.org"), &format!("@mls:c{one}.org")))
        .collect();
    let why = world.failure(0, many.last().unwrap());
    assert!(why.contains("wait for one of them"), "{why}");
}

/// Alice at her hub, and Carol of b.org, who goes by that hub too and has asked her own domain.
fn carol_at_home() -> (World, [TrustAnchor; 2], usize) {
    let (mut world, named) = world(&[ALICE]);
    let carol = world.add("@carol:b.org", "TABLET");
    let asked = ask(&mut world, carol, "b.org", MATRIX);
    world.assert_done(carol, &asked);
    world.pass(60);
    (world, named, carol)
}

#[test]
fn who_goes_by_the_hub_of_another_domain_is_certified_by_its_own_and_takes_part() {
    let (mut world, [named, _], carol) = carol_at_home();
    let group = world.found(0);
    let asked = ask(&mut world, 0, "b.org", MATRIX);
    world.assert_done(0, &asked);
    let settings =
        Settings { anchors_add: vec![named], basic_allowed: Some(false), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let strict = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &strict);
    let users = vec![world.user(carol)];
    let invited = world.invite(0, &group, users);
    world.run();
    world.assert_done(0, &invited);
    world.assert_agree(&group, &[0, carol]);
    assert_eq!(world.certified(0), 2);
    world.say(carol, &group, "with papers from home");
    world.run();
    assert_eq!(world.heard(0).len(), 1);
    assert!(world.warnings(carol).is_empty(), "{:?}", world.warnings(carol));
    // Its hub is not asked for what another domain certifies.
    let certified = |request: &Request| request.service() == Some(Service::Authentication);
    let at_hub = world.hub_inputs.iter().filter(|input| match input {
        hub::Input::Request(asked) => asked.from == world.user(carol) && certified(&asked.request),
        _ => false,
    });
    assert_eq!(at_hub.count(), 0);
}

#[test]
fn a_domain_of_its_own_that_is_silent_is_asked_on_at_the_address_that_a_person_gave() {
    let (mut world, _, carol) = carol_at_home();
    world.other_hubs[0].silent = true;
    world.give(carol, Input::LookForRevocations);
    world.pass(30 * 60);
    let address = world.nodes[carol].member.sealer().authority_at();
    assert_eq!(address.as_deref(), Some(MATRIX));
    world.other_hubs[0].silent = false;
    world.restart(carol);
    world.pass(3600);
    let known = known(&world, carol, "b.org").unwrap();
    assert!(known.issued_by_hub, "{known:?}");
    assert_eq!(world.nodes[carol].member.sealer().authority_at().as_deref(), Some(MATRIX));
}

#[test]
fn a_hub_that_names_an_authority_of_the_domain_that_certifies_this_device_is_not_heard() {
    let (mut world, [right, _]) = world(&[ALICE]);
    let false_one = stranger("b.org");
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Answer(_, Ok(Answer::HubInfo(info)))) = (index, input)
            && info.hub_matrix.as_deref() != Some(MATRIX)
        {
            // It calls itself the domain's own, too.
            info.hub_xmpp = Some("mls.b.org".to_owned());
            info.anchors.push(false_one.clone());
        }
        true
    });
    let carol = world.add("@carol:b.org", "TABLET");
    let asked = ask(&mut world, carol, "b.org", MATRIX);
    world.assert_done(carol, &asked);
    world.now_ms += 2 * 24 * 3600 * 1000;
    world.give(carol, Input::Connected);
    world.run();
    let known = known(&world, carol, "b.org").unwrap();
    assert_eq!((known.known.0, known.offered.0), (vec![right], vec![]));
    assert!(changes(&world, carol).iter().all(|told| told.domain != "b.org"));
}

#[test]
fn who_pinned_another_authority_of_its_own_domain_goes_there_once_a_person_has_named_the_right_one()
{
    let (mut world, [right, _]) = world(&[ALICE]);
    let carol = world.add("@carol:b.org", "TABLET");
    world.run();
    trust(&mut world, carol, vec![stranger("b.org")]);
    let asked = ask(&mut world, carol, "b.org", MATRIX);
    let why = world.failure(carol, &asked);
    assert!(why.contains("compare the fingerprints"), "{why}");
    assert_eq!(world.nodes[carol].member.sealer().authority_at(), None);
    trust(&mut world, carol, vec![right]);
    let asked = ask(&mut world, carol, "b.org", MATRIX);
    world.assert_done(carol, &asked);
    assert_eq!(world.nodes[carol].member.sealer().authority_at().as_deref(), Some(MATRIX));
}

#[test]
fn whatever_another_hub_says_of_later_a_command_ends() {
    for refusal in [
        Refusal::Unavailable(u64::MAX),
        Refusal::RateLimited(u64::MAX),
        Refusal::NotOpened,
        Refusal::Invalid("x".repeat(10_000)),
    ] {
        let (mut world, _) = world(&[ALICE]);
        let said = refusal.clone();
        world.tamper = Box::new(move |_, input| {
            if let Input::Answer(_, answer @ Ok(Answer::HubInfo(_))) = input {
                *answer = Err(said.clone());
            }
            true
        });
        let id = ask(&mut world, 0, "b.org", MATRIX);
        world.pass(OTHER_HUB_WAIT_MS / 1000 + 1);
        let why = world.failure(0, &id);
        assert!(why.len() < 1000, "{refusal:?}: {why}");
    }
}

#[test]
fn key_packages_wait_for_the_word_of_the_own_domain_and_not_for_ever() {
    let (mut world, _) = world(&[ALICE]);
    world.other_hubs[0].silent = true;
    let carol = world.add("@carol:b.org", "TABLET");
    let asked = ask(&mut world, carol, "b.org", MATRIX);
    let published =
        |world: &World| world.count(carol, |event| matches!(event, Event::KeyPackagesPublished(_)));
    world.pass(HOME_WAIT_MS / 1000 - 30);
    assert_eq!(published(&world), 0);
    world.pass(60);
    let why = world.failure(carol, &asked);
    assert!(why.contains("nobody answered"), "{why}");
    world.pass(120);
    assert!(published(&world) > 0);
}
