//! What members can do with a group beside adding and removing: settings, proposals by reference,
//! joining an open group.

use mls_core::address::{Network, RoomAddress};
use mls_core::group_settings::Settings;
use mls_core::limits::ADDS_BY_VALUE_PER_COMMIT_MAX;
use mls_core::member::{Command, Event, ProposeCommand, SettingsCommand, Wish};
use mls_core::wire::GroupId;

use crate::network::{Restarts, World};
use crate::story::{ALICE, BOB, JULIET, ROMEO};

fn change(world: &mut World, index: usize, group: &GroupId, settings: Settings) -> String {
    let command = SettingsCommand { group: group.clone(), settings };
    let id = world.command(index, Command::ChangeSettings(command));
    world.run();
    id
}

fn propose(world: &mut World, index: usize, group: &GroupId, wish: Wish) -> String {
    world.command(index, Command::Propose(ProposeCommand { group: group.clone(), wish }))
}

fn is_admin(world: &World, index: usize, of: usize) -> bool {
    let groups = world.nodes[index].member.groups().unwrap();
    let members = &groups[0].members;
    members.iter().any(|m| m.client == world.nodes[of].client && m.admin)
}

fn room(world: &World, group: &GroupId, network: Network) -> RoomAddress {
    let groups = world.nodes[0].member.groups().unwrap();
    let summary = groups.into_iter().find(|s| s.group == *group).unwrap();
    summary.rooms.into_iter().find(|room| room.network == network).unwrap()
}

#[test]
fn an_admin_makes_another_and_only_admins_change_settings() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let by_bob = Settings { members_may_add: Some(true), ..Settings::default() };
    let refused = change(&mut world, 1, &group, by_bob.clone());
    assert!(world.failure(1, &refused).contains("only an admin"), "{refused}");
    let admins_add = vec![world.user(1)];
    let done = change(&mut world, 0, &group, Settings { admins_add, ..Settings::default() });
    world.assert_done(0, &done);
    assert!(is_admin(&world, 2, 1));
    let done = change(&mut world, 1, &group, by_bob);
    world.assert_done(1, &done);
    let admins_remove = vec![world.user(0)];
    let done = change(&mut world, 1, &group, Settings { admins_remove, ..Settings::default() });
    world.assert_done(1, &done);
    assert!(!is_admin(&world, 2, 0) && is_admin(&world, 2, 1));
    let last = Settings { admins_remove: vec![world.user(1)], ..Settings::default() };
    let refused = change(&mut world, 1, &group, last);
    assert!(world.failure(1, &refused).contains("must keep an admin"));
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_proposal_by_reference_is_committed_by_whoever_comes_first() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET, ROMEO]);
    let update = propose(&mut world, 1, &group, Wish::Update);
    world.run();
    world.assert_done(1, &update);
    let romeo = vec![world.user(3)];
    let remove = propose(&mut world, 0, &group, Wish::Remove(romeo));
    world.run();
    world.assert_done(0, &remove);
    world.pass(120);
    let left = |event: &Event| match event {
        Event::Epoch(epoch) => epoch.removed == [world.nodes[3].client.clone()],
        _ => false,
    };
    assert_eq!(world.count(2, left), 1);
    world.assert_agree(&group, &[0, 1, 2]);
    // Whose leaf was renewed by somebody else's commit still reads and writes.
    world.say(1, &group, "and back");
    world.run();
    assert!(world.heard(2).iter().any(|text| text.ends_with("and back")));
}

#[test]
fn an_add_by_reference_brings_all_devices_of_a_user() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    let juliet = vec![world.user(2)];
    let add = propose(&mut world, 0, &group, Wish::Add(juliet));
    world.run();
    world.assert_done(0, &add);
    world.pass(60);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn one_commit_takes_in_more_by_reference_than_it_could_by_value() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    // It is bob's turn to commit, and he is away: what alice proposes waits.
    world.nodes[1].away = true;
    let count = ADDS_BY_VALUE_PER_COMMIT_MAX + 10;
    let added: Vec<_> =
        (0..count).map(|n| world.add(&format!("u{n}@x.org"), "00112233445566aa")).collect();
    world.run();
    let users = added.iter().map(|index| world.user(*index)).collect();
    let add = propose(&mut world, 0, &group, Wish::Add(users));
    world.run();
    world.assert_done(0, &add);
    assert_eq!(world.epoch(0, &group), Some(1));
    // Who has something to say commits first, whoever's turn it is.
    world.say(0, &group, "some come");
    world.run();
    assert_eq!(world.epoch(0, &group), Some(2));
    world.come_back(1);
    world.run();
    world.say(1, &group, "welcome");
    world.run();
    let all: Vec<_> = (0..count + 2).collect();
    world.assert_agree(&group, &all);
    for index in added {
        assert!(world.heard(index).iter().any(|text| text.ends_with("welcome")));
    }
}

#[test]
fn nobody_but_an_admin_can_propose_to_remove_or_add_others() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let alice = vec![world.user(0)];
    let refused = propose(&mut world, 1, &group, Wish::Remove(alice));
    world.run();
    assert!(world.failure(1, &refused).contains("only an admin"));
    world.say(1, &group, "still here");
    world.run();
    assert!(world.heard(0).iter().any(|text| text.ends_with("still here")));
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn proposals_survive_restarts_and_races() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        world.restarts = restarts;
        let ids: Vec<_> = (0..3).map(|i| propose(&mut world, i, &group, Wish::Update)).collect();
        let rotated = world.command(0, Command::Rotate(group.clone()));
        world.run();
        world.pass(120);
        for (index, id) in ids.iter().enumerate() {
            world.assert_done(index, id);
        }
        world.assert_done(0, &rotated);
        world.assert_agree(&group, &[0, 1, 2]);
        for index in 0..3 {
            world.say(index, &group, "all well");
        }
        world.run();
        world.pass(60);
        for index in 0..3 {
            let heard = world.heard(index).iter().filter(|t| t.ends_with("all well")).count();
            assert_eq!(heard, 3, "{restarts:?} {index}: {:?}", world.warnings(index));
        }
    }
}

#[test]
fn who_is_in_the_room_of_an_open_group_joins_by_itself() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    let muc = room(&world, &group, Network::Xmpp);
    let juliet = world.user(2);
    world.list(&muc, &juliet, true);
    world.run();
    let join = world.command(2, Command::Join(muc.clone()));
    world.run();
    assert!(world.failure(2, &join).contains("not in the group"));
    let open = Settings { open_join: Some(true), ..Settings::default() };
    let opened = change(&mut world, 0, &group, open);
    world.assert_done(0, &opened);
    let join = world.command(2, Command::Join(muc));
    world.run();
    world.assert_done(2, &join);
    world.assert_agree(&group, &[0, 1, 2]);
    let added = |event: &Event| match event {
        Event::Epoch(epoch) => epoch.added == [world.nodes[2].client.clone()],
        _ => false,
    };
    assert_eq!(world.count(1, added), 1);
    world.say(2, &group, "good evening");
    world.run();
    assert!(world.heard(1).iter().any(|text| text.ends_with("good evening")));
}

#[test]
fn who_is_in_no_room_of_an_open_group_cannot_join_it() {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    let open = Settings { open_join: Some(true), ..Settings::default() };
    let opened = change(&mut world, 0, &group, open);
    world.assert_done(0, &opened);
    let matrix = room(&world, &group, Network::Matrix);
    let join = world.command(1, Command::Join(matrix));
    world.run();
    assert!(world.failure(1, &join).contains("only who is in the room's list"));
}
