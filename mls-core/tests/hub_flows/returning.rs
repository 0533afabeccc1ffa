//! Coming back by an external commit, with the same key and to the own leaf only.

use mls_core::crypto::Crypto;
use mls_core::hub::{Input, Membership};
use mls_core::receipt::ReceiptKind;
use mls_core::wire::fetch_group_info::{FetchGroupInfo, GroupState};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::{Answer, GroupId, Request};
use mls_rs::MlsMessage;
use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs_core::crypto::{CipherSuiteProvider, SignaturePublicKey};

use crate::device::{Device, SUITE};
use crate::world::{World, muc, room};

fn bob() -> Device {
    Device::new("bob@example.org", "00000000000000b0")
}

/// The device as it is after it lost everything but its signature key.
fn without_state(device: &Device) -> Device {
    let suite = Crypto::system().suite(SUITE).unwrap();
    let public = suite.signature_key_derive_public(&device.key).unwrap();
    Device::with_key(device.id.clone(), device.key.clone(), identity(device, public))
}

fn identity(device: &Device, key: SignaturePublicKey) -> SigningIdentity {
    SigningIdentity::new(mls_core::identity::credential(&device.id), key)
}

/// Fetches the GroupInfo and builds the external commit.
fn come_back(
    world: &mut World,
    device: &mut Device,
    group: &GroupId,
    old_leaf: u32,
) -> SubmitCommit {
    let fetch = FetchGroupInfo { group: group.clone() };
    let fetched = match world.request(&device.user(), Request::FetchGroupInfo(fetch)).unwrap() {
        Answer::GroupInfo(fetched) => fetched,
        other => panic!("{other:?}"),
    };
    let GroupState { group_info, tree, .. } = fetched;
    let group_info = MlsMessage::from_bytes(group_info.inline().unwrap()).unwrap();
    let epoch = group_info.epoch().unwrap();
    let tree = ExportedTree::from_bytes(tree.inline().unwrap()).unwrap();
    let builder = device.client.external_commit_builder().unwrap();
    let builder = builder.with_tree_data(tree).with_removal(old_leaf);
    let (new_group, commit) = builder.build(group_info).unwrap();
    let new_info = new_group.group_info_message_allowing_ext_commit(false).unwrap();
    device.group = Some(new_group);
    let (commit, info) = (commit.to_bytes().unwrap(), new_info.to_bytes().unwrap());
    device.signed(group.clone(), epoch, commit, None, info)
}

#[test]
fn a_device_without_its_group_state_comes_back_with_its_key() {
    let mut world = World::new();
    let mut lost = bob();
    let mut alice = world.group_with(&mut [&mut lost]);
    world.take_effects();
    let mut bob = without_state(&lost);
    let commit = come_back(&mut world, &mut bob, &alice.group_id(), lost.index());
    let receipt = world.submit(&bob.user(), commit).unwrap();
    assert_eq!((receipt.tbs.kind, receipt.tbs.seq), (ReceiptKind::Commit, 2));
    let posts = world.take_posts(&room());
    alice.receive(&posts[0].handshake);
    // Nobody came and nobody went.
    assert!(world.take_effects().is_empty());
    let text = alice.encrypt("welcome back");
    assert_eq!(bob.decrypt(&text), "welcome back");
    let mut users = world.hub().users_in(&muc()).unwrap();
    users.sort();
    assert_eq!(users, [alice.user(), bob.user()]);
}

