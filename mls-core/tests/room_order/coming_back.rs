//! Coming back into a group whose room ordered it meanwhile.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::address::RoomAddress;
use mls_core::bridge_group::Order;
use mls_core::group_settings::Settings;
use mls_core::limits::{
    ENDED_WAIT_MS, FIND_GROUP_AFTER_MS, HANDED_BACK_WAIT_MS, HOUSEKEEPING_MS, REJOIN_PAUSE_MS,
};
use mls_core::member::{BranchCommand, Command, Event, Input, ReInitCommand};
use mls_core::policy::ROOM_REWIND_MS;
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::{Answer, GroupId};

use crate::handing_back::{by_room, hand_back, orders};
use crate::network::{START_MS, Task, World};
use crate::room::{Room, one_network, order_by_room};
use crate::story::today_ms;

/// What Bob commits never comes to Carol, and from there the hub takes the group back.
fn handed_back_from_a_state_that_carol_lacks(now_ms: u64) -> Room {
    let mut room = Room::new_at(now_ms, 3);
    let group = room.group.clone();
    room.cut(&[0, 0, 1]);
    room.rotate(1);
    room.world.run();
    room.hub_is_back();
    let id = hand_back(&mut room.world, 0, &group);
    room.world.run();
    room.world.assert_done(0, &id);
    room
}

#[test]
fn who_listened_in_vain_for_the_state_that_the_hub_took_back_comes_back_by_itself() {
    let mut room = handed_back_from_a_state_that_carol_lacks(START_MS);
    room.world.pass(HANDED_BACK_WAIT_MS / 1000 - 60);
    assert_eq!(orders(&room.world, 2), Order::Room);
    room.world.pass(60 + HOUSEKEEPING_MS / 1000 + 60);
    room.assert_agree(&[0, 1, 2]);
    room.heal(3);
    room.say(2, "here again");
    room.world.run();
    room.world.pass(5);
    assert!((0..3).all(|index| room.world.heard(index).contains(&"TABLET: here again".to_owned())));
    assert!(room.world.warnings(2).is_empty(), "{:?}", room.world.warnings(2));
}

/// Bob commits in the room, and then the hub takes the group back: Carol hears of that, and what Bob said is still
/// on its way to her.
fn handed_back_before_its_last_commit_came() -> (World, GroupId, Rc<RefCell<Vec<Input>>>) {
    let (mut world, group) = by_room(3);
    let late = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&late);
    world.tamper = Box::new(move |index, input| {
        let of_room = index == 2 && matches!(input, Input::Message(_));
        if of_room {
            kept.borrow_mut().push(input.clone());
        }
        !of_room
    });
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    let id = hand_back(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    (world, group, late)
}

#[test]
fn the_state_that_the_hub_took_back_is_still_waited_for_after_days() {
    let (mut world, group, late) = handed_back_before_its_last_commit_came();
    world.nodes[2].away = true;
    world.now_ms += 2 * ROOM_REWIND_MS;
    world.come_back(2);
    world.run();
    world.pass(2 * HOUSEKEEPING_MS / 1000);
    assert_eq!(orders(&world, 2), Order::Room);
    // She has no leaf to come back with.
    world.remove(0, &group, 2);
    world.run();
    world.tamper = Box::new(|_, _| true);
    for commit in late.take() {
        world.give(2, commit);
    }
    world.run();
    assert_eq!(world.count(2, |event| matches!(event, Event::Removed(_))), 1);
}

#[test]
fn a_way_back_that_is_under_way_outlives_what_the_room_brings_meanwhile() {
    let (mut world, group, late) = handed_back_before_its_last_commit_came();
    let back = world.command(2, Command::Rejoin(group.clone()));
    while !world.queue.iter().any(Task::is_commit) {
        assert!(world.step(), "no commit was made");
    }
    let submission: Vec<_> = std::mem::take(&mut world.queue).into();
    world.tamper = Box::new(|_, _| true);
    for commit in late.take() {
        world.give(2, commit);
    }
    world.run();
    assert_eq!(orders(&world, 2), Order::Hub, "she has come to the hub's state");
    world.queue.extend(submission);
    world.run();
    world.assert_done(2, &back);
    world.assert_agree(&group, &[0, 1, 2]);
    assert!(world.warnings(2).is_empty(), "{:?}", world.warnings(2));
}

