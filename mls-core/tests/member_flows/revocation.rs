//! A user loses a device, and revokes it from another one.

use mls_core::identity::Standing;
use mls_core::limits::REVOCATIONS_AGAIN_MS;
use mls_core::member::{Command, Event, Input};
use mls_core::wire::{Answer, Notice};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Alice's other device.
pub(crate) const TABLET: (&str, &str) = (ALICE.0, "TABLET");

#[test]
fn a_lost_device_is_out_of_every_group_and_reads_nothing_that_is_said_afterwards() {
    let (mut world, tea) = World::group(&[ALICE, TABLET, BOB, JULIET]);
    let user = world.user(0);
    world.invite(0, &tea, vec![user]);
    let dinner = world.found(2);
    world.invite_all(2, &dinner);
    world.run();
    world.assert_agree(&tea, &[0, 1, 2, 3]);
    world.assert_agree(&dinner, &[0, 1, 2, 3]);
    world.nodes[1].away = true;
    let lost = world.nodes[1].client.clone();
    let id = world.command(0, Command::RevokeDevice(lost.clone()));
    world.pass(40);
    world.assert_done(0, &id);
    for group in [&tea, &dinner] {
        world.assert_agree(group, &[0, 2, 3]);
        world.say(2, group, "she is not with us any more");
        world.run();
    }
    world.come_back(1);
    world.pass(60);
    let removed = |event: &Event| matches!(event, Event::Removed(_));
    assert_eq!(world.count(1, removed), 2);
    assert!(world.heard(1).is_empty(), "{:?}", world.heard(1));
    // All devices of Alice's are invited again: not that one.
    let user = world.user(1);
    world.invite(2, &tea, vec![user]);
    world.pass(40);
    world.assert_agree(&tea, &[0, 2, 3]);
}

#[test]
fn only_another_device_of_the_same_user_can_be_revoked() {
    let mut world = World::new(&[ALICE, BOB]);
    for other in [0, 1] {
        let client = world.nodes[other].client.clone();
        let id = world.command(0, Command::RevokeDevice(client));
        world.pass(2);
        assert!(world.failure(0, &id).contains("another device"), "{}", world.failure(0, &id));
    }
}

/// The handshakes that would remove somebody come to nobody.
pub(crate) fn lose_handshakes(world: &mut World) {
    world.tamper = Box::new(|_, input| {
        !matches!(
            input,
            Input::Notice(Notice::Handshake(_)) | Input::Answer(_, Ok(Answer::Handshakes(_)))
        )
    });
}

pub(crate) fn standing(world: &World, index: usize, of: usize) -> Standing {
    let members = world.nodes[index].member.groups().unwrap().remove(0).members;
    members.into_iter().find(|m| m.client == world.nodes[of].client).unwrap().standing
}

pub(crate) fn ask_for_list(world: &mut World) {
    world.now_ms += REVOCATIONS_AGAIN_MS;
    for index in 0..world.nodes.len() {
        world.give(index, Input::LookForRevocations);
    }
    world.pass(30);
}

#[test]
fn until_a_revoked_device_is_removed_members_are_told_once_and_see_it_so() {
    let (mut world, group) = World::group(&[ALICE, JULIET, BOB]);
    let tablet = world.add(TABLET.0, TABLET.1);
    world.run();
    let user = world.user(0);
    world.invite(0, &group, vec![user]);
    world.pass(5);
    lose_handshakes(&mut world);
    let id = world.command(0, Command::RevokeDevice(world.nodes[tablet].client.clone()));
    world.run();
    world.assert_done(0, &id);
    ask_for_list(&mut world);
    ask_for_list(&mut world);
    for index in 0..3 {
        assert_eq!(standing(&world, index, tablet), Standing::Revoked, "{index}");
        assert!(matches!(standing(&world, index, 0), Standing::Vouched { .. }), "{index}");
        let told = world.warnings(index);
        let told = told.iter().filter(|text| text.contains("TABLET was revoked")).count();
        assert_eq!(told, 1, "{index}: {:?}", world.warnings(index));
    }
    // The list stays known after a restart.
    world.reopen(1);
    assert_eq!(standing(&world, 1, tablet), Standing::Revoked);
}

#[test]
fn a_hub_that_shows_an_older_list_again_or_none_is_not_believed() {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    let tablet = world.add(TABLET.0, TABLET.1);
    world.run();
    let user = world.user(0);
    world.invite(0, &group, vec![user]);
    world.pass(5);
    let request = mls_core::wire::Request::FetchRevocations;
    world.ask(1, "before".to_owned(), request);
    let old = std::rc::Rc::new(std::cell::RefCell::new(None));
    let kept = old.clone();
    world.tamper = Box::new(move |_, input| {
        if let Input::Answer(_, Ok(Answer::Revocations(list))) = input {
            kept.borrow_mut().get_or_insert_with(|| list.clone());
        }
        true
    });
    world.run();
    let old = old.borrow().clone().expect("the hub has a list");
    lose_handshakes(&mut world);
    world.command(0, Command::RevokeDevice(world.nodes[tablet].client.clone()));
    world.run();
    ask_for_list(&mut world);
    assert_eq!(standing(&world, 1, tablet), Standing::Revoked);
    world.tamper = Box::new(move |_, input| {
        if let Input::Answer(_, Ok(Answer::Revocations(list))) = input {
            list.clone_from(&old);
        }
        !matches!(
            input,
            Input::Notice(Notice::Handshake(_)) | Input::Answer(_, Ok(Answer::Handshakes(_)))
        )
    });
    ask_for_list(&mut world);
    assert_eq!(standing(&world, 1, tablet), Standing::Revoked);
    assert!(world.warnings(1).iter().any(|text| text.contains("older list")));
    // No list at all, for longer than one is good.
    for _ in 0..6 {
        ask_for_list(&mut world);
    }
    assert!(world.warnings(1).iter().any(|text| text.contains("no fresh list")));
}
