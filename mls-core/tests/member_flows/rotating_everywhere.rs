//! Fresh keys in all groups and all key packages of a device, also where something goes wrong meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use mls_core::address::Network;
use mls_core::bridge_group::Order;
use mls_core::group_settings::Settings;
use mls_core::identity::Standing;
use mls_core::limits::{RENEWAL_WAIT_MS, RENEWALS_AT_ONCE_MAX};
use mls_core::member::{Command, Input, SettingsCommand};
use mls_core::store::Store;
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Request};
use mls_rs::MlsMessage;

use crate::network::{Restarts, World};
use crate::story::{ALICE, BOB, JULIET};

/// The signature key in a device's leaf of each group, as another device sees it.
fn keys(world: &World, seen_by: usize, of: usize) -> BTreeMap<GroupId, Vec<u8>> {
    let client = &world.nodes[of].client;
    let groups = world.nodes[seen_by].member.groups().unwrap().into_iter();
    let leaf = groups.filter_map(|group| {
        let leaf = group.members.into_iter().find(|member| member.client == *client)?;
        assert!(matches!(leaf.standing, Standing::Vouched { .. }), "{leaf:?}");
        Some((group.group, leaf.signature_key))
    });
    leaf.collect()
}

/// Init keys of the packages for one use, and of the last resorts, that are in stock for a device.
fn stock(world: &World, of: usize) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let init_key = |package: &[u8]| {
        let message = MlsMessage::from_bytes(package).unwrap();
        message.as_key_package().unwrap().hpke_init_key.to_vec()
    };
    let node = &world.nodes[of];
    if node.client.network() == Network::Matrix {
        let one_time = node.one_time.values().flatten().map(|bytes| init_key(bytes)).collect();
        return (one_time, node.last_resort.values().map(|bytes| init_key(bytes)).collect());
    }
    let client = node.client.as_str().as_bytes();
    let of_space = |space| {
        let rows = world.hub_store.scan(space, client, &[], 1000).unwrap();
        rows.iter().map(|(_, value)| init_key(value)).collect()
    };
    (of_space("pool_one_time"), of_space("pool_last_resort"))
}

/// As many groups of the first and the last device as a few renewals at once do not do.
fn many_groups() -> World {
    let mut world = World::new(&[ALICE, JULIET]);
    for _ in 0..=RENEWALS_AT_ONCE_MAX {
        let group = world.found(0);
        world.invite_all(0, &group);
    }
    world.pass(5);
    world
}

fn rotate(world: &mut World, index: usize) -> String {
    let id = world.command(index, Command::RotateEverywhere);
    world.run();
    world.pass(20);
    id
}

#[test]
fn every_leaf_and_every_package_that_can_be_replaced_has_fresh_keys_afterwards() {
    for (index, seen_by) in [(0, 1), (1, 0)] {
        let mut world = many_groups();
        let (before, (one_time, last_resort)) =
            (keys(&world, seen_by, index), stock(&world, index));
        assert!(!one_time.is_empty() && last_resort.len() == 3, "{one_time:?} {last_resort:?}");
        let id = rotate(&mut world, index);
        world.assert_done(index, &id);
        let after = keys(&world, seen_by, index);
        assert_eq!(after.len(), RENEWALS_AT_ONCE_MAX + 1);
        let old: BTreeSet<_> = before.into_values().collect();
        let new: BTreeSet<_> = after.values().cloned().collect();
        assert!(new.is_disjoint(&old) && new.len() == after.len(), "one key for each group");
        let (now, last_now) = stock(&world, index);
        assert!(last_now.len() == 3 && last_now.is_disjoint(&last_resort));
        let staying = world.warnings(index).iter().filter(|text| text.contains("gives no")).count();
        match world.user(index).network() {
            Network::Matrix => assert_eq!((&now, staying), (&one_time, 1), "said, for they stay"),
            Network::Xmpp => {
                assert!(now.len() >= one_time.len(), "{} of {}", now.len(), one_time.len());
                assert!(now.is_disjoint(&one_time), "{}", now.intersection(&one_time).count());
                assert_eq!(staying, 0);
            }
        }
        for group in after.keys() {
            world.say(0, group, "still here");
            world.say(1, group, "so am I");
            world.run();
        }
        assert_eq!(world.heard(seen_by).len(), 2 * after.len(), "{:?}", world.warnings(seen_by));
    }
}