#[test]
fn who_lost_the_state_before_it_heard_that_the_room_orders_the_group_comes_back_when_a_hub_does() {
    let (mut world, group) = one_network(3);
    world.nodes[2].away = true;
    order_by_room(&mut world, 0, &group);
    world.run();
    world.lose(2, &["group_state", "epoch", "journal"]);
    world.come_back(2);
    world.run();
    let told = "an admin has to hand it back to the hub";
    assert!(world.warnings(2).iter().any(|w| w.contains(told)), "{:?}", world.warnings(2));
    let said = world.say(2, &group, "does anybody hear?");
    world.run();
    world.pass(REJOIN_PAUSE_MS / 1000 + 60);
    let removed = world.nodes[2].events.iter().any(|event| matches!(event, Event::Removed(_)));
    assert!(!removed, "it has a leaf");
    assert!(world.failure(2, &said).contains(told), "no command waits for ever");
    let id = hand_back(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    world.pass(REJOIN_PAUSE_MS / 1000 + 60);
    world.assert_agree(&group, &[0, 1, 2]);
}

/// Alice puts Carol out of a group that its room orders, and restarts it: Carol is not taken along.
fn restart_without_carol(world: &mut World, group: &GroupId) {
    let id = world.remove(0, group, 2);
    world.run();
    world.assert_done(0, &id);
    let id = world.command(0, Command::Restart(group.clone()));
    world.run();
    world.pass(30);
    world.assert_done(0, &id);
}

#[test]
fn no_command_waits_for_a_way_back_into_a_group_that_its_room_ordered_until_a_restart() {
    let (mut world, group) = one_network(3);
    world.nodes[2].away = true;
    let id = order_by_room(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    restart_without_carol(&mut world, &group);
    world.lose(2, &["group_state", "epoch", "journal"]);
    world.come_back(2);
    let wanted = [
        world.say(2, &group, "does anybody hear?"),
        world.command(2, Command::Rotate(group.clone())),
        hand_back(&mut world, 2, &group),
        world.remove(2, &group, 1),
    ];
    world.run();
    world.pass((ENDED_WAIT_MS + 2 * REJOIN_PAUSE_MS) / 1000);
    let left = wanted.iter().filter(|id| world.result(2, id).is_none());
    assert_eq!(left.count(), 0, "{:?}", world.warnings(2));
    let removed = world.count(2, |event| matches!(event, Event::Removed(_)));
    assert_eq!(removed, 1, "it is told that it is out: {:?}", world.warnings(2));
}

fn is_found(input: &Input) -> bool {
    matches!(input, Input::Answer(_, Ok(Answer::GroupFound(_))))
}

/// Keeps the first answer that names Carol the group of a room; of what comes for her only this passes.
fn keep_found(world: &mut World, passes: fn(&Input) -> bool) -> Rc<RefCell<Option<Input>>> {
    let late = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&late);
    world.tamper = Box::new(move |index, input| {
        if index == 2 && is_found(input) {
            kept.borrow_mut().get_or_insert(input.clone());
        }
        index != 2 || passes(input)
    });
    late
}

#[test]
fn who_found_a_group_in_its_room_before_that_ordered_it_hears_that_a_restart_ended_it() {
    let (mut world, group) = one_network(3);
    let room = world.nodes[2].member.groups().unwrap()[0].rooms[0].clone();
    world.lose(2, &["group_state", "epoch", "journal", "group_record", "room"]);
    world.give(2, Input::Connected);
    world.give(2, Input::RoomJoined(room));
    world.run();
    // What it asks about the group that it finds is long on its way.
    let late = keep_found(&mut world, |input| matches!(input, Input::Tick));
    world.pass(70);
    let found = late.borrow_mut().take();
    let id = order_by_room(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    restart_without_carol(&mut world, &group);
    world.tamper = Box::new(|_, _| true);
    world.give(2, found.expect("it looked for its group"));
    let said = world.command(2, Command::Rotate(group.clone()));
    world.run();
    world.pass((ENDED_WAIT_MS + 2 * REJOIN_PAUSE_MS) / 1000);
    assert!(world.failure(2, &said).contains("not in the group"), "{}", world.failure(2, &said));
}

#[test]
fn who_loses_the_state_when_the_hub_has_the_group_again_comes_back_by_it() {
    let mut room = handed_back_from_a_state_that_carol_lacks(START_MS);
    assert_eq!(orders(&room.world, 2), Order::Room);
    room.world.lose(2, &["group_state", "epoch", "journal"]);
    room.world.give(2, Input::Connected);
    room.world.run();
    room.world.pass(60);
    room.assert_agree(&[0, 1, 2]);
    assert_eq!(room.world.count(2, |event| matches!(event, Event::Removed(_))), 0);
}

/// Carol leaves a group that its room orders, and is in the room again before anybody removed her.
fn left_and_in_the_room_again() -> (World, GroupId, RoomAddress) {
    let (mut world, group) = by_room(3);
    let leave = world.command(2, Command::Leave(group.clone()));
    world.run();
    world.assert_done(2, &leave);
    let room = world.nodes[0].member.groups().unwrap().remove(0).rooms.remove(0);
    let carol = world.user(2);
    world.list(&room, &carol, true);
    world.join_room(2, &room);
    world.give(2, Input::RoomJoined(room.clone()));
    (world, group, room)
}

#[test]
fn who_left_and_came_into_the_room_again_before_the_hub_had_the_group_is_in_it_again() {
    for hand_back_first in [true, false] {
        let (mut world, group, _) = left_and_in_the_room_again();
        world.run();
        if !hand_back_first {
            // It asks in vain once.
            world.pass(FIND_GROUP_AFTER_MS / 1000 + 60);
        }
        let id = hand_back(&mut world, 0, &group);
        world.run();
        world.assert_done(0, &id);
        world.pass(REJOIN_PAUSE_MS / 1000 + 60);
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn who_left_and_is_out_of_the_room_is_not_led_back_by_a_hub_that_names_the_group() {
    let (mut world, group, room) = left_and_in_the_room_again();
    let id = hand_back(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    // The hub answers what it was asked when she has left the room again.
    let late = keep_found(&mut world, |input| !is_found(input));
    world.pass(FIND_GROUP_AFTER_MS / 1000 + 60);
    let found = late.take().expect("she looked for the group of the room");
    world.tamper = Box::new(|_, _| true);
    world.give(2, Input::RoomLeft(room));
    world.run();
    world.give(2, found);
    world.run();
    world.pass(REJOIN_PAUSE_MS / 1000 + 60);
    assert_eq!(world.epoch(2, &group), None);
    assert_eq!(world.count(2, |event| matches!(event, Event::Joined(_))), 1);
}

#[test]
fn who_lacks_the_state_from_which_a_group_went_on_to_its_reinit_comes_into_what_follows_by_its_leaf()
 {
    let mut room = handed_back_from_a_state_that_carol_lacks(today_ms());
    let group = room.group.clone();
    let anew = ReInitCommand { group: group.clone(), suite: 3, settings: Settings::default() };
    let anew = room.world.command(0, Command::ReInit(anew));
    room.world.run();
    let next = room.world.group_of(0, &anew);
    let wanted = room.world.command(2, Command::Rotate(group));
    room.world.run();
    room.world.pass((HANDED_BACK_WAIT_MS + ENDED_WAIT_MS) / 1000 + 1200);
    room.world.assert_done(2, &wanted);
    room.world.assert_agree(&next, &[0, 1, 2]);
}

#[test]
fn who_has_another_state_of_the_epoch_that_a_group_branched_from_comes_into_the_branch_by_its_leaf()
{
    let mut room = handed_back_from_a_state_that_carol_lacks(today_ms());
    let group = room.group.clone();
    // As many epochs as the others have: in hers the room led to other states.
    while room.epoch(2) < room.epoch(0) {
        room.rotate(2);
        room.world.run();
    }
    let (users, parent) = (vec![room.world.user(2)], group);
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Mantua".to_owned() };
    let id = room.world.command(0, Command::Branch(BranchCommand { parent, users, rooms }));
    room.world.run();
    let made = room.world.group_of(0, &id);
    room.world.pass(120);
    room.world.assert_agree(&made, &[0, 2]);
    assert!(room.world.warnings(2).is_empty(), "{:?}", room.world.warnings(2));
}
