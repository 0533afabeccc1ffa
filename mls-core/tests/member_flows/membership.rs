//! Who comes, who goes, and who hears what.

use crate::network::World;
use crate::story::{ALICE, ALICE_LAPTOP, BOB, JULIET, ROMEO};
use mls_core::address::{Network, RoomAddress};
use mls_core::member::{Command, Confirmation, Event, Input};
use mls_core::wire::{Answer, GroupId, Notice};

#[test]
fn a_group_forms_over_both_networks_and_everybody_hears_everybody_once() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET, ROMEO]);
    world.assert_agree(&group, &[0, 1, 2, 3]);
    let mut said = Vec::new();
    for (index, text) in ["good", "morning", "fair", "Verona"].iter().enumerate() {
        let id = world.say(index, &group, text);
        world.run();
        world.pass(15);
        world.assert_done(index, &id);
        said.push(format!("{}: {text}", world.nodes[index].client.device()));
    }
    for index in 0..4 {
        assert_eq!(world.heard(index), said, "heard by {index}");
        assert_eq!(world.warnings(index), Vec::<String>::new());
    }
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn all_devices_of_a_user_are_added_and_removed_together() {
    let (mut world, group) = World::group(&[JULIET, ALICE, ALICE_LAPTOP, BOB]);
    world.assert_agree(&group, &[0, 1, 2, 3]);
    let id = world.remove(0, &group, 1);
    world.run();
    world.assert_done(0, &id);
    world.assert_agree(&group, &[0, 3]);
    for index in [1, 2] {
        assert_eq!(world.count(index, |e| matches!(e, Event::Removed(_))), 1);
        assert!(world.nodes[index].member.groups().unwrap().is_empty());
    }
}

#[test]
fn a_removed_member_reads_nothing_more_and_can_be_invited_again() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.remove(0, &group, 2);
    world.run();
    world.say(0, &group, "secret");
    world.run();
    assert_eq!(world.heard(1), ["PHONE: secret"]);
    assert_eq!(world.heard(2), Vec::<String>::new());
    let juliet = world.user(2);
    let id = world.invite(0, &group, vec![juliet]);
    world.run();
    world.assert_done(0, &id);
    world.assert_agree(&group, &[0, 1, 2]);
    world.say(0, &group, "welcome back");
    world.run();
    assert_eq!(world.heard(2), ["PHONE: welcome back"]);
}

/// Bob is welcomed into a group, and his network says that he is not invited to its room.
fn welcomed_and_not_invited() -> (World, GroupId, RoomAddress) {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Confirmed(Confirmation::Room(_, result))) = (index, input) {
            *result = Err("not invited".to_owned());
        }
        true
    });
    world.invite_all(0, &group);
    assert_eq!(world.epoch(1, &group), None);
    let rooms = world.nodes[0].member.groups().unwrap().remove(0).rooms;
    let room = rooms.into_iter().find(|room| room.network == Network::Matrix).unwrap();
    (world, group, room)
}

#[test]
fn an_invitation_that_comes_after_its_welcome_lets_in_without_a_warning() {
    let (mut world, group, room) = welcomed_and_not_invited();
    world.pass(30);
    world.give(1, Input::RoomJoined(room));
    world.pass(120);
    world.assert_agree(&group, &[0, 1]);
    assert_eq!(world.warnings(1), Vec::<String>::new());
}

#[test]
fn an_invitation_that_never_comes_after_its_welcome_is_warned_of_once() {
    let (mut world, group, room) = welcomed_and_not_invited();
    world.pass(59);
    assert_eq!(world.warnings(1), Vec::<String>::new());
    world.pass(120);
    assert_eq!(world.warnings(1), [format!("the room {room} cannot be entered: not invited")]);
    assert_eq!(world.epoch(1, &group), None);
}

#[test]
fn who_leaves_is_removed_by_the_others_without_being_asked() {
    for leaver in [1, 2] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        let id = world.command(leaver, Command::Leave(group.clone()));
        world.run();
        world.assert_done(leaver, &id);
        assert_eq!(world.count(leaver, |e| matches!(e, Event::Removed(_))), 1);
        world.pass(60);
        let rest: Vec<_> = (0..3).filter(|index| *index != leaver).collect();
        world.assert_agree(&group, &rest);
    }
}

