//! Restart of a group in which something else is under way: somebody leaves it, or it has ended.

use mls_core::member::{Command, Event, Input};
use mls_core::wire::{Answer, Notice};

use crate::network::World;
use crate::starting_anew::{ended_by_a_device_that_vanished, start_anew};
use crate::story::{ROMEO, four};

fn no_groups(world: &World, index: usize) -> bool {
    world.nodes[index].member.groups().unwrap().is_empty()
}

#[test]
fn who_asked_to_leave_a_group_before_it_was_restarted_leaves_the_new_one() {
    let (mut world, group) = four();
    // The hub's proposals come to nobody, and its answer not to who leaves.
    world.tamper = Box::new(|index, input| match input {
        Input::Notice(Notice::Handshake(_)) => false,
        Input::Answer(_, Ok(Answer::Done)) => index != 3,
        _ => true,
    });
    let leave = world.command(3, Command::Leave(group.clone()));
    world.run();
    assert_eq!(world.result(3, &leave), None);
    world.tamper = Box::new(|_, _| true);
    // So the admin does not know who is to go, and brings everybody.
    let id = world.command(0, Command::Restart(group));
    world.run();
    world.pass(60);
    let next = world.group_of(0, &id);
    world.assert_done(3, &leave);
    world.assert_agree(&next, &[0, 1, 2]);
    assert!(no_groups(&world, 3));
}

#[test]
fn who_lost_a_group_that_a_restart_made_and_is_added_to_it_again_is_in_it() {
    let (mut world, group) = four();
    let romeo = world.add(ROMEO.0, ROMEO.1);
    let id = world.command(0, Command::Restart(group.clone()));
    world.run();
    let next = world.group_of(0, &id);
    let user = world.user(romeo);
    world.invite(0, &next, vec![user.clone()]);
    world.run();
    // He finds no way back, and does not hear that he is removed.
    world.tamper = Box::new(move |index, input| {
        let tells = match input {
            Input::Answer(_, Ok(answer)) => !matches!(answer, Answer::Welcomes(_)),
            Input::Answer(_, Err(_)) => true,
            Input::Notice(notice) => matches!(notice, Notice::Handshake(_)),
            _ => false,
        };
        index != romeo || !tells
    });
    world.lose(romeo, &["group_state", "epoch", "journal"]);
    world.say(romeo, &next, "where was I?");
    // By the name that others knew.
    world.command(romeo, Command::Rejoin(group));
    world.remove(0, &next, romeo);
    world.run();
    world.invite(0, &next, vec![user]);
    world.pass(120);
    world.tamper = Box::new(|_, _| true);
    world.pass(60);
    world.assert_agree(&next, &[0, 1, 2, 3, romeo]);
    let of_itself = |event: &Event| matches!(event, Event::Restarted(it) if it.group == next);
    assert_eq!(world.count(romeo, of_itself), 0);
}

#[test]
fn who_comes_by_itself_into_the_last_of_several_groups_of_a_room_reads_there() {
    // Several times: ids are drawn.
    for _ in 0..6 {
        let (mut world, group) = four();
        let mut last = group;
        let mut restart = |world: &mut World| {
            let id = world.command(0, Command::Restart(last.clone()));
            world.run();
            last = world.group_of(0, &id);
            last.clone()
        };
        restart(&mut world);
        // Of the next two it hears nothing.
        world.tamper = Box::new(|index, input| {
            if let (3, Input::Answer(_, Ok(Answer::Welcomes(answer)))) = (index, input) {
                answer.welcomes.clear();
            }
            true
        });
        restart(&mut world);
        let last = restart(&mut world);
        let network = world.user(3).network();
        let own = world.lists.keys().find(|room| room.network == network).unwrap().clone();
        let join = world.command(3, Command::Join(own));
        world.run();
        world.pass(60);
        assert_eq!(world.group_of(3, &join), last);
        world.say(3, &last, "from here");
        world.say(0, &last, "and from there");
        world.run();
        world.assert_heard(&[0, 1, 2, 3], "from here");
        world.assert_heard(&[0, 1, 2, 3], "and from there");
    }
}

