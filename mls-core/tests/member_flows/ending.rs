//! Groups whose members are all to be removed, and what comes before the commit that it needs: each
//! of these was found by the simulator.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::address::RoomAddress;
use mls_core::group_settings::Settings;
use mls_core::limits::DAY_MS;
use mls_core::member::{
    Command, Event, Input, MembersCommand, ProposeCommand, ReInitCommand, SettingsCommand, Wish,
};
use mls_core::store::{Store, Write};
use mls_core::wire::leave_room::LeaveRoom;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET, four};

impl World {
    fn put_out(&mut self, index: usize, group: &GroupId) {
        let user = self.user(index);
        let summary = self.nodes[index].member.groups().unwrap();
        let summary = summary.into_iter().find(|summary| summary.group == *group).unwrap();
        let room = summary.rooms.into_iter().find(|room| room.network == user.network()).unwrap();
        self.leave_room(&room, &user);
    }
}

#[test]
fn a_group_that_everybody_is_put_out_of_has_ended() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    world.put_out(0, &group);
    world.put_out(1, &group);
    let waiting = world.say(0, &group, "is anybody there?");
    world.run();
    for index in [0, 1] {
        assert_eq!(world.count(index, |event| matches!(event, Event::Removed(_))), 1);
        assert!(world.nodes[index].member.groups().unwrap().is_empty());
    }
    assert!(!world.failure(0, &waiting).is_empty());
    // Nobody comes back, and nothing waits for that.
    let rejoin = world.command(0, Command::Rejoin(group.clone()));
    world.run();
    assert!(world.failure(0, &rejoin).contains("it has ended"), "{}", world.failure(0, &rejoin));
    world.pass(120);
    assert!(world.nodes[0].member.pending().unwrap().is_empty());
    // Its members can meet elsewhere.
    let other = world.found(0);
    world.invite_all(0, &other);
    world.assert_agree(&other, &[0, 1, 2]);
}

#[test]
fn who_did_not_hear_of_the_end_finds_the_group_ended() {
    let (mut world, group) = World::group_with(&[ALICE, BOB], &[1]);
    world.nodes[1].away = true;
    world.put_out(0, &group);
    world.put_out(1, &group);
    world.run();
    world.tamper = Box::new(|_, input| !matches!(input, Input::Notice(Notice::Handshake(_))));
    world.come_back(1);
    world.run();
    world.pass(120);
    assert_eq!(world.count(1, |event| matches!(event, Event::Removed(_))), 1);
}

#[test]
fn a_group_whose_members_propose_each_others_removal_goes_on() {
    let (mut world, group) = World::group_with(&[ALICE, BOB], &[1]);
    world.pass(120);
    for other in [1, 0] {
        let wish = Wish::Remove(vec![world.user(other)]);
        world.command(0, Command::Propose(ProposeCommand { group: group.clone(), wish }));
    }
    world.run();
    world.pass(300);
    let left: Vec<usize> =
        (0..2).filter(|index| !world.nodes[*index].member.groups().unwrap().is_empty()).collect();
    let [left] = left[..] else { panic!("{left:?}") };
    let word = world.say(left, &group, "so who is left?");
    world.run();
    world.assert_done(left, &word);
}

#[test]
fn a_group_in_which_only_a_dead_device_is_to_stay_goes_on_after_some_minutes() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1, 2]);
    world.pass(120);
    world.tamper = Box::new(|index, _| index != 1);
    let wish = Wish::Remove(vec![world.user(0)]);
    world.command(0, Command::Propose(ProposeCommand { group: group.clone(), wish }));
    world.run();
    let muc = world.nodes[2].member.groups().unwrap()[0].rooms[1].clone();
    let juliet = world.user(2);
    world.leave_room(&muc, &juliet);
    world.run();
    let word = world.say(0, &group, "is anybody here?");
    world.pass(240);
    assert!(world.result(0, &word).is_none(), "Bob might still commit");
    world.pass(240);
    world.assert_done(0, &word);
    let members = world.nodes[0].member.groups().unwrap().remove(0).members;
    assert_eq!(members.len(), 2, "Juliet is out, and Alice is not: {members:?}");
}

/// Alice's group, which Bob may join: he is in the list of its room.
pub(crate) fn open_to_bob() -> (World, GroupId, RoomAddress) {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    let settings = Settings { open_join: Some(true), ..Settings::default() };
    let settings = SettingsCommand { group: group.clone(), settings };
    world.command(0, Command::ChangeSettings(settings));
    world.run();
    let room = world.nodes[0].member.groups().unwrap()[0].rooms[0].clone();
    let bob = world.user(1);
    world.list(&room, &bob, true);
    world.run();
    (world, group, room)
}

