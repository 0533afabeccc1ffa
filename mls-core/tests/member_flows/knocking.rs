//! Somebody who is in no group asks to be let in.

use mls_core::address::{RoomAddress, UserId};
use mls_core::limits::{KNOCK_KEEP_MS, KNOCKS_PER_GROUP_MAX};
use mls_core::member::{Command, Event, Input, KnockDeniedEvent, KnockedEvent};
use mls_core::store::Store;
use mls_core::wire::Notice;
use mls_core::wire::knock::{DenyKnock, Knocked};

use crate::network::{Restarts, World};
use crate::story::{ALICE, BOB, JULIET, ROMEO};

fn rooms(world: &World) -> Vec<RoomAddress> {
    world.nodes[0].member.groups().unwrap().remove(0).rooms
}

fn knocks(world: &World, index: usize) -> Vec<KnockedEvent> {
    let knocked = |event: &Event| match event {
        Event::Knocked(knocked) => Some(knocked.clone()),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(knocked).collect()
}

#[test]
fn whoever_knocks_is_shown_to_admins_once_and_let_in_by_their_invitation_alone() {
    for restarts in [Restarts::Never, Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET, ROMEO], &[1]);
        world.restarts = restarts;
        world.doubled = true;
        let rooms = rooms(&world);
        // A room of the other network than their own, and of their own.
        for (index, room) in [(2, &rooms[0]), (3, &rooms[1]), (2, &rooms[1])] {
            let done = world.command(index, Command::Knock(room.clone()));
            world.run();
            world.assert_done(index, &done);
        }
        let expected = [2, 3].map(|i| KnockedEvent { group: group.clone(), user: world.user(i) });
        assert_eq!(knocks(&world, 0), expected);
        assert_eq!(knocks(&world, 1), []);
        world.assert_agree(&group, &[0, 1]);

        let accept = world.invite(0, &group, vec![world.user(2)]);
        world.run();
        world.assert_done(0, &accept);
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn whoever_is_denied_is_told_and_may_knock_again() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1]);
    let room = rooms(&world).remove(1);
    let deny = DenyKnock { group: group.clone(), user: world.user(2) };
    for times in 1..=2 {
        world.now_ms += 1000;
        world.command(2, Command::Knock(room.clone()));
        world.run();
        assert_eq!(knocks(&world, 0).len(), times);
        let by_bob = world.command(1, Command::DenyKnock(deny.clone()));
        world.run();
        assert!(world.failure(1, &by_bob).contains("only an admin"));
        let done = world.command(0, Command::DenyKnock(deny.clone()));
        world.run();
        world.assert_done(0, &done);
        let denied = Event::KnockDenied(KnockDeniedEvent { room: room.clone() });
        assert_eq!(world.nodes[2].events.iter().filter(|e| **e == denied).count(), times);
    }
    let nobody = world.command(0, Command::DenyKnock(deny));
    world.run();
    assert!(world.failure(0, &nobody).contains("no longer"));
}

#[test]
fn a_hub_that_makes_up_knocks_fills_neither_the_screen_nor_the_store_for_ever() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let knock = |world: &mut World, number: usize| {
        let user = UserId::from_human(&format!("@nobody{number}:a.org")).unwrap();
        let knocked = Knocked { group: group.clone(), user, since_ms: world.now_ms };
        world.give(0, Input::Notice(Notice::Knocked(knocked)));
        world.run();
    };
    for number in 0..KNOCKS_PER_GROUP_MAX + 5 {
        knock(&mut world, number);
    }
    assert_eq!(knocks(&world, 0).len(), KNOCKS_PER_GROUP_MAX);
    world.now_ms += KNOCK_KEEP_MS;
    knock(&mut world, KNOCKS_PER_GROUP_MAX + 5);
    assert_eq!(knocks(&world, 0).len(), KNOCKS_PER_GROUP_MAX + 1);
    assert_eq!(world.nodes[0].store.scan("shown_knock", &[], &[], 1000).unwrap().len(), 1);
}
