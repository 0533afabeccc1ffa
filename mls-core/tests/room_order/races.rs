//! Commits of the same epoch: one wins everywhere, the others are done again.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::group_settings::Settings;
use mls_core::member::{Command, Event, Input, SettingsCommand};
use mls_core::policy::ROOM_REWIND_EPOCHS;
use mls_core::wire::create_room::CreateRoom;

use crate::network::{Restarts, Task, World};
use crate::room::{Room, one_network, order_by_room};
use crate::story::{ALICE, JULIET};

#[test]
fn members_commit_and_speak_with_nobody_but_their_room() {
    let mut room = Room::new(3);
    let inputs = room.world.hub_writes.len();
    let before = room.epoch(0);
    let id = room.rotate(1);
    room.world.run();
    room.world.assert_done(1, &id);
    room.say(2, "hello");
    room.world.run();
    room.world.pass(30);
    for index in 0..3 {
        assert_eq!(room.world.heard(index), ["TABLET: hello"]);
    }
    assert!(room.epoch(0) > before);
    room.assert_agree(&[0, 1, 2]);
    assert_eq!(room.world.hub_writes.len(), inputs, "the hub had something to do");
}

#[test]
fn of_commits_at_the_same_time_the_lowest_leaf_wins_and_all_commands_are_fulfilled() {
    let mut room = Room::new(4);
    for round in 0..5 {
        let before = room.epoch(0);
        let ids: Vec<_> = (0..4).map(|index| room.rotate(index)).collect();
        room.world.run();
        assert_eq!(room.epoch(0), before + 1, "two winners in round {round}");
        room.world.assert_done(0, &ids[0]);
        room.world.pass(120);
        for (index, id) in ids.iter().enumerate() {
            room.world.assert_done(index, id);
        }
        room.assert_agree(&[0, 1, 2, 3]);
    }
}

#[test]
fn it_goes_the_same_way_with_a_restart_at_every_input_and_with_all_inputs_twice() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let mut room = Room::new(3);
        room.world.restarts = restarts;
        room.world.doubled = true;
        let ids: Vec<_> = (0..3).map(|index| room.rotate(index)).collect();
        room.cut(&[0, 1, 1]);
        room.world.run();
        room.say(1, "meanwhile");
        room.world.run();
        room.heal(7);
        room.world.pass(60);
        for (index, id) in ids.iter().enumerate() {
            room.world.assert_done(index, id);
            assert_eq!(room.world.heard(index), ["DESK: meanwhile"], "{restarts:?}");
        }
        room.assert_agree(&[0, 1, 2]);
    }
}

#[test]
fn a_member_that_is_removed_while_others_commit_is_gone_everywhere() {
    let mut room = Room::new(4);
    let group = room.group.clone();
    room.cut(&[0, 1, 1, 1]);
    let removal = room.world.remove(0, &group, 3);
    let other = room.rotate(1);
    room.world.run();
    assert_ne!(room.world.epoch(3, &group), None);
    room.heal(3);
    room.world.pass(60);
    room.world.assert_done(0, &removal);
    room.world.assert_done(1, &other);
    room.assert_agree(&[0, 1, 2]);
    assert_eq!(room.world.epoch(3, &group), None);
}

#[test]
fn settings_that_were_taken_back_are_set_again() {
    let mut room = Room::new(3);
    let (group, admin) = (room.group.clone(), room.world.user(2));
    let set =
        |settings| Command::ChangeSettings(SettingsCommand { group: group.clone(), settings });
    let admins_add = vec![admin];
    room.world.command(0, set(Settings { admins_add, ..Settings::default() }));
    room.world.run();
    room.cut(&[0, 1, 1]);
    let opened = set(Settings { members_may_add: Some(true), ..Settings::default() });
    let id = room.world.command(2, opened);
    room.world.run();
    room.world.assert_done(2, &id);
    room.rotate(0);
    room.world.run();
    room.heal(1);
    room.world.pass(60);
    let again = |event: &Event| match event {
        Event::Rewound(rewound) => rewound.again == [id.clone()],
        _ => false,
    };
    assert_eq!(room.world.count(2, again), 1);
    let done = |event: &Event| match event {
        Event::CommandDone(done) => done.id.starts_with("again:") && done.id.ends_with(&id),
        _ => false,
    };
    assert_eq!(room.world.count(2, done), 1);
    room.assert_agree(&[0, 1, 2]);
}