#[test]
fn who_lost_a_group_that_was_started_anew_and_restarted_meanwhile_comes_into_the_last_one() {
    let (mut world, group) = four();
    world.nodes[3].away = true;
    let anew = start_anew(&mut world, 0, &group, 3);
    world.run();
    let between = world.group_of(0, &anew);
    let id = world.command(0, Command::Restart(between));
    world.run();
    let last = world.group_of(0, &id);
    world.lose(3, &["group_state", "epoch", "journal"]);
    world.come_back(3);
    world.run();
    world.pass(120);
    world.assert_agree(&last, &[0, 1, 2, 3]);
    let refused = |event: &Event| match event {
        Event::Warning(warning) => warning.text.contains("a Welcome was refused"),
        _ => false,
    };
    assert_eq!(world.count(3, refused), 0, "{:?}", world.warnings(3));
}

#[test]
fn what_waits_for_a_group_that_has_ended_goes_on_in_what_took_its_place_by_a_restart() {
    let (mut world, group) = ended_by_a_device_that_vanished();
    world.tamper = Box::new(|index, input| {
        if let (3, Input::Answer(_, Ok(Answer::Welcomes(answer)))) = (index, input) {
            answer.welcomes.clear();
        }
        true
    });
    let network = world.user(3).network();
    let own = world.lists.keys().find(|room| room.network == network).unwrap().clone();
    let said = world.say(3, &group, "are you there");
    let leave = world.command(3, Command::Leave(group.clone()));
    let id = world.command(2, Command::Restart(group));
    world.run();
    let next = world.group_of(2, &id);
    assert_eq!((world.result(3, &said), world.result(3, &leave)), (None, None));
    let join = world.command(3, Command::Join(own));
    world.run();
    world.pass(60);
    assert_eq!(world.group_of(3, &join), next);
    world.assert_done(3, &said);
    world.assert_heard(&[1, 2], "are you there");
    world.assert_done(3, &leave);
    assert!(no_groups(&world, 3));
}

#[test]
fn who_leaves_a_group_that_has_ended_while_its_room_has_another_one_is_told_when_that_is_done() {
    let (mut world, group) = ended_by_a_device_that_vanished();
    let first = world.command(2, Command::Restart(group.clone()));
    world.tamper = Box::new(|index, _| index != 1);
    world.run();
    let between = world.group_of(2, &first);
    // Of two groups that took the place of one that never came, this device hears of the last.
    let missed = between.clone();
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Answer(_, Ok(Answer::Welcomes(answer)))) = (index, input) {
            answer.welcomes.retain(|welcome| welcome.group != missed);
        }
        true
    });
    let id = world.command(2, Command::Restart(between));
    world.run();
    let next = world.group_of(2, &id);
    let groups = world.nodes[1].member.groups().unwrap();
    assert_eq!(groups.iter().map(|it| &it.group).collect::<Vec<_>>(), [&next]);
    let leave = world.command(1, Command::Leave(group));
    world.run();
    world.pass(60);
    world.assert_done(1, &leave);
    assert!(no_groups(&world, 1));
    world.assert_agree(&next, &[2, 3]);
}

#[test]
fn who_was_away_for_three_restarts_and_left_out_of_the_second_goes_from_the_first_to_the_last() {
    // Several times: the ids of Welcomes are drawn.
    for _ in 0..6 {
        let (mut world, group) = four();
        world.nodes[2].away = true;
        let first = world.command(0, Command::Restart(group));
        world.run();
        let packages = std::mem::take(&mut world.nodes[2].one_time);
        let last_resort = std::mem::take(&mut world.nodes[2].last_resort);
        world.pass(20);
        let second = world.command(0, Command::Restart(world.group_of(0, &first)));
        world.run();
        world.assert_agree(&world.group_of(0, &second), &[0, 1, 3]);
        (world.nodes[2].one_time, world.nodes[2].last_resort) = (packages, last_resort);
        let third = world.command(0, Command::Restart(world.group_of(0, &second)));
        world.run();
        let last = world.group_of(0, &third);
        let bob = world.user(2);
        world.invite(0, &last, vec![bob]);
        world.run();
        world.come_back(2);
        world.pass(60);
        world.assert_agree(&last, &[0, 1, 2, 3]);
        assert_eq!(world.warnings(2), Vec::<String>::new());
    }
}