#[test]
fn restarts_at_any_point_do_not_keep_it_from_its_end() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let mut world = many_groups();
        let before = keys(&world, 0, 1);
        world.restarts = restarts;
        let id = rotate(&mut world, 1);
        world.pass(60);
        world.assert_done(1, &id);
        for (group, key) in keys(&world, 0, 1) {
            assert_ne!(before[&group], key);
        }
    }
}

#[test]
fn only_a_few_groups_are_renewed_at_once() {
    let mut world = many_groups();
    world.hub_inputs.clear();
    world.command(1, Command::RotateEverywhere);
    // Nothing that the hub says of a commit arrives.
    world.tamper = Box::new(|_, input| {
        !matches!(input, Input::Answer(_, Ok(Answer::Receipt(_))) | Input::Notice(_))
    });
    world.run();
    world.pass(20);
    let groups: BTreeSet<_> = world
        .hub_inputs
        .iter()
        .filter_map(|input| match input {
            mls_core::hub::Input::Request(asked) => match &asked.request {
                Request::SubmitCommit(commit) => Some(commit.group.clone()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(groups.len(), RENEWALS_AT_ONCE_MAX);
}

#[test]
fn a_group_that_refuses_is_named_and_the_others_are_renewed() {
    let mut world = many_groups();
    let before = keys(&world, 0, 1);
    let refusing = before.keys().next().unwrap().clone();
    let of = refusing.clone();
    world.hub_tamper = Box::new(move |input| {
        if let mls_core::hub::Input::Request(asked) = input
            && let Request::SubmitCommit(commit) = &mut asked.request
            && commit.group == of
        {
            commit.signature = vec![0; 64];
        }
    });
    let id = rotate(&mut world, 1);
    let why = world.failure(1, &id);
    assert!(why.contains(&refusing.to_string()) && why.contains("(1)"), "{why}");
    for (group, key) in keys(&world, 0, 1) {
        assert_eq!(before[&group] == key, group == refusing, "{group}");
    }
}

#[test]
fn certificates_that_are_refused_are_said_and_the_end_comes_all_the_same() {
    let mut world = many_groups();
    // The first keys of groups have certificates already.
    let id = rotate(&mut world, 1);
    world.assert_done(1, &id);
    world.tamper = Box::new(|index, input| {
        if let Input::Answer(_, result @ Ok(Answer::Credential(_))) = input
            && index == 1
        {
            *result = Err(Refusal::NotAllowed("not today".to_owned()));
        }
        true
    });
    let id = rotate(&mut world, 1);
    let why = world.failure(1, &id);
    let all = format!("({})", RENEWALS_AT_ONCE_MAX + 2);
    assert!(
        why.contains("key packages") && why.contains("not today") && why.contains(&all),
        "{why}"
    );
}

#[test]
fn a_group_that_its_room_orders_and_one_that_cannot_be_reached_are_left_out() {
    let mut world = World::new(&[ALICE, BOB]);
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Verona".to_owned() };
    let id = world.command(0, Command::CreateGroup(rooms));
    world.run();
    let by_room = world.group_of(0, &id);
    let settings = Settings { order: Some(Order::Room), ..Settings::default() };
    let command = SettingsCommand { group: by_room.clone(), settings };
    let id = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &id);
    let silent = world.found(0);
    let of = silent.clone();
    world.hub_tamper = Box::new(move |input| {
        if let mls_core::hub::Input::Request(asked) = input
            && let Request::SubmitCommit(commit) = &asked.request
            && commit.group == of
        {
            *input = mls_core::hub::Input::Tick;
        }
    });
    let id = rotate(&mut world, 0);
    assert!(world.result(0, &id).is_none(), "an hour is not over");
    world.now_ms += RENEWAL_WAIT_MS;
    world.pass(2);
    let why = world.failure(0, &id);
    assert!(why.contains(&format!("{by_room}: its room orders it")), "{why}");
    assert!(why.contains(&format!("{silent}: it could not be done within an hour")), "{why}");
}
