//! Rooms that refuse to be entered.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::address::RoomAddress;
use mls_core::limits::{FIND_GROUP_AFTER_MS, WELCOMES_PER_FETCH_MAX, WELCOMES_WAITING_MAX};
use mls_core::member::{Command, Confirmation, GroupSummary, Input};
use mls_core::wire::{Answer, GroupId};

use crate::network::World;
use crate::restarting::{make_admin, restart};
use crate::story::{ALICE, BOB, ROMEO, four};

#[test]
fn a_room_that_refuses_who_was_added_to_what_follows_is_asked_again_when_the_invitation_comes() {
    let (mut world, group) = four();
    let room = world.nodes[2].member.groups().unwrap()[0].rooms.clone();
    let room = room.into_iter().find(|room| room.network == world.user(2).network()).unwrap();
    world.nodes[2].away = true;
    make_admin(&mut world, &group, 3);
    world.remove(0, &group, 2);
    world.run();
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let id = restart(&mut world, 3, &group);
    world.run();
    let next = world.group_of(3, &id);
    let juliet = world.user(2);
    world.invite(3, &next, vec![juliet]);
    world.run();
    // The Welcome comes, then this device is put out of the room, and only then it hears that the other is an
    // admin, and that it was removed.
    world.nodes[2].away = false;
    world.tamper = Box::new(|index, input| {
        index != 2 || !matches!(input, Input::Answer(_, Ok(Answer::Handshakes(_))))
    });
    world.give(2, Input::Connected);
    world.run();
    world.give(2, Input::RoomLeft(room.clone()));
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    world.tamper = Box::new(move |index, input| {
        if let (2, Input::Confirmed(Confirmation::Room(_, entered))) = (index, input) {
            count.set(count.get() + 1);
            assert!(count.get() < 20, "without end");
            *entered = Err("not invited".to_owned());
        }
        true
    });
    world.pass(60);
    assert_eq!(asked.get(), 1);
    assert_eq!(world.epoch(2, &next), None);
    world.tamper = Box::new(|_, _| true);
    world.give(2, Input::RoomJoined(room));
    world.run();
    world.pass(30);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    let told = |text: &&String| text.contains("cannot be entered");
    assert_eq!(world.warnings(2).iter().filter(told).count(), 0, "{:?}", world.warnings(2));
}

/// Groups of Romeo's, to each of which he adds Bob, whose device is away.
fn traps(world: &mut World, count: usize) -> Vec<GroupId> {
    let bob = world.user(2);
    world.nodes[2].away = true;
    let trap = |_| {
        // No faster than the hub lets him.
        world.now_ms += 5 * 60_000;
        let trap = world.found(1);
        world.invite(1, &trap, vec![bob.clone()]);
        world.run();
        trap
    };
    (0..count).map(trap).collect()
}

/// A group of Alice's, into which she invites Bob.
fn invited_by_alice(world: &mut World) -> GroupSummary {
    world.now_ms += 60_000;
    let (group, bob) = (world.found(0), world.user(2));
    world.invite(0, &group, vec![bob]);
    world.run();
    world.nodes[0].member.groups().unwrap().remove(0)
}

/// Bob's device comes back, and no room but these lets it in.
fn come_back_banned(world: &mut World, but: Vec<RoomAddress>) {
    world.tamper = Box::new(move |index, input| {
        if let (2, Input::Confirmed(Confirmation::Room(room, entered))) = (index, input)
            && !but.contains(room)
        {
            *entered = Err("you are banned".to_owned());
        }
        true
    });
    world.come_back(2);
    world.run();
}

#[test]
fn rooms_that_refuse_who_was_added_to_their_groups_keep_nobody_out_of_another() {
    let mut world = World::new(&[ALICE, ROMEO, BOB]);
    traps(&mut world, 2 * WELCOMES_PER_FETCH_MAX);
    let own = invited_by_alice(&mut world);
    come_back_banned(&mut world, own.rooms);
    world.assert_agree(&own.group, &[0, 2]);
}

#[test]
fn of_too_many_welcomes_the_oldest_goes_and_its_room_still_leads_into_the_group() {
    let mut world = World::new(&[ALICE, ROMEO, BOB]);
    let groups = traps(&mut world, WELCOMES_WAITING_MAX);
    let own = invited_by_alice(&mut world);
    come_back_banned(&mut world, own.rooms);
    world.assert_agree(&own.group, &[0, 2]);
    let rooms = world.nodes[1].member.groups().unwrap();
    let first = rooms.into_iter().find(|group| group.group == groups[0]).unwrap().rooms;
    let room = first.into_iter().find(|room| room.network == world.user(2).network()).unwrap();
    world.tamper = Box::new(|_, _| true);
    world.join_room(2, &room);
    world.give(2, Input::RoomJoined(room));
    world.run();
    world.pass(FIND_GROUP_AFTER_MS / 1000 + 60);
    world.assert_agree(&groups[0], &[1, 2]);
}
