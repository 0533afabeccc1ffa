//! The authorities that a device goes by: pinned at first use, changed by a person's word only.

use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::group_settings::Settings;
use mls_core::identity::{TrustAnchor, TrustAnchors};
use mls_core::member::{
    AnchorSource, AnchorsChanged, Command, DomainAnchors, DomainAnchorsCommand, Event, Input,
    SettingsCommand,
};
use mls_core::wire::{Answer, Digest};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Longer than a device waits before it asks the hub again who it is.
const LONG_MS: u64 = 2 * 24 * 3600 * 1000;

/// An authority of nobody's.
pub(crate) fn stranger(domain: &str) -> TrustAnchor {
    let (authority, _) = Authority::make(&Crypto::system(), "a stranger").unwrap();
    TrustAnchor { domain: domain.to_owned(), certificate: authority.anchor().to_vec() }
}

/// The hub, or a server before it, names this anchor in the place of each of its own.
fn name_instead(world: &mut World, certificate: Vec<u8>) {
    world.tamper = Box::new(move |_, input| {
        if let Input::Answer(_, Ok(Answer::HubInfo(info))) = input {
            info.anchors.iter_mut().for_each(|anchor| anchor.certificate.clone_from(&certificate));
        }
        true
    });
}

pub(crate) fn own_authority(world: &World, index: usize) -> DomainAnchors {
    let own = world.user(index).domain();
    let all = world.nodes[index].member.authorities().unwrap();
    all.into_iter().find(|known| known.domain == own).unwrap()
}

pub(crate) fn changes(world: &World, index: usize) -> Vec<AnchorsChanged> {
    let changed = |event: &Event| match event {
        Event::AnchorsChanged(changed) => Some(changed.clone()),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(changed).collect()
}

pub(crate) fn trust(world: &mut World, index: usize, anchors: Vec<TrustAnchor>) -> String {
    let domain = anchors[0].domain.clone();
    let command = DomainAnchorsCommand { domain, anchors: TrustAnchors(anchors) };
    let id = world.command(index, Command::TrustAnchors(command));
    world.run();
    id
}

pub(crate) fn print(anchors: &[TrustAnchor]) -> Vec<Digest> {
    anchors.iter().map(TrustAnchor::fingerprint).collect()
}

#[test]
fn the_authorities_of_the_hubs_own_domains_are_pinned_at_first_use() {
    let world = World::new(&[ALICE, JULIET]);
    for index in 0..2 {
        let own = own_authority(&world, index);
        assert_eq!((own.source, own.since_ms), (AnchorSource::Hub, world.now_ms));
        assert_eq!(own.known.0.len(), 1);
        assert!(own.offered.0.is_empty());
    }
}

#[test]
fn an_authority_that_changes_is_told_once_and_counts_nothing_until_a_person_says_so() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let before = own_authority(&world, 0);
    let new = stranger(&before.domain);
    name_instead(&mut world, new.certificate.clone());
    for _ in 0..2 {
        world.now_ms += LONG_MS;
        world.give(0, Input::Connected);
        world.run();
    }
    let told: Vec<_> =
        changes(&world, 0).into_iter().filter(|told| told.domain == before.domain).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let own = print(std::slice::from_ref(&new));
    assert_eq!((&told[0].known, &told[0].named), (&print(&before.known.0), &own));
    assert_eq!(told[0].group, None);
    let offered = own_authority(&world, 0);
    assert_eq!((&offered.known, &offered.offered.0), (&before.known, &vec![new.clone()]));

    let id = trust(&mut world, 0, vec![new.clone()]);
    world.assert_done(0, &id);
    let after = own_authority(&world, 0);
    assert_eq!((after.known.0, after.source), (vec![new], AnchorSource::Person));
    assert!(after.offered.0.is_empty());
    world.say(1, &group, "the group goes on by its own context");
    world.run();
    assert_eq!(world.heard(0).len(), 1);
}

#[test]
fn who_pinned_a_false_authority_gets_a_certificate_once_a_person_has_named_the_right_one() {
    let mut world = World::new(&[ALICE]);
    let right = own_authority(&world, 0).known.0;
    let false_one = stranger(&right[0].domain);
    name_instead(&mut world, false_one.certificate);
    let bob = world.add(BOB.0, BOB.1);
    world.run();
    let warned = |world: &World| world.warnings(bob).join("\n").contains("no certificate");
    assert!(warned(&world), "{:?}", world.warnings(bob));
    // The true hub names another one now: said, with what to do.
    world.tamper = Box::new(|_, _| true);
    world.now_ms += LONG_MS;
    world.give(bob, Input::Connected);
    world.run();
    let told = changes(&world, bob);
    assert_eq!(told[0].named, print(&right), "{told:?}");
    let told = world.warnings(bob).len();
    let id = trust(&mut world, bob, right);
    world.assert_done(bob, &id);
    let group = world.found(bob);
    let members = world.nodes[bob].member.groups().unwrap().remove(0).members;
    let vouched = matches!(members[0].standing, mls_core::identity::Standing::Vouched { .. });
    assert!(vouched, "{group}: {members:?}");
    assert_eq!(world.warnings(bob).len(), told, "{:?}", world.warnings(bob));
}

#[test]
fn a_group_that_names_another_authority_than_is_known_is_pointed_out_to_its_members() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let domain = own_authority(&world, 0).domain;
    let (other, elsewhere) = (stranger(&domain), stranger("elsewhere.org"));
    let settings =
        Settings { anchors_add: vec![other.clone(), elsewhere.clone()], ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let id = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &id);
    let told = changes(&world, 1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0].domain, told[0].group.as_ref()), (&domain, Some(&group)));
    assert!(told[0].named.contains(&other.fingerprint()));
    // It is no offer of the hub's: who believes it says so.
    assert!(own_authority(&world, 1).offered.0.is_empty());
    let known = world.nodes[1].member.authorities().unwrap();
    let vouched = known.into_iter().find(|known| known.domain == "elsewhere.org").unwrap();
    assert_eq!((vouched.known.0, vouched.source), (vec![elsewhere], AnchorSource::Group));
}

#[test]
fn what_is_no_certificate_of_an_authority_of_that_domain_cannot_be_trusted() {
    let mut world = World::new(&[ALICE]);
    let own = own_authority(&world, 0).known.0;
    let leaf = TrustAnchor { certificate: vec![0x30, 0], ..own[0].clone() };
    let mixed = vec![own[0].clone(), stranger("elsewhere.org")];
    for wrong in [vec![leaf], mixed, vec![own[0].clone(), own[0].clone()]] {
        let id = trust(&mut world, 0, wrong);
        assert!(!world.failure(0, &id).is_empty());
    }
    assert_eq!(own_authority(&world, 0).known.0, own);
}
