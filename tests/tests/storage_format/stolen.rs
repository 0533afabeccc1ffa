//! Profiles that somebody copies off the disk, file by file, while their owner goes on: what the copy reads of all
//! that servers recorded (RFC 9420 16.6; the cases are those of `mls-core/tests/member_flows/secrecy.rs`).

use std::path::Path;

use mls_core::member::{Command, Input};
use mls_core::policy::PAST_EPOCH_KEEP_MS;
use mls_core::wire::GroupId;

use crate::files;
use crate::people::{self, Person};
use crate::story::{START_MS, say, two_in_a_group};
use crate::world::{ALICE, BOB, World};

/// Alice and Bob, who have each said something.
fn settled(folder: &Path) -> (World, GroupId) {
    people::log_in(folder);
    let mut world = World::open(folder, START_MS).unwrap();
    let group = two_in_a_group(&mut world);
    say(&mut world, ALICE, &group, "settled");
    say(&mut world, BOB, &group, "settled too");
    world.tape.clear();
    (world, group)
}

/// What a copy of Bob's profile, as it is on the disk now, shows of what is given to it.
fn a_copy_reads(folder: &Path, now_ms: u64, inputs: &[Input]) -> Vec<String> {
    let copied = tempfile::tempdir().unwrap();
    files::copy(&folder.join("bob"), copied.path());
    let mut thief = Person::open(copied.path()).unwrap();
    for input in inputs {
        thief.handle(now_ms, input.clone());
    }
    let texts = thief.texts().into_iter();
    texts.map(|text| text.rsplit(": ").next().unwrap().to_owned()).collect()
}

#[test]
fn a_profile_copied_before_an_update_reads_nothing_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, group) = settled(folder.path());
    let copied = tempfile::tempdir().unwrap();
    files::copy(folder.path(), copied.path());
    say(&mut world, ALICE, &group, "before Bob renews his keys");
    world.done(BOB, Command::Rotate(group.clone()));
    say(&mut world, ALICE, &group, "after it");
    assert!(world.people[BOB].texts().last().unwrap().ends_with("after it"));
    let read = a_copy_reads(copied.path(), world.now_ms, &world.tape);
    assert_eq!(read, ["before Bob renews his keys"]);
}

#[test]
fn a_profile_copied_after_past_epochs_were_deleted_reads_nothing_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, group) = settled(folder.path());
    world.withheld = true;
    say(&mut world, ALICE, &group, "an old secret");
    world.withheld = false;
    let old = std::mem::take(&mut world.tape);
    for index in [ALICE, BOB] {
        world.done(index, Command::Rotate(group.clone()));
    }
    assert_eq!(a_copy_reads(folder.path(), world.now_ms, &old), ["an old secret"]);
    world.now_ms += PAST_EPOCH_KEEP_MS;
    world.give(BOB, Input::Tick);
    world.run();
    assert_eq!(a_copy_reads(folder.path(), world.now_ms, &old), [""; 0]);
}
