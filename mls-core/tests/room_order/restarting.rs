//! A group that fell apart for good is restarted by an admin, with the hub.

use mls_core::group_settings::Settings;
use mls_core::limits::PROOF_WAIT_MS;
use mls_core::member::{Command, Event, SettingsCommand};
use mls_core::policy::ROOM_REWIND_EPOCHS;
use mls_core::wire::GroupId;

use crate::handing_back::hand_back;
use crate::network::Restarts;
use crate::room::Room;

/// Two parts that were apart for longer than can be taken back, and the hub, which answers again.
fn apart() -> Room {
    let mut room = Room::new(4);
    room.cut(&[0, 0, 1, 1]);
    for _ in 0..=ROOM_REWIND_EPOCHS {
        for index in [0, 2] {
            room.rotate(index);
            room.world.run();
        }
    }
    room.heal(2);
    assert_ne!(room.state(0), room.state(2));
    room.hub_is_back();
    room
}

fn restart(room: &mut Room, index: usize) -> String {
    room.world.command(index, Command::Restart(room.group.clone()))
}

fn restarted(room: &Room, index: usize, id: &str) -> GroupId {
    match room.world.result(index, id) {
        Some(Event::CommandDone(done)) => done.group.clone().unwrap(),
        other => panic!("{other:?}; {:?}", room.world.warnings(index)),
    }
}

fn assert_heard(room: &Room, index: usize, text: &str) {
    let heard = room.world.heard(index);
    let times = heard.iter().filter(|t| t.ends_with(text)).count();
    assert_eq!(times, 1, "{index} and {text}: {heard:?}, {:?}", room.world.warnings(index));
}

#[test]
fn a_restart_brings_both_parts_into_one_group_that_the_hub_orders() {
    let mut room = apart();
    let id = restart(&mut room, 0);
    room.world.run();
    room.world.pass(30);
    let next = restarted(&room, 0, &id);
    assert_ne!(next, room.group);
    room.world.assert_agree(&next, &[0, 1, 2, 3]);
    room.group = next;
    room.assert_agree(&[0, 1, 2, 3]);
    for index in 0..4 {
        let told = |event: &Event| matches!(event, Event::Restarted(_));
        assert_eq!(room.world.count(index, told), 1, "{index}");
        let text = format!("from {index}");
        room.say(index, &text);
        room.rotate(index);
        room.world.run();
        room.world.pass(5);
        for other in 0..4 {
            assert_heard(&room, other, &text);
        }
    }
    room.assert_agree(&[0, 1, 2, 3]);
}

#[test]
fn who_has_removed_the_maker_of_a_restart_is_told_and_hears_that_the_hub_has_another_group() {
    let mut room = Room::new(3);
    let settings = Settings { admins_add: vec![room.world.user(1)], ..Settings::default() };
    let command = SettingsCommand { group: room.group.clone(), settings };
    room.world.command(0, Command::ChangeSettings(command));
    room.world.run();
    room.cut(&[0, 1, 1]);
    let group = room.group.clone();
    room.world.remove(1, &group, 0);
    room.world.run();
    room.hub_is_back();
    let id = restart(&mut room, 0);
    room.world.run();
    restarted(&room, 0, &id);
    let back = hand_back(&mut room.world, 1, &group);
    room.world.run();
    room.world.pass(PROOF_WAIT_MS / 1000 + 600);
    let why = room.world.failure(1, &back);
    assert!(why.contains("the hub says that the group has ended"), "{why}");
    for index in [1, 2] {
        let warnings = room.world.warnings(index);
        assert!(
            warnings.iter().any(|it| it.contains("who added this device, is not in that any more")),
            "{index}: {warnings:?}"
        );
    }
}

#[test]
fn what_waits_in_the_room_and_restarts_in_between_do_not_part_them_again() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let mut room = apart();
        room.world.restarts = restarts;
        // Each part goes on committing while the group is restarted.
        for index in [1, 2, 3] {
            room.rotate(index);
            room.say(index, &format!("meanwhile {index}"));
        }
        let id = restart(&mut room, 0);
        room.world.run();
        room.world.pass(120);
        let next = restarted(&room, 0, &id);
        room.world.assert_agree(&next, &[0, 1, 2, 3]);
        room.group = next;
        room.assert_agree(&[0, 1, 2, 3]);
        room.say(3, "together");
        room.world.run();
        room.world.pass(5);
        for index in 0..4 {
            assert_heard(&room, index, "together");
        }
    }
}

#[test]
fn commits_of_the_former_group_that_come_late_move_nothing() {
    let mut room = Room::new(4);
    room.cut(&[0, 0, 0, 1]);
    room.rotate(3);
    room.world.run();
    room.hub_is_back();
    let id = restart(&mut room, 0);
    room.world.run();
    room.world.pass(30);
    let next = restarted(&room, 0, &id);
    room.heal(7);
    room.world.pass(30);
    let rewound = (0..4).map(|index| room.rewound(index)).sum::<usize>();
    assert_eq!(rewound, 0);
    room.group = next;
    room.assert_agree(&[0, 1, 2, 3]);
}
