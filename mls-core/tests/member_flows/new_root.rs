//! Another root takes the place of the one that members have pinned, and groups go over to it.

use std::sync::Arc;

use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::group_settings::Settings;
use mls_core::hub::{Hub, HubSetup};
use mls_core::identity::{Standing, TrustAnchors};
use mls_core::member::{Command, DomainAnchors, DomainAnchorsCommand, Input, SettingsCommand};
use mls_core::policy::{CREDENTIAL_LIFETIME_MS, CREDENTIAL_RENEW_MS, LEAF_UPDATE_MS};
use mls_core::wire::GroupId;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const DAY_MS: u64 = 24 * 3600 * 1000;
const DEVICES: usize = 3;

/// The hub is stopped, gets another root, and starts again; members ask who it is now.
fn replace_root(world: &mut World) {
    let (given, _) = Authority::make(&Crypto::system(), "a new root").unwrap();
    let setup = HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        authority: Some(given),
        ..HubSetup::default()
    };
    let store = Arc::new(world.hub_store.clone());
    let writes = Hub::replace_root(store.clone(), &setup, world.now_ms).unwrap();
    world.hub_store.apply(&writes);
    let (hub, writes) = Hub::open(store, setup).unwrap();
    world.hub_store.apply(&writes);
    world.hub = hub;
    wait(world, 2 * DAY_MS);
}

fn wait(world: &mut World, time_ms: u64) {
    world.now_ms += time_ms;
    for index in 0..DEVICES {
        world.give(index, Input::Connected);
    }
    world.run();
    world.pass(30);
}

fn own_authority(world: &World, index: usize) -> DomainAnchors {
    let own = world.user(index).domain();
    let all = world.nodes[index].member.authorities().unwrap();
    all.into_iter().find(|known| known.domain == own).unwrap()
}

/// Each person accepts all that the hub names, for both domains.
fn everybody_trusts(world: &mut World) {
    for index in 0..DEVICES {
        for DomainAnchors { domain, offered, .. } in
            world.nodes[index].member.authorities().unwrap()
        {
            assert_eq!(offered.0.len(), 2, "the new one and the former");
            let command = DomainAnchorsCommand { domain, anchors: offered };
            let id = world.command(index, Command::TrustAnchors(command));
            world.run();
            world.assert_done(index, &id);
        }
    }
}

/// The admin has the group name the new root for both domains.
fn admin_adds(world: &mut World, group: &GroupId) {
    let known = [0, DEVICES - 1].map(|index| own_authority(world, index).known);
    let new = |TrustAnchors(known): TrustAnchors| known[0].clone();
    let settings = Settings { anchors_add: known.map(new).to_vec(), ..Settings::default() };
    let command = Command::ChangeSettings(SettingsCommand { group: group.clone(), settings });
    let id = world.command(0, command);
    world.run();
    world.assert_done(0, &id);
}

/// Until when the leaves in the group are vouched for, in milliseconds since 1970.
fn until_ms(world: &World) -> Vec<u64> {
    let members = world.nodes[0].member.groups().unwrap().remove(0).members;
    let until = members.into_iter().map(|member| match member.standing {
        Standing::Vouched { until_s } => until_s * 1000,
        Standing::Unvouched | Standing::Revoked => 0,
    });
    until.collect()
}

fn everybody_talks(world: &mut World, group: &GroupId) {
    let heard: Vec<_> = (0..DEVICES).map(|index| world.heard(index).len()).collect();
    for index in 0..DEVICES {
        world.say(index, group, "still here");
        world.run();
    }
    for (index, before) in heard.into_iter().enumerate() {
        let more = world.heard(index).len() - before;
        assert_eq!(more, DEVICES, "{index}: {:?}", world.warnings(index));
    }
}

#[test]
fn a_group_that_names_the_new_root_gets_certificates_under_it_before_the_old_ones_end() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    replace_root(&mut world);
    everybody_trusts(&mut world);
    admin_adds(&mut world, &group);
    everybody_talks(&mut world, &group);
    let old_end_ms = until_ms(&world).into_iter().max().unwrap();
    wait(&mut world, CREDENTIAL_RENEW_MS);
    // At the latest with the next update of the leaf.
    wait(&mut world, LEAF_UPDATE_MS + DAY_MS);
    assert!(until_ms(&world).iter().all(|until| *until > old_end_ms), "{:?}", until_ms(&world));
    everybody_talks(&mut world, &group);
    // By now the hub does not name the former any more.
    wait(&mut world, CREDENTIAL_LIFETIME_MS - CREDENTIAL_RENEW_MS);
    everybody_talks(&mut world, &group);
}

#[test]
fn a_group_whose_admin_adds_the_new_root_late_goes_over_to_it_then() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    replace_root(&mut world);
    everybody_trusts(&mut world);
    wait(&mut world, CREDENTIAL_RENEW_MS);
    // Certificates under the new root have come, and cannot come into the group yet.
    everybody_talks(&mut world, &group);
    admin_adds(&mut world, &group);
    wait(&mut world, LEAF_UPDATE_MS + DAY_MS);
    everybody_talks(&mut world, &group);
    let now_ms = world.now_ms;
    let fresh = |until: &u64| *until > now_ms + CREDENTIAL_LIFETIME_MS - 30 * DAY_MS;
    assert!(until_ms(&world).iter().all(fresh), "{:?} at {now_ms}", until_ms(&world));
}
