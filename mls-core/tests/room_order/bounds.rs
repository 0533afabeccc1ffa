//! What is kept to go back to ends on time, and nobody fills a member up.

use mls_core::address::UserId;
use mls_core::limits::ROOM_COMMITS_PER_SENDER_MAX;
use mls_core::member::Input;
use mls_core::policy::{ROOM_REWIND_EPOCHS, ROOM_REWIND_MS};
use mls_core::store::{Space, Store, Value};

use crate::network::Task;
use crate::room::Room;

const SECRETS: Space = "room_state_secrets";

fn kept(room: &Room, index: usize) -> Vec<(Vec<u8>, Value)> {
    room.world.nodes[index].store.scan(SECRETS, &[], &[], 1000).unwrap()
}

/// Rows of a member's store that hold these bytes.
fn rows_with(room: &Room, index: usize, bytes: &[u8]) -> usize {
    let store = &room.world.nodes[index].store;
    let spaces =
        ["group_state", "epoch", SECRETS, "room_state", "own_room_commit", "previous_state"];
    let rows = spaces.iter().flat_map(|space| store.scan(space, &[], &[], 1000).unwrap());
    rows.filter(|(_, value)| value.windows(bytes.len()).any(|part| part == bytes)).count()
}

/// A part of a kept state that no other row has.
fn mark(room: &Room, index: usize, state: &[u8]) -> Vec<u8> {
    let mut parts = state.chunks_exact(32);
    parts.find(|part| rows_with(room, index, part) == 1).unwrap().to_vec()
}

#[test]
fn an_earlier_state_is_kept_for_five_epochs_and_then_gone_from_the_store() {
    let mut room = Room::new(2);
    room.rotate(1);
    room.world.run();
    let first = kept(&room, 0);
    assert_eq!(first.len(), 1);
    let mark = mark(&room, 0, &first[0].1);
    for round in 0..=ROOM_REWIND_EPOCHS {
        let is_there = room.world.nodes[0].store.get(SECRETS, &first[0].0).unwrap().is_some();
        assert_eq!(is_there, round < ROOM_REWIND_EPOCHS, "after {round} more epochs");
        room.rotate(usize::try_from(round % 2).unwrap());
        room.world.run();
        assert!(kept(&room, 0).len() <= usize::try_from(ROOM_REWIND_EPOCHS).unwrap());
    }
    assert_eq!(rows_with(&room, 0, &mark), 0);
}

#[test]
fn earlier_states_and_those_of_branches_are_gone_after_two_days() {
    let mut room = Room::new(3);
    room.cut(&[0, 1, 1]);
    room.rotate(0);
    room.rotate(1);
    room.world.run();
    room.heal(4);
    room.world.pass(60);
    let before = kept(&room, 1);
    assert!(before.len() >= 2, "the common state and the branch that lost");
    let marks: Vec<_> = before.iter().map(|(_, state)| mark(&room, 1, state)).collect();
    room.world.now_ms += ROOM_REWIND_MS;
    room.world.pass(2);
    assert_eq!(kept(&room, 1).len(), 0);
    for mark in marks {
        assert_eq!(rows_with(&room, 1, &mark), 0);
    }
    room.assert_agree(&[0, 1, 2]);
    room.say(2, "still here");
    room.world.run();
    room.world.pass(5);
    assert!(room.world.heard(0).contains(&"TABLET: still here".to_owned()));
}

#[test]
fn a_commit_that_the_network_held_for_longer_than_two_days_is_followed_by_its_maker_too() {
    let mut room = Room::new(3);
    let id = room.rotate(0);
    let commit = |task: &Task| matches!(task, Task::ToMember(_, Input::Message(_)));
    while !room.world.queue.iter().any(commit) {
        assert!(room.world.step(), "no commit was made");
    }
    let (held, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut room.world.queue).into_iter().partition(commit);
    room.world.queue.extend(rest);
    room.world.run();
    room.world.now_ms += ROOM_REWIND_MS;
    room.world.pass(2);
    room.rotate(1);
    room.world.run();
    // It beats that one, and the state in which both were made was left just now.
    room.world.queue.extend(held);
    room.world.run();
    room.assert_agree(&[0, 1, 2]);
    room.world.pass(120);
    room.world.assert_done(0, &id);
    room.assert_agree(&[0, 1, 2]);
}

#[test]
fn junk_from_one_account_does_not_keep_the_commits_of_others_out() {
    let mut room = Room::new(2);
    let group = room.group.clone();
    let address = room.world.nodes[0].member.groups().unwrap()[0].rooms[0].clone();
    room.rotate(0);
    let mallory = UserId::from_human("@mallory:a.org").unwrap();
    let commit = last_commit(&mut room);
    for number in 0..4 * ROOM_COMMITS_PER_SENDER_MAX {
        let mut junk = commit.clone();
        let end = junk.len() - 8;
        junk[end..].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        room.world.post(&address, &mallory, junk, None);
    }
    room.world.run();
    let waiting = room.world.nodes[0].store.scan("room_commit", &[], &[], 1000).unwrap();
    assert!(waiting.len() <= ROOM_COMMITS_PER_SENDER_MAX, "{} wait", waiting.len());
    let before = room.epoch(1);
    room.rotate(1);
    room.world.run();
    assert_eq!(room.epoch(0), before + 1);
    room.assert_agree(&[0, 1]);
    assert_eq!(room.world.epoch(0, &group), Some(before + 1));
}

/// Lets the room run and gives the commit that it brought.
fn last_commit(room: &mut Room) -> Vec<u8> {
    let mut commit = None;
    for _ in 0..200 {
        for task in &room.world.queue {
            if let Task::ToMember(_, Input::Message(message)) = task {
                commit = Some(message.message.clone());
            }
        }
        if !room.world.step() {
            break;
        }
    }
    commit.expect("a commit was posted")
}