#[test]
fn an_external_commit_with_another_key_is_refused() {
    let mut world = World::new();
    let mut old = bob();
    let alice = world.group_with(&mut [&mut old]);
    let (key, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
    let like = identity(&old, public);
    let mut thief = Device::with_key(old.id.clone(), key, like);
    let fetch = FetchGroupInfo { group: alice.group_id() };
    world.request(&old.user(), Request::FetchGroupInfo(fetch)).unwrap();
    // An honest engine refuses to build this; one without our rules does not.
    let built = external_commit_without_rules(&alice, &mut thief, Some(old.index()));
    let refused = world.submit(&old.user(), built);
    assert!(
        matches!(&refused, Err(Refusal::NotAllowed(why)) if why.contains("signature key")),
        "{refused:?}"
    );
}

#[test]
fn an_external_commit_of_somebody_who_is_no_member_is_refused() {
    let mut world = World::new();
    let mut old = bob();
    let alice = world.group_with(&mut [&mut old]);
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    let built = external_commit_without_rules(&alice, &mut laptop, None);
    let refused = world.submit(&laptop.user(), built);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}

#[test]
fn an_external_commit_does_not_make_a_pending_removal_go_away() {
    let mut world = World::new();
    let mut lost = bob();
    let mut carol = Device::new("@carol:example.org", "CAROL");
    let mut alice = world.group_with(&mut [&mut lost, &mut carol]);
    world.take_effects();
    let left = Membership { room: room(), user: carol.user(), listed: false };
    world.happen(Input::Membership(left));
    let mut posts = world.take_posts(&room());
    assert_eq!(posts.len(), 1);
    let mut bob = without_state(&lost);
    let commit = come_back(&mut world, &mut bob, &alice.group_id(), lost.index());
    world.submit(&bob.user(), commit).unwrap();
    posts.extend(world.take_posts(&room()));
    assert_eq!(posts.len(), 3, "the commit, and the removal again");
    for post in &posts {
        alice.receive(&post.handshake);
    }
    bob.receive(&posts[2].handshake);
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [&mut bob], commit).unwrap();
    assert_eq!(bob.group().roster().members().len(), 2);
}

#[test]
fn who_is_being_removed_does_not_come_back() {
    let mut world = World::new();
    let mut lost = bob();
    let alice = world.group_with(&mut [&mut lost]);
    let left = Membership { room: muc(), user: lost.user(), listed: false };
    world.happen(Input::Membership(left));
    world.take_effects();
    let mut bob = without_state(&lost);
    let commit = come_back(&mut world, &mut bob, &alice.group_id(), lost.index());
    let refused = world.submit(&bob.user(), commit);
    assert!(
        matches!(&refused, Err(Refusal::NotAllowed(why)) if why.contains("being removed")),
        "{refused:?}"
    );
}

#[test]
fn the_group_info_is_for_members_only() {
    let mut world = World::new();
    let alice = world.alices_group();
    let fetch = || Request::FetchGroupInfo(FetchGroupInfo { group: alice.group_id() });
    let stranger = bob().user();
    assert!(matches!(world.request(&stranger, fetch()), Err(Refusal::NotAllowed(_))));
    assert!(matches!(world.request(&alice.user(), fetch()), Ok(Answer::GroupInfo(_))));
}

/// An external commit by an engine that knows nothing of our rules.
fn external_commit_without_rules(
    member: &Device,
    device: &mut Device,
    old_leaf: Option<u32>,
) -> SubmitCommit {
    use mls_core::policy::{BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION};
    let suite = Crypto::system().suite(SUITE).unwrap();
    let public = suite.signature_key_derive_public(&device.key).unwrap();
    let identity = identity(device, public);
    let client = mls_rs::Client::builder()
        .crypto_provider(Crypto::system())
        .identity_provider(mls_core::identity::ClientIdentity)
        .extension_types([BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
        .signing_identity(identity, device.key.clone(), SUITE)
        .build();
    let group = member.group.as_ref().unwrap();
    let group_info = group.group_info_message_allowing_ext_commit(true).unwrap();
    let mut builder = client.external_commit_builder().unwrap();
    if let Some(old_leaf) = old_leaf {
        builder = builder.with_removal(old_leaf);
    }
    let (new_group, commit) = builder.build(group_info).unwrap();
    let info = new_group.group_info_message_allowing_ext_commit(false).unwrap();
    let (commit, info) = (commit.to_bytes().unwrap(), info.to_bytes().unwrap());
    device.signed(member.group_id(), member.epoch(), commit, None, info)
}
