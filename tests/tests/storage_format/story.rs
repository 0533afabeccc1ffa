//! A conversation that is cut off with something of everything left to do, and its end.

use std::path::Path;

use mls_core::content::encode_text;
use mls_core::member::{Command, HoldPsk, MembersCommand, SendCommand, UsePsk};
use mls_core::store::{Store, Write};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;
use mls_rs_core::psk::PreSharedKey;
use zeroize::Zeroizing;

use crate::people;
use crate::world::{ALICE, BOB, World};

/// Some day in 2027; nothing here looks at a clock.
pub(crate) const START_MS: u64 = 1_800_000_000_000;
/// The program is started again after an hour.
const LATER_MS: u64 = START_MS + 3_600_000;
const PSK_ID: &[u8] = b"summer";

/// Fills an empty folder: a group over both networks in which a commit, a relay, messages of both
/// and an event are under way.
pub(crate) fn is_interrupted(folder: &Path) {
    people::log_in(folder);
    let mut world = World::open(folder, START_MS).unwrap();
    let group = two_in_a_group(&mut world);
    for index in [ALICE, BOB] {
        let secret = PreSharedKey::new(vec![7; 32]);
        let psk = HoldPsk { group: group.clone(), id: PSK_ID.to_vec(), secret };
        world.done(index, Command::HoldPsk(psk));
    }
    say(&mut world, ALICE, &group, "first");
    say(&mut world, BOB, &group, "second");
    assert_eq!(world.people[BOB].texts(), [format!("{ALICE_IS}: first")]);
    assert_eq!(world.people[ALICE].texts(), [format!("{BOB_IS}: second")]);
    world.mark();

    world.people[BOB].looks = false;
    say(&mut world, ALICE, &group, "read and not shown");
    world.relays_wait = true;
    say(&mut world, ALICE, &group, "in the outbox");
    world.people.iter_mut().for_each(|person| person.online = false);
    say(&mut world, ALICE, &group, "not yet sent");
    world.command(ALICE, Command::Rotate(group.clone()));
    say(&mut world, BOB, &group, "not yet sent either");
    world.end();
}

/// A group of both over both networks.
pub(crate) fn two_in_a_group(world: &mut World) -> GroupId {
    world.run();
    let rooms = CreateRoom { matrix: true, xmpp: true, name: "Tea".to_owned() };
    let group = world.done(ALICE, Command::CreateGroup(rooms)).unwrap();
    let bob = world.people[BOB].member.client().user();
    let invite = MembersCommand { group: group.clone(), users: vec![bob] };
    world.done(ALICE, Command::Invite(invite));
    group
}

/// Opens the folder, and lets everything that was under way come to its end, and more follow.
pub(crate) fn goes_on(folder: &Path) {
    let mut world = World::open(folder, LATER_MS).unwrap();
    let (group, epoch, members) = world.group(BOB);
    assert_eq!(members, 2);
    assert_eq!(world.group(ALICE), (group.clone(), epoch, members));
    assert_eq!(world.marked().as_deref(), Some("done"));
    assert_eq!(world.people[BOB].texts(), [format!("{ALICE_IS}: read and not shown")]);

    world.run();
    let heard = |texts: &[&str]| -> Vec<String> {
        texts.iter().map(|text| format!("{ALICE_IS}: {text}")).collect()
    };
    let texts = ["read and not shown", "in the outbox", "not yet sent"];
    assert_eq!(world.people[BOB].texts(), heard(&texts));
    assert_eq!(world.people[ALICE].texts(), [format!("{BOB_IS}: not yet sent either")]);
    assert_eq!(world.group(BOB), (group.clone(), epoch + 1, members));
    assert_eq!(world.group(ALICE), world.group(BOB));

    let psk = UsePsk { group: group.clone(), id: PSK_ID.to_vec(), anyway: false };
    world.done(ALICE, Command::UsePsk(psk));
    world.done(BOB, Command::Rotate(group.clone()));
    say(&mut world, ALICE, &group, "after");
    say(&mut world, BOB, &group, "after too");
    assert_eq!(world.people[BOB].texts().last(), Some(&format!("{ALICE_IS}: after")));
    assert_eq!(world.people[ALICE].texts().last(), Some(&format!("{BOB_IS}: after too")));
    assert_eq!(world.group(ALICE), (group, epoch + 3, members));
}

/// What is said when a record of a group is longer than this version writes it.
pub(crate) fn error_with_a_longer_record(folder: &Path) -> String {
    const SPACE: &str = "group_record";
    let database = people::Person::open(&folder.join("bob")).unwrap().database;
    let (key, record) = database.scan(SPACE, b"", b"", 1).unwrap().remove(0);
    let value = Zeroizing::new([record.as_slice(), &[0]].concat());
    database.commit(&[Write::Put { space: SPACE, key, value }]).unwrap();
    drop(database);
    people::Person::open(&folder.join("bob")).err().unwrap_or_default()
}

const ALICE_IS: &str = "matrix:u/alice:a.org/PHONE";
const BOB_IS: &str = "xmpp:bob@x.org/0011223344556677";

pub(crate) fn say(world: &mut World, index: usize, group: &GroupId, text: &str) {
    let content = encode_text(text, [1; 16]).unwrap();
    world.command(index, Command::Send(SendCommand { group: group.clone(), content }));
    world.run();
}
