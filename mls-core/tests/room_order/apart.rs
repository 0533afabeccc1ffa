//! Parts of a room that did not hear each other for a while, or for too long.

use mls_core::member::{Alarm, Event, Input};
use mls_core::policy::ROOM_REWIND_EPOCHS;

use crate::network::Task;
use crate::room::Room;

#[test]
fn the_part_that_loses_goes_back_and_its_messages_stay_readable() {
    let mut room = Room::new(4);
    let begun = room.epoch(0);
    room.cut(&[0, 0, 1, 1]);
    for index in [2, 3, 2] {
        room.rotate(index);
        room.world.run();
        room.say(index, "there");
        room.world.run();
    }
    room.rotate(1);
    room.world.run();
    room.say(0, "here");
    room.world.run();
    assert!(room.epoch(2) > begun + 2);
    room.heal(9);
    room.assert_agree(&[0, 1, 2, 3]);
    room.world.pass(120);
    room.assert_agree(&[0, 1, 2, 3]);
    assert_eq!((room.rewound(0), room.rewound(1)), (0, 0));
    assert!(room.rewound(2) > 0 && room.rewound(3) > 0);
    for index in 0..4 {
        let mut heard = room.world.heard(index);
        heard.sort();
        let all = ["PHONE: here", "TABLET: there", "TABLET: there", "WATCH: there"];
        assert_eq!(heard, all, "{index}: {:?}", room.world.warnings(index));
    }
}

#[test]
fn after_a_cut_that_is_too_long_both_parts_are_told_that_the_group_fell_apart() {
    let mut room = Room::new(4);
    room.cut(&[0, 0, 1, 1]);
    for _ in 0..=ROOM_REWIND_EPOCHS {
        for index in [0, 2] {
            room.rotate(index);
            room.world.run();
        }
    }
    room.heal(2);
    for index in 0..4 {
        assert_eq!(room.world.count(index, apart), 1, "{index}");
    }
    // Nobody followed what cannot be taken back.
    room.assert_parts(&[0, 1], &[2, 3]);
}

#[test]
fn who_comes_back_from_a_branch_whose_beginning_is_deleted_alarms_nobody() {
    for seed in 0..4 {
        let mut room = parted_long_ago();
        room.rotate(3);
        room.world.run();
        room.heal(seed);
        room.assert_agree(&[0, 1, 2, 3]);
        for index in 0..4 {
            assert_eq!(room.world.count(index, apart), 0, "{index}, seed {seed}");
        }
    }
}

#[test]
fn a_branch_whose_beginning_is_deleted_alarms_once_it_is_longer_than_can_be_taken_back() {
    for says in [false, true] {
        let mut room = parted_long_ago();
        for _ in 0..ROOM_REWIND_EPOCHS - 1 {
            room.rotate(3);
            room.world.run();
        }
        // What shows that it follows its own last commit.
        match says {
            true => room.say(3, "there"),
            false => room.rotate(3),
        };
        room.world.run();
        room.heal(1);
        for index in 0..4 {
            assert_eq!(room.world.count(index, apart), 1, "{index}");
        }
        room.assert_parts(&[0, 1, 2], &[3]);
    }
}

#[test]
fn a_commit_that_nobody_follows_any_more_alarms_nobody_however_far_its_branch_went() {
    let mut room = Room::new(3);
    room.cut(&[0, 1, 1]);
    room.rotate(0);
    for _ in 0..ROOM_REWIND_EPOCHS {
        room.rotate(1);
        room.world.run();
    }
    // One more is on its way when all go back for a commit that beats their first.
    room.rotate(1);
    while !room.world.queue.iter().any(brings_message) {
        assert!(room.world.step(), "no commit was made");
    }
    let last = std::mem::take(&mut room.world.queue);
    for index in [1, 2] {
        room.hear(index, 0, true);
        assert_eq!(room.rewound(index), 1, "{index}");
    }
    room.world.queue.extend(last);
    room.world.run();
    room.heal(1);
    room.assert_agree(&[0, 1, 2]);
    for index in 0..3 {
        assert_eq!(room.world.count(index, apart), 0, "{index}");
    }
}

fn brings_message(task: &Task) -> bool {
    matches!(task, Task::ToMember(_, Input::Message(_)))
}

#[test]
fn a_way_that_is_longer_and_wins_is_followed_without_an_alarm_though_its_last_commit_comes_first() {
    let mut room = Room::new(3);
    room.cut(&[0, 1, 1]);
    room.rotate(1);
    for _ in 0..=ROOM_REWIND_EPOCHS {
        room.rotate(0);
        room.world.run();
    }
    for index in [1, 2] {
        room.hear(index, 0, true);
        assert_eq!(room.world.count(index, apart), 0, "{index}");
    }
    room.assert_agree(&[0, 1, 2]);
}

fn apart(event: &Event) -> bool {
    match event {
        Event::Alarm(alarm) => matches!(alarm.alarm, Alarm::FellApart(_)),
        _ => false,
    }
}

/// The last alone is on a branch of two epochs. The others know that, and went so far on their way that the
/// state in which both began is deleted.
fn parted_long_ago() -> Room {
    let mut room = Room::new(4);
    room.cut(&[0, 1, 1, 1]);
    for index in [0, 1, 2] {
        room.rotate(index);
        room.world.run();
    }
    room.cut(&[0, 0, 0, 1]);
    for (index, sender) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
        room.hear(index, sender, true);
    }
    for _ in 0..ROOM_REWIND_EPOCHS {
        room.rotate(0);
        room.world.run();
    }
    room.assert_parts(&[0, 1, 2], &[3]);
    assert_eq!(room.epoch(3) + ROOM_REWIND_EPOCHS - 1, room.epoch(0));
    room
}

impl Room {
    /// Each part is in one state, and they are two.
    fn assert_parts(&mut self, one: &[usize], other: &[usize]) {
        let states = |room: &mut Self, part: &[usize]| -> Vec<_> {
            part.iter().map(|index| room.state(*index)).collect()
        };
        let (one, other) = (states(self, one), states(self, other));
        assert!(one.iter().all(|state| *state == one[0]));
        assert!(other.iter().all(|state| *state == other[0]));
        assert_ne!(one[0], other[0]);
    }
}
