//! Groups of every suite that we do, with members on both networks.

use mls_core::limits::DAY_MS;
use mls_core::member::{Command, CreateGroupWith, Event};
use mls_core::policy::{CIPHER_SUITES, KEY_PACKAGE_LIFETIME_S, KEY_PACKAGE_ROTATE_MS};
use mls_core::store::Store;
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;

use crate::network::World;
use crate::story::{ALICE, ALICE_LAPTOP, BOB, JULIET};

pub(crate) fn found(world: &mut World, suite: u16) -> GroupId {
    let rooms = CreateRoom { matrix: true, xmpp: true, name: "Verona".to_owned() };
    let command = Command::CreateGroupWith(CreateGroupWith { rooms, suite });
    let id = world.command(0, command);
    world.run();
    match world.result(0, &id) {
        Some(Event::CommandDone(done)) => done.group.clone().unwrap(),
        other => panic!("no group was made: {other:?}"),
    }
}

/// Private parts of key packages that a device keeps.
fn kept(world: &World, index: usize) -> usize {
    world.nodes[index].store.scan("key_package", &[], &[], 10_000).unwrap().len()
}

#[test]
fn one_time_packages_at_the_hub_are_replaced_at_thirty_days_and_their_keys_kept_to_their_end() {
    let mut world = World::new(&[ALICE, JULIET]);
    world.run();
    let (alice, juliet) = (kept(&world, 0), kept(&world, 1));
    world.now_ms += KEY_PACKAGE_ROTATE_MS;
    world.pass(1);
    assert_eq!(kept(&world, 1), 2 * juliet, "all of them, and last resorts");
    assert_eq!(kept(&world, 0), alice + CIPHER_SUITES.len(), "last resorts only");
    let group = world.found(0);
    world.invite_all(0, &group);
    world.assert_agree(&group, &[0, 1]);
    let before = kept(&world, 1);
    world.now_ms += KEY_PACKAGE_LIFETIME_S * 1000 + 2 * DAY_MS - KEY_PACKAGE_ROTATE_MS;
    world.pass(1);
    assert!(kept(&world, 1) <= before, "what was made first is still there");
}

#[test]
fn a_group_of_every_suite_talks_renews_removes_and_comes_back() {
    for suite in CIPHER_SUITES.map(u16::from) {
        let mut world = World::new(&[ALICE, BOB, JULIET, ALICE_LAPTOP]);
        let group = found(&mut world, suite);
        world.invite_all(0, &group);
        let laptop = world.user(3);
        let invite = world.invite(0, &group, vec![laptop]);
        world.run();
        world.assert_done(0, &invite);
        world.assert_agree(&group, &[0, 1, 2, 3]);
        assert_eq!(world.nodes[2].member.groups().unwrap()[0].suite, suite);
        for (index, text) in [(1, "from Matrix"), (2, "from XMPP")] {
            world.say(index, &group, text);
            world.run();
        }
        let rotate = world.command(2, Command::Rotate(group.clone()));
        world.run();
        world.assert_done(2, &rotate);
        for index in [1, 2] {
            let rejoin = world.command(index, Command::Rejoin(group.clone()));
            world.run();
            world.assert_done(index, &rejoin);
        }
        let remove = world.remove(0, &group, 1);
        world.run();
        world.assert_done(0, &remove);
        world.say(2, &group, "without Bob");
        world.run();
        for index in [0, 2, 3] {
            let heard = world.heard(index);
            for text in ["from Matrix", "from XMPP", "without Bob"] {
                assert!(heard.iter().any(|t| t.ends_with(text)), "{suite} {index}: {heard:?}");
            }
        }
        world.assert_agree(&group, &[0, 2, 3]);
    }
}

#[test]
fn a_suite_that_we_do_not_do_is_refused_by_name() {
    let mut world = World::new(&[ALICE]);
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Verona".to_owned() };
    let command = Command::CreateGroupWith(CreateGroupWith { rooms, suite: 7 });
    let id = world.command(0, command);
    world.run();
    assert!(world.failure(0, &id).contains("cipher suite 7 is not supported"));
}