#[test]
fn a_join_that_meets_a_leaving_ends() {
    let (mut world, group, room) = open_to_bob();
    world.tamper =
        Box::new(|_, input| !matches!(input, Input::Answer(_, Ok(Answer::GroupInfo(_)))));
    let join = world.command(1, Command::Join(room));
    world.run();
    let leave = world.command(1, Command::Leave(group));
    world.run();
    world.assert_done(1, &leave);
    assert!(world.failure(1, &join).contains("left it"));
}

#[test]
fn a_rejoin_waits_for_what_becomes_of_a_proposal() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1, 2]);
    world.pass(120);
    let wish = Wish::Update;
    let proposal =
        world.command(1, Command::Propose(ProposeCommand { group: group.clone(), wish }));
    let rejoin = world.command(1, Command::Rejoin(group.clone()));
    world.run();
    world.pass(120);
    world.assert_done(1, &proposal);
    world.assert_done(1, &rejoin);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.warnings(0), Vec::<String>::new());
}

#[test]
fn what_is_signed_by_a_new_key_of_the_hub_may_come_before_the_commit_that_brings_it() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1, 2]);
    world.pass(120);
    let writes = world.hub.replace_keys().unwrap();
    world.hub_store.apply(&writes);
    world.hub_writes.extend(writes);
    world.restart_hub();
    // Bob is not handed the commit that brings the key.
    let first = Rc::new(Cell::new(true));
    let dropped = first.clone();
    world.tamper = Box::new(move |index, input| {
        let is_handshake = matches!(input, Input::Notice(Notice::Handshake(_)));
        !(index == 1 && is_handshake && dropped.replace(false))
    });
    world.now_ms += DAY_MS + 1000;
    world.give(0, Input::Connected);
    world.run();
    assert!(!first.get(), "no commit came");
    let before = world.epoch(0, &group);
    let rotate = world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(0, &rotate);
    assert!(world.epoch(0, &group) > before);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.warnings(1), Vec::<String>::new());
}

#[test]
fn a_welcome_into_a_group_with_a_new_key_makes_a_device_ask_for_it() {
    let mut world = World::new(&[ALICE, BOB]);
    world.run();
    world.pass(120);
    let old = world.found(1);
    let writes = world.hub.replace_keys().unwrap();
    world.hub_store.apply(&writes);
    world.hub_writes.extend(writes);
    world.restart_hub();
    world.now_ms += DAY_MS + 1000;
    world.give(0, Input::Connected);
    world.run();
    let group = world.found(0);
    let bob = world.user(1);
    let users = vec![bob];
    world.command(0, Command::Invite(MembersCommand { group: group.clone(), users }));
    world.run();
    world.assert_agree(&group, &[0, 1]);
    let known = world.warnings(1);
    assert!(known.iter().all(|w| w.contains("for which its old one has signed")), "{known:?}");
    assert!(world.epoch(1, &old).is_some());
}

#[test]
fn a_commit_that_meets_a_new_start_warns_nobody() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1, 2]);
    world.pass(120);
    let reinit = ReInitCommand { group: group.clone(), suite: 1, settings: Default::default() };
    // Bob's commit comes to the hub just after the one that ends the group.
    let mut rotates = 0;
    world.command(0, Command::ReInit(reinit));
    while world.count(0, |event| matches!(event, Event::StartedAnew(_))) == 0 {
        assert!(world.step(), "the group was not started anew");
        rotates += 1;
    }
    assert!(rotates > 0);
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.pass(60);
    assert_eq!(world.warnings(1), Vec::<String>::new());
}

#[test]
fn whoever_leaves_an_ended_group_again_and_again_does_not_fill_the_hubs_record() {
    let (mut world, group) = four();
    let reinit = ReInitCommand { group: group.clone(), suite: 1, settings: Default::default() };
    world.command(0, Command::ReInit(reinit));
    let registers = |request: &Request| matches!(request, Request::RegisterSuccessor(_));
    while !world.queue.iter().any(|task| task.asks(registers)) {
        assert!(world.step(), "the group did not end");
    }
    // What follows is never registered.
    world.queue.retain(|task| !task.asks(registers));
    world.nodes[0].away = true;
    world.run();
    let record = |world: &World| {
        world.hub_store.get("group_record", &group.0).unwrap().map(|value| value.len())
    };
    let mut sizes = Vec::new();
    for times in 0..3 {
        let leave = Request::LeaveRoom(LeaveRoom { group: group.clone() });
        world.hub_writes.clear();
        world.ask(3, format!("leave{times}"), leave);
        world.run();
        sizes.push(record(&world));
    }
    let written = |write: &Write| matches!(write, Write::Put { space: "group_record", .. });
    assert!(!world.hub_writes.iter().any(written), "nothing has changed");
    assert_eq!(sizes, [sizes[0]; 3]);
}
