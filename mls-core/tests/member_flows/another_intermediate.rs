//! The authority gets another intermediate under its root: what was revoked under the former stays revoked.

use std::sync::Arc;

use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::hub::{Hub, HubSetup, Roles};
use mls_core::identity::Standing;
use mls_core::limits::REVOCATIONS_AGAIN_MS;
use mls_core::member::{Command, Input};
use mls_core::policy::CREDENTIAL_RENEW_MS;
use mls_core::store::{Store, Write};
use mls_core::wire::GroupId;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::network::World;
use crate::revocation::{TABLET, ask_for_list, lose_handshakes, standing};
use crate::story::{ALICE, BOB, JULIET};

type Root = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root() -> Root {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    CertifiedIssuer::self_signed(params("root"), key).unwrap()
}

/// An intermediate, always of the same name.
fn intermediate(root: &Root) -> Authority {
    let (made, secret) = Authority::make(&Crypto::system(), "unused").unwrap();
    let public = made.public();
    let spki = [
        &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00],
        public.as_ref(),
    ];
    let spki = rcgen::SubjectPublicKeyInfo::from_der(&spki.concat()).unwrap();
    let online = params("online").signed_by(&spki, root).unwrap();
    Authority::open(secret, public, vec![online.der().to_vec(), root.der().to_vec()]).unwrap()
}

fn setup(authority: Authority) -> HubSetup {
    HubSetup {
        roles: Roles::Both,
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        authority: Some(authority),
    }
}

/// The hub is stopped and started with this authority.
fn start(world: &mut World, authority: Authority) {
    let store = Arc::new(world.hub_store.clone());
    let (hub, writes) = Hub::open(store, setup(authority)).unwrap();
    world.hub_store.apply(&writes);
    world.hub = hub;
}

/// A world whose authority is an intermediate under this root, and a group of these.
fn under(root: &Root, devices: &[(&str, &str)]) -> (World, GroupId) {
    let mut world = World::new(&[]);
    let first = intermediate(root);
    let store = Arc::new(world.hub_store.clone());
    let writes = Hub::replace_root(store, &setup(first.clone()), world.now_ms).unwrap();
    world.hub_store.apply(&writes);
    start(&mut world, first);
    for (account, device) in devices {
        world.add(account, device);
    }
    world.run();
    let group = world.found(0);
    world.invite_all(0, &group);
    world.pass(5);
    (world, group)
}

/// Alice's tablet is revoked, and its Remove comes to nobody.
fn revoked_and_not_removed(root: &Root) -> (World, GroupId, usize) {
    let (mut world, group) = under(root, &[ALICE, BOB, JULIET]);
    let tablet = world.add(TABLET.0, TABLET.1);
    world.run();
    let user = world.user(0);
    world.invite(0, &group, vec![user]);
    world.pass(5);
    ask_for_list(&mut world);
    lose_handshakes(&mut world);
    world.command(0, Command::RevokeDevice(world.nodes[tablet].client.clone()));
    world.run();
    (world, group, tablet)
}

#[test]
fn who_was_revoked_under_a_former_intermediate_stays_so_for_members() {
    let root = root();
    let (mut world, _, tablet) = revoked_and_not_removed(&root);
    ask_for_list(&mut world);
    for _ in 0..2 {
        start(&mut world, intermediate(&root));
        ask_for_list(&mut world);
        for index in 0..3 {
            assert_eq!(standing(&world, index, tablet), Standing::Revoked, "{index}");
            assert!(matches!(standing(&world, index, 0), Standing::Vouched { .. }), "{index}");
        }
    }
    world.reopen(1);
    assert_eq!(standing(&world, 1, tablet), Standing::Revoked, "after a restart too");
    let told = world.warnings(1);
    assert_eq!(
        told.iter().filter(|text| text.contains("TABLET was revoked")).count(),
        1,
        "{told:?}"
    );
}

#[test]
fn who_asks_first_after_the_change_learns_of_it_from_the_list_of_the_former() {
    let root = root();
    let (mut world, _, tablet) = revoked_and_not_removed(&root);
    // Bob hears nothing until the next intermediate is there.
    world.nodes[1].away = true;
    ask_for_list(&mut world);
    assert!(matches!(standing(&world, 1, tablet), Standing::Vouched { .. }));
    start(&mut world, intermediate(&root));
    world.come_back(1);
    ask_for_list(&mut world);
    assert_eq!(standing(&world, 1, tablet), Standing::Revoked);
}

#[test]
fn the_only_list_that_a_profile_of_before_holds_goes_on_in_force() {
    let (mut world, _, tablet) = revoked_and_not_removed(&root());
    ask_for_list(&mut world);
    // As it was stored when there was one for all issuers.
    let store = world.nodes[1].store.clone();
    let rows = store.scan("revocations", &[], &[], 10).unwrap();
    let [(issuer, list)] = rows.as_slice() else { panic!("{} lists", rows.len()) };
    let (space, list) = ("revocations", list.clone());
    store.apply(&[
        Write::Delete { space, key: issuer.clone() },
        Write::Put { space, key: b"list".to_vec(), value: list },
    ]);
    world.reopen(1);
    assert_eq!(standing(&world, 1, tablet), Standing::Revoked);
    assert_eq!(store.scan(space, &[], &[], 10).unwrap()[0].0, *issuer);
    assert!(world.warnings(1).iter().all(|text| !text.contains("list")));
}

#[test]
fn a_list_is_forgotten_when_the_certificates_that_it_names_have_ended() {
    let root = root();
    let (mut world, _, _) = revoked_and_not_removed(&root);
    ask_for_list(&mut world);
    start(&mut world, intermediate(&root));
    let kept =
        |world: &World| world.nodes[1].store.scan("revocations", &[], &[], 10).unwrap().len();
    ask_for_list(&mut world);
    assert_eq!(kept(&world), 2);
    world.now_ms += 2 * CREDENTIAL_RENEW_MS - REVOCATIONS_AGAIN_MS;
    world.give(1, Input::Connected);
    ask_for_list(&mut world);
    assert_eq!(kept(&world), 1);
}
