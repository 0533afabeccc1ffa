//! Whatever order commits and messages come in, and whoever hears whom: all end in one state.

use mls_core::member::Command;
use mls_core::policy::ROOM_REWIND_EPOCHS;

use crate::room::Room;

/// Runs; each draws its own cuts, commands and order.
const RUNS: u64 = 60;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn every_order_and_every_cut_ends_in_one_state_with_all_messages_read_once() {
    for seed in 0..RUNS {
        one_run(seed);
    }
}

fn one_run(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut room = Room::new(4);
    let mut said = 0;
    for _ in 0..2 {
        let parts: Vec<_> = (0..4).map(|_| dice.below(3)).collect();
        room.cut(&parts);
        let begun = (0..4).map(|index| room.epoch(index)).min().unwrap();
        let far = begun + ROOM_REWIND_EPOCHS - 1;
        for _ in 0..6 {
            let index = dice.below(4);
            // No part goes further than can be taken back.
            let may_commit = (0..4).all(|index| room.epoch(index) < far);
            match dice.below(3) {
                0 => {
                    said += 1;
                    room.say(index, &format!("{said}"));
                }
                _ if may_commit => {
                    room.rotate(index);
                }
                _ => {}
            }
            room.world.shuffled = Some(u64::try_from(dice.below(1 << 20)).unwrap());
            room.world.run();
        }
        room.heal(u64::try_from(dice.below(1 << 20)).unwrap());
    }
    room.assert_agree(&[0, 1, 2, 3]);
    room.world.pass(240);
    room.assert_agree(&[0, 1, 2, 3]);
    for index in 0..4 {
        let mut heard = room.world.heard(index);
        heard.sort();
        assert_eq!(heard.len(), said, "{index} of run {seed}: {:?}", room.world.warnings(index));
        heard.dedup();
        assert_eq!(heard.len(), said, "{index} of run {seed} read something twice");
    }
}

#[test]
fn a_commit_that_comes_before_the_one_that_it_follows_waits_for_it() {
    let mut room = Room::new(3);
    room.cut(&[0, 0, 1]);
    for index in [0, 1, 0, 1] {
        let group = room.group.clone();
        room.world.command(index, Command::Rotate(group));
        room.world.run();
    }
    for seed in [11, 12, 13] {
        room.heal(seed);
    }
    room.assert_agree(&[0, 1, 2]);
    assert_eq!(room.rewound(2), 0);
}

#[test]
fn what_waits_for_its_branch_keeps_its_order_while_other_branches_come() {
    let mut room = Room::new(3);
    room.cut(&[0, 1, 2]);
    for text in ["first", "second"] {
        room.rotate(1);
        room.world.run();
        room.say(1, text);
        room.world.run();
    }
    for index in [2, 0] {
        room.rotate(index);
        room.world.run();
    }
    room.hear(0, 1, false);
    // A branch more, on which neither can be read.
    room.hear(0, 2, true);
    assert!(room.world.heard(0).is_empty());
    room.hear(0, 1, true);
    assert_eq!(room.world.heard(0), ["DESK: first", "DESK: second"]);
}