#[test]
fn only_an_admin_of_a_group_in_one_network_hands_it_over() {
    let (mut world, group) = one_network(2);
    let by_member = order_by_room(&mut world, 1, &group);
    world.run();
    assert!(world.failure(1, &by_member).contains("only an admin"));

    let (mut both, wide) = World::group(&[ALICE, JULIET]);
    let id = order_by_room(&mut both, 0, &wide);
    both.run();
    assert!(both.failure(0, &id).contains("in one network"), "{}", both.failure(0, &id));
}

#[test]
fn who_had_not_heard_of_the_hand_over_reads_the_commits_that_came_meanwhile() {
    let (mut world, group) = one_network(3);
    world.nodes[2].away = true;
    let id = order_by_room(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.say(0, &group, "without the hub");
    world.run();
    // The commit of the room comes before that of the hub.
    world.shuffled = Some(5);
    world.come_back(2);
    world.run();
    world.pass(10);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(2), ["PHONE: without the hub"]);
}

#[test]
fn who_hears_of_the_hand_over_after_all_commits_does_not_take_the_losers_for_another_group() {
    for seed in 0..4 {
        let (mut world, group) = one_network(3);
        world.nodes[2].away = true;
        order_by_room(&mut world, 0, &group);
        world.run();
        for _ in 0..=ROOM_REWIND_EPOCHS {
            // One of these two always loses.
            for index in [0, 1] {
                world.command(index, Command::Rotate(group.clone()));
            }
            world.run();
        }
        let handshake = |task: &Task| match task {
            Task::ToMember(2, input) => matches!(input, Input::Notice(_)),
            _ => false,
        };
        world.nodes[2].away = false;
        let (last, first): (Vec<_>, Vec<_>) = std::mem::take(&mut world.nodes[2].waiting)
            .into_iter()
            .map(|input| Task::ToMember(2, input))
            .partition(handshake);
        world.shuffled = Some(seed);
        for tasks in [first, last] {
            world.queue.extend(tasks);
            world.run();
        }
        world.pass(10);
        world.assert_agree(&group, &[0, 1, 2]);
        let apart = |event: &Event| matches!(event, Event::Alarm(_));
        assert_eq!(world.count(2, apart), 0, "seed {seed}");
    }
}

#[test]
fn who_hears_of_the_hand_over_more_than_a_day_later_still_has_the_commits() {
    let (mut world, group) = one_network(3);
    let handed_over = Rc::new(Cell::new(false));
    let (hears, from_hub) = (Rc::clone(&handed_over), |input: &Input| {
        matches!(input, Input::Notice(_) | Input::Answer(..))
    });
    world.tamper = Box::new(move |index, input| index != 2 || hears.get() || !from_hub(input));
    order_by_room(&mut world, 0, &group);
    world.run();
    for index in [0, 1, 0] {
        world.command(index, Command::Rotate(group.clone()));
        world.run();
    }
    world.now_ms += 30 * 60 * 60 * 1000;
    world.pass(5);
    handed_over.set(true);
    world.give(2, Input::Connected);
    world.run();
    world.pass(120);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn the_hub_refuses_what_it_no_longer_orders() {
    let (mut world, group) = one_network(3);
    world.nodes[2].away = true;
    let id = order_by_room(&mut world, 0, &group);
    world.run();
    world.assert_done(0, &id);
    let late = world.command(2, Command::Rotate(group.clone()));
    world.run();
    assert_eq!(world.result(2, &late), None);
    world.come_back(2);
    world.pass(30);
    world.assert_done(2, &late);
    world.assert_agree(&group, &[0, 1, 2]);
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "another".to_owned() };
    let other = world.command(0, Command::CreateGroup(rooms));
    world.run();
    world.assert_done(0, &other);
    world.give(0, Input::Tick);
    world.run();
}
