//! What an admin may change in a group, and what stays as it was registered.

use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_rs_core::extension::ExtensionType;

use crate::device::Device;
use crate::world::World;

/// A commit that changes the group's extension 0xFB71, and may take another extension away.
fn changing(
    alice: &mut Device,
    now_ms: u64,
    change: impl FnOnce(&mut BridgeGroup),
    without: Option<ExtensionType>,
) -> SubmitCommit {
    let mut extensions = alice.group().context().extensions.clone();
    let mut bridge_group = BridgeGroup::from_extensions(&extensions).unwrap();
    change(&mut bridge_group);
    extensions.set_from(bridge_group).unwrap();
    without.into_iter().for_each(|gone| extensions.remove(gone));
    alice.commit(now_ms, |builder| builder.set_group_context_ext(extensions))
}

/// What is changed, and how.
type Change = (&'static str, fn(&mut BridgeGroup));

#[test]
fn an_admin_may_change_the_settings_but_not_the_hub_the_rooms_or_the_order() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    let now = world.now;
    alice.rules.break_them();
    let forbidden: [Change; 4] = [
        ("hub", |group| group.hub_xmpp = "mls.elsewhere.org".to_owned()),
        ("key", |group| group.receipt_key[0] ^= 1),
        ("room", |group| group.matrix_room = "!other:example.org".to_owned()),
        ("order", |group| group.order = Order::Room),
    ];
    for (what, change) in forbidden {
        let commit = changing(&mut alice, now, change, None);
        let refused = world.submit(&alice.user(), commit);
        assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{what}: {refused:?}");
    }
    for gone in [ExtensionType::EXTERNAL_SENDERS, ExtensionType::REQUIRED_CAPABILITIES] {
        let commit = changing(&mut alice, now, |_| {}, Some(gone));
        let refused = world.submit(&alice.user(), commit);
        assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{gone:?}: {refused:?}");
    }
    let commit = changing(&mut alice, now, |group| group.members_may_add = true, None);
    world.commit(&mut alice, &mut [&mut bob], commit).unwrap();
    let mut carol = Device::new("@carol:example.org", "CAROL");
    world.add(&mut bob, &mut [&mut alice], &mut [&mut carol]);
}
