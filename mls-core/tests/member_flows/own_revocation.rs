//! A device learns that it was revoked itself, and goes on by itself when that is undone.

use mls_core::bridge_group::Order;
use mls_core::group_settings::Settings;
use mls_core::hub::{self, OperatorOrder, Whom};
use mls_core::identity::Standing;
use mls_core::limits::REVOKED_AGAIN_MS;
use mls_core::member::{Command, Event, SettingsCommand};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::{GroupId, Request};

use crate::network::{Task, World};
use crate::revocation::{ask_for_list, standing};
use crate::story::{ALICE, BOB, JULIET};

fn order(world: &mut World, order: impl Fn(Whom) -> OperatorOrder, index: usize) {
    let order = order(Whom::Client(world.nodes[index].client.clone()));
    world.queue.push_back(Task::ToHub(hub::Input::Operator(order)));
    world.run();
}

/// What a device was told of itself.
fn told(world: &World, index: usize) -> Vec<String> {
    let mut told = world.warnings(index);
    let own = ["this device", "was revoked", "certificate"];
    told.retain(|text| own.iter().any(|part| text.contains(part)));
    told
}

/// How often a device has asked for a certificate since this was asked last.
fn asked(world: &mut World, index: usize) -> usize {
    let user = world.user(index);
    let asks = |input: &hub::Input| match input {
        hub::Input::Request(r) => {
            r.from == user && matches!(r.request, Request::IssueCredential(_))
        }
        _ => false,
    };
    let count = world.hub_inputs.iter().filter(|input| asks(input)).count();
    world.hub_inputs.clear();
    count
}

#[test]
fn a_revoked_device_is_told_once_and_asks_again_now_and_then() {
    let (mut world, _) = World::group(&[ALICE, BOB, JULIET]);
    world.pass(5);
    for revoked in [1, 2] {
        order(&mut world, OperatorOrder::Revoke, revoked);
        ask_for_list(&mut world);
        assert_eq!(told(&world, revoked).len(), 1, "{:?}", world.warnings(revoked));
        assert!(told(&world, revoked)[0].contains("this device was revoked"));
        assert!(asked(&mut world, revoked) > 0, "it does not know whether that stands");
        world.pass(300);
        assert_eq!(asked(&mut world, revoked), 0, "it was refused just now");
        for _ in 0..4 {
            world.now_ms += REVOKED_AGAIN_MS;
            world.pass(120);
            let often = asked(&mut world, revoked);
            assert!((1..=4).contains(&often), "{often}");
        }
        world.reopen(revoked);
        ask_for_list(&mut world);
        assert_eq!(told(&world, revoked).len(), 1, "{:?}", world.warnings(revoked));
    }
    assert_eq!(told(&world, 0).iter().filter(|text| text.contains("this device")).count(), 0);
}

#[test]
fn a_device_that_is_given_back_gets_a_certificate_and_can_be_invited_again() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.pass(5);
    order(&mut world, OperatorOrder::Revoke, 2);
    ask_for_list(&mut world);
    world.pass(60);
    assert_eq!(world.count(2, |event| matches!(event, Event::Removed(_))), 1);
    order(&mut world, OperatorOrder::Undo, 2);
    world.now_ms += REVOKED_AGAIN_MS;
    world.pass(120);
    assert!(told(&world, 2)[1].contains("this device counts again"), "{:?}", told(&world, 2));
    ask_for_list(&mut world);
    // Its key packages of before are not among those that the hub hands out.
    let user = world.user(2);
    let invite = world.invite(0, &group, vec![user]);
    world.pass(60);
    world.assert_done(0, &invite);
    for index in 0..3 {
        assert!(matches!(standing(&world, index, 2), Standing::Vouched { .. }), "{index}");
    }
    world.say(2, &group, "here again");
    world.run();
    assert_eq!(world.heard(0), ["0011223344556677: here again"]);
    assert_eq!(told(&world, 2).len(), 2, "{:?}", told(&world, 2));
}

/// Alice and Bob in a group on Matrix that its room orders, from which the hub removes nobody.
fn ordered_by_room() -> (World, GroupId) {
    let mut world = World::new(&[ALICE, BOB]);
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Verona".to_owned() };
    let made = world.command(0, Command::CreateGroup(rooms));
    world.run();
    let group = world.group_of(0, &made);
    world.invite_all(0, &group);
    world.pass(5);
    let settings = Settings { order: Some(Order::Room), ..Settings::default() };
    let command = Command::ChangeSettings(SettingsCommand { group: group.clone(), settings });
    let id = world.command(0, command);
    world.run();
    world.assert_done(0, &id);
    (world, group)
}

#[test]
fn where_it_was_not_removed_its_leaf_is_renewed_when_it_is_given_back() {
    let (mut world, group) = ordered_by_room();
    order(&mut world, OperatorOrder::Revoke, 1);
    ask_for_list(&mut world);
    for index in [0, 1] {
        assert_eq!(standing(&world, index, 1), Standing::Revoked, "{index}");
    }
    assert_eq!(told(&world, 1).len(), 1, "not of itself as of a member: {:?}", told(&world, 1));
    order(&mut world, OperatorOrder::Undo, 1);
    world.now_ms += REVOKED_AGAIN_MS;
    // Each group at its own time within the hour.
    world.pass(3700);
    ask_for_list(&mut world);
    for index in [0, 1] {
        let now = standing(&world, index, 1);
        assert!(matches!(now, Standing::Vouched { .. }), "{index}: {now:?}, {:?}", told(&world, 1));
    }
    world.say(1, &group, "renewed");
    world.run();
    assert_eq!(world.heard(0).len(), 1);
}