#[test]
fn who_has_left_and_is_invited_again_does_not_leave_once_more() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let juliet = world.user(2);
    // Juliet hears neither that she is out of the room nor that she is removed.
    world.tamper = Box::new(|index, input| {
        let tells = match input {
            Input::Answer(_, Ok(answer)) => matches!(answer, Answer::Done | Answer::Handshakes(_)),
            Input::Notice(notice) => matches!(notice, Notice::Handshake(_)),
            Input::RoomLeft(_) => true,
            _ => false,
        };
        index != 2 || !tells
    });
    let leave = world.command(2, Command::Leave(group.clone()));
    world.run();
    world.assert_agree(&group, &[0, 1]);
    let invite = world.invite(0, &group, vec![juliet]);
    world.run();
    world.assert_done(0, &invite);
    // She hears of her removal before the answer comes.
    world.tamper =
        Box::new(|index, input| index != 2 || !matches!(input, Input::Answer(_, Ok(Answer::Done))));
    world.pass(120);
    world.tamper = Box::new(|_, _| true);
    world.pass(120);
    world.assert_done(2, &leave);
    assert_eq!(world.count(2, |e| matches!(e, Event::Removed(_))), 1);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn who_is_put_out_of_its_room_learns_that_it_was_removed() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    for other in [0, 2] {
        world.nodes[other].away = true;
    }
    let room = world.nodes[1].member.groups().unwrap()[0].rooms[0].clone();
    let bob = world.user(1);
    world.leave_room(&room, &bob);
    world.run();
    world.pass(60);
    assert_eq!(world.count(1, |e| matches!(e, Event::Removed(_))), 0);
    // Only now somebody commits the removal, where Bob does not see it.
    for other in [0, 2] {
        world.come_back(other);
    }
    world.run();
    world.pass(200);
    world.assert_agree(&group, &[0, 2]);
    assert_eq!(world.count(1, |e| matches!(e, Event::Removed(_))), 1);
}

#[test]
fn a_message_covers_a_pending_removal_at_once() {
    // Of the two who stay, one has the first rank; the other has to commit to be heard.
    for (speaker, other) in [(0, 1), (1, 0)] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        world.say(speaker, &group, "warm up");
        world.run();
        world.nodes[other].away = true;
        world.command(2, Command::Leave(group.clone()));
        world.run();
        let id = world.say(speaker, &group, "she is gone");
        world.run();
        world.assert_done(speaker, &id);
        world.come_back(other);
        world.run();
        world.assert_agree(&group, &[0, 1]);
        assert!(world.heard(other).last().unwrap().ends_with("she is gone"));
    }
}

#[test]
fn rotation_renews_the_keys_and_everybody_follows() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let before = world.epoch(0, &group).unwrap();
    for index in 0..3 {
        let id = world.command(index, Command::Rotate(group.clone()));
        world.run();
        world.assert_done(index, &id);
    }
    assert_eq!(world.epoch(0, &group), Some(before + 3));
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_new_device_of_a_member_is_added_by_inviting_its_user_again() {
    let (mut world, group) = World::group(&[JULIET, ALICE]);
    let laptop = world.add(ALICE_LAPTOP.0, ALICE_LAPTOP.1);
    world.run();
    let alice = world.user(1);
    let id = world.invite(0, &group, vec![alice.clone()]);
    world.run();
    world.assert_done(0, &id);
    world.assert_agree(&group, &[0, 1, laptop]);
    let id = world.invite(0, &group, vec![alice]);
    world.run();
    world.assert_done(0, &id);
}

#[test]
fn an_invitation_of_nobody_who_exists_fails_with_a_reason_for_each() {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    let nobody = ["@nobody:a.org", "nobody@x.org"]
        .map(|name| mls_core::address::UserId::from_human(name).unwrap());
    let id = world.invite(0, &group, nobody.to_vec());
    world.run();
    let why = world.failure(0, &id);
    assert!(why.contains("nobody:a.org") && why.contains("nobody@x.org"), "{why}");
}

#[test]
fn a_used_last_resort_is_replaced_at_once() {
    let mut world = World::new(&[JULIET, ALICE]);
    world.use_up_one_time_packages(1);
    let group = world.found(0);
    let published = world.count(1, |e| matches!(e, Event::KeyPackagesPublished(_)));
    world.invite_all(0, &group);
    world.assert_agree(&group, &[0, 1]);
    let again = world.count(1, |e| matches!(e, Event::KeyPackagesPublished(_)));
    assert_eq!(again, published + 1);
}

#[test]
fn a_command_is_answered_once_and_its_repeat_with_the_same_result() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let rotate = Command::Rotate(group.clone());
    let id = world.command(0, rotate.clone());
    world.give(0, Input::Command(id.clone(), rotate.clone()));
    world.run();
    world.assert_done(0, &id);
    let before = world.epoch(0, &group);
    world.restart(0);
    let events = world.nodes[0].events.len();
    world.give(0, Input::Command(id.clone(), rotate));
    world.run();
    assert_eq!(world.epoch(0, &group), before, "the repeat was carried out");
    let new = &world.nodes[0].events[events..];
    assert!(matches!(new, [Event::CommandDone(done)] if done.id == id), "{new:?}");
}

#[test]
fn a_message_into_a_room_that_we_were_put_out_of_fails_with_a_reason() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    world.nodes[0].away = true;
    let room = world.nodes[1].member.groups().unwrap()[0].rooms[0].clone();
    let bob = world.user(1);
    world.leave_room(&room, &bob);
    world.run();
    let id = world.say(1, &group, "hello?");
    world.run();
    assert!(world.failure(1, &id).contains("cannot be entered"), "{}", world.failure(1, &id));
}
