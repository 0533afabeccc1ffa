//! Two things that rarely happen, at once.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::bridge_group::Order;
use mls_core::group_settings::Settings;
use mls_core::member::{
    BranchCommand, Command, Event, Input, ProposeCommand, ReInitCommand, SettingsCommand,
    UsePastEpoch, Wish,
};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use crate::branching::{branch, go_on};
use crate::ending::open_to_bob;
use crate::network::{Task, World};
use crate::restarting::{make_admin, restart};
use crate::story::{ALICE, BOB as BOB_DESK, JULIET, ROMEO, four, today_ms};

const BOB: usize = 2;

fn start_anew(world: &mut World, index: usize, group: &GroupId, suite: u16) -> String {
    let command = ReInitCommand { group: group.clone(), suite, settings: Settings::default() };
    world.command(index, Command::ReInit(command))
}

#[test]
fn of_two_admins_who_start_a_group_anew_at_once_both_are_in_what_follows() {
    for (suites, seed) in [([3, 3], 1), ([3, 2], 2), ([2, 3], 3), ([3, 2], 4), ([2, 3], 9)] {
        let (mut world, group) = four();
        make_admin(&mut world, &group, BOB);
        world.shuffled = Some(seed);
        let ids = [(0, suites[0]), (BOB, suites[1])]
            .map(|(index, suite)| (index, start_anew(&mut world, index, &group, suite)));
        world.run();
        world.pass(120);
        let done = ids.iter().filter(|(index, id)| {
            let failed = |why: &str| why == "somebody else starts the group anew";
            let done = matches!(world.result(*index, id), Some(Event::CommandDone(_)));
            assert!(done || failed(&world.failure(*index, id)), "{suites:?} {seed}");
            done
        });
        assert!(done.count() > 0);
        for index in 0..4 {
            world.say(index, &group, &format!("from {index}"));
        }
        world.run();
        world.pass(60);
        for index in 0..4 {
            world.assert_heard(&[0, 1, 2, 3], &format!("from {index}"));
        }
    }
}

/// Works until such a thing is on its way, and takes it out.
fn take(world: &mut World, wanted: impl Fn(&Task) -> bool) -> Task {
    loop {
        if let Some(place) = world.queue.iter().position(&wanted) {
            return world.queue.remove(place).unwrap();
        }
        assert!(world.step(), "it was never on its way");
    }
}

/// An answer to a member.
fn answers(index: usize, wanted: fn(&Result<Answer, Refusal>) -> bool) -> impl Fn(&Task) -> bool {
    move |task| match task {
        Task::ToMember(to, Input::Answer(_, answer)) => *to == index && wanted(answer),
        _ => false,
    }
}

#[test]
fn a_branch_that_came_late_to_a_parent_that_has_ended_since_is_made_of_what_follows() {
    for restarts in [false, true] {
        let (mut world, group) = four();
        for _ in 0..5 {
            go_on(&mut world, 0, &group);
        }
        let id = branch(&mut world, BOB, &group, &[3]);
        let registration =
            take(&mut world, |task| task.asks(|r| matches!(r, Request::RegisterBranch(_))));
        go_on(&mut world, 0, &group);
        world.queue.push_back(registration);
        let late = take(&mut world, answers(BOB, |a| matches!(a, Err(Refusal::WrongEpoch(_)))));
        let anew = match restarts {
            true => restart(&mut world, 0, &group),
            false => start_anew(&mut world, 0, &group, 3),
        };
        world.run();
        let next = world.group_of(0, &anew);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        world.queue.push_back(late);
        world.run();
        world.pass(120);
        let made = world.group_of(BOB, &id);
        world.assert_agree(&made, &[BOB, 3]);
        let said = world.say(BOB, &next, "and on");
        world.run();
        world.assert_done(BOB, &said);
    }
}

#[test]
fn a_rejoin_whose_group_info_comes_after_a_newer_commit_asks_again() {
    let (mut world, group) = World::group(&[ALICE, BOB_DESK, JULIET]);
    let rejoin = world.command(1, Command::Rejoin(group.clone()));
    let late = take(&mut world, answers(1, |a| matches!(a, Ok(Answer::GroupInfo(_)))));
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.queue.push_back(late);
    world.run();
    world.pass(60);
    world.assert_done(1, &rejoin);
    world.assert_agree(&group, &[0, 1, 2]);
}

/// A group in which Bob is an admin beside Alice, and Romeo is not yet.
fn without_romeo() -> (World, GroupId) {
    let mut world = World::new_at(today_ms(), &[ALICE, BOB_DESK, JULIET, ROMEO]);
    let group = world.found(0);
    let users = vec![world.user(1), world.user(2)];
    world.invite(0, &group, users);
    world.run();
    make_admin(&mut world, &group, 1);
    (world, group)
}

#[test]
fn who_was_being_invited_when_a_group_was_started_anew_with_another_suite_is_invited() {
    for claimed in [false, true] {
        let (mut world, group) = without_romeo();
        let romeo = world.user(3);
        let invite = world.invite(1, &group, vec![romeo]);
        let kept = match claimed {
            true => take(&mut world, Task::is_commit),
            false => take(&mut world, answers(1, |a| matches!(a, Ok(Answer::KeyPackages(_))))),
        };
        let anew = start_anew(&mut world, 0, &group, 3);
        world.run();
        let next = world.group_of(0, &anew);
        world.queue.push_back(kept);
        world.run();
        world.pass(120);
        world.assert_done(1, &invite);
        world.assert_agree(&next, &[0, 1, 2, 3]);
    }
}

#[test]
fn a_branch_that_the_hub_took_before_its_parent_went_over_to_its_room_is_there() {
    let (mut world, _) = four();
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Verona".to_owned() };
    let id = world.command(0, Command::CreateGroup(rooms.clone()));
    world.run();
    let parent = world.group_of(0, &id);
    let users = vec![world.user(0), world.user(BOB)];
    world.invite(0, &parent, users.clone());
    world.run();
    let command = BranchCommand { parent: parent.clone(), users: vec![world.user(0)], rooms };
    let id = world.command(BOB, Command::Branch(command));
    let registration = |task: &Task| task.asks(|r| matches!(r, Request::RegisterBranch(_)));
    while !world.queue.iter().any(registration) {
        assert!(world.step());
    }
    let answer = take(&mut world, answers(BOB, |a| matches!(a, Ok(Answer::Receipt(_)))));
    let settings = Settings { order: Some(Order::Room), ..Settings::default() };
    let command = SettingsCommand { group: parent.clone(), settings };
    let ordered = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &ordered);
    let waits = world.command(BOB, Command::Rotate(parent.clone()));
    world.run();
    world.queue.push_back(answer);
    world.run();
    world.pass(60);
    let made = world.group_of(BOB, &id);
    world.assert_agree(&made, &[0, 1, BOB]);
    world.assert_done(BOB, &waits);
}

#[test]
fn who_leaves_while_it_comes_back_by_itself_is_out() {
    let (mut world, group) = World::group(&[ALICE, BOB_DESK, JULIET]);
    world.lose(1, &["group_state", "epoch", "journal"]);
    let posted = |input: &Input| matches!(input, Input::Notice(Notice::Handshake(_)));
    world.tamper = Box::new(move |index, input| index != 1 || !posted(input));
    world.give(1, Input::Connected);
    let receipt = take(&mut world, answers(1, |a| matches!(a, Ok(Answer::Receipt(_)))));
    world.run();
    let leave = world.command(1, Command::Leave(group.clone()));
    let left = |task: &Task| matches!(task, Task::ToMember(1, Input::RoomLeft(_)));
    let left = take(&mut world, left);
    let confirmed = |task: &Task| matches!(task, Task::ToMember(1, Input::Confirmed(_)));
    let confirmed = take(&mut world, confirmed);
    world.tamper = Box::new(|_, _| true);
    world.queue.push_back(receipt);
    world.run();
    world.queue.extend([left, confirmed]);
    world.run();
    world.pass(120);
    world.assert_done(1, &leave);
    world.assert_agree(&group, &[0, 2]);
    assert_eq!(world.warnings(1).len(), 1, "of the loss");
}

#[test]
fn what_was_done_before_a_removal_that_came_with_it_is_done() {
    let (mut world, group) = World::group(&[ALICE, BOB_DESK, JULIET]);
    make_admin(&mut world, &group, 1);
    let settings = Settings { members_may_add: Some(true), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let changed = world.command(1, Command::ChangeSettings(command));
    let receipt = take(&mut world, answers(1, |a| matches!(a, Ok(Answer::Receipt(_)))));
    let kept = Rc::new(RefCell::new(vec![]));
    let late = Rc::clone(&kept);
    world.tamper = Box::new(move |index, input| match input {
        Input::Notice(Notice::Handshake(_)) if index == 1 => {
            late.borrow_mut().push(input.clone());
            false
        }
        Input::Answer(_, Ok(Answer::Handshakes(_))) => index != 1,
        _ => true,
    });
    let removed = world.remove(0, &group, 1);
    world.run();
    world.assert_done(0, &removed);
    let last = kept.borrow().last().cloned().unwrap();
    let Input::Notice(_) = last else { panic!() };
    world.tamper = Box::new(|index, input| {
        index != 1 || !matches!(input, Input::Answer(_, Ok(Answer::Handshakes(_))))
    });
    world.give(1, last);
    world.run();
    world.queue.push_back(receipt);
    world.run();
    world.assert_done(1, &changed);
}

#[test]
fn a_new_start_that_meets_a_restart_leaves_nothing_behind() {
    let (mut world, group) = four();
    make_admin(&mut world, &group, BOB);
    let anew = start_anew(&mut world, 0, &group, 3);
    let registration =
        take(&mut world, |task| task.asks(|r| matches!(r, Request::RegisterSuccessor(_))));
    world.run();
    let id = restart(&mut world, BOB, &group);
    world.run();
    let next = world.group_of(BOB, &id);
    world.queue.push_back(registration);
    world.run();
    world.pass(120);
    let successor = world.nodes[0].events.iter().find_map(|event| match event {
        Event::StartedAnew(anew) => Some(anew.successor.clone()),
        _ => None,
    });
    let said = world.say(0, &successor.unwrap(), "where am I?");
    let all = world.command(0, Command::RotateEverywhere);
    world.pass(3900);
    assert!(world.result(0, &anew).is_some());
    world.assert_agree(&next, &[0, 1, 2, 3]);
    world.assert_done(0, &all);
    assert!(world.result(0, &said).is_some());
}

#[test]
fn the_use_of_an_epoch_of_a_group_that_has_ended_is_not_one_of_what_follows() {
    for restarts in [false, true] {
        let (mut world, group) = four();
        make_admin(&mut world, &group, BOB);
        let command = UsePastEpoch { group: group.clone(), epoch: 1 };
        let used = world.command(BOB, Command::UsePastEpoch(command));
        let commit = take(&mut world, Task::is_commit);
        let anew = match restarts {
            true => restart(&mut world, 0, &group),
            false => start_anew(&mut world, 0, &group, 3),
        };
        world.run();
        world.group_of(0, &anew);
        world.queue.push_back(commit);
        world.run();
        world.pass(60);
        assert!(world.failure(BOB, &used).contains("has ended"), "{}", world.failure(BOB, &used));
    }
}

#[test]
fn a_proposal_that_comes_too_late_waits_for_what_came_before_it() {
    let (mut world, group) = World::group(&[ALICE, BOB_DESK, JULIET]);
    world.pass(120);
    world.tamper = Box::new(|index, input| {
        index != 1
            || !matches!(
                input,
                Input::Notice(Notice::Handshake(_)) | Input::Answer(_, Ok(Answer::Handshakes(_)))
            )
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let proposed = world
        .command(1, Command::Propose(ProposeCommand { group: group.clone(), wish: Wish::Update }));
    world.run();
    world.pass(5);
    world.tamper = Box::new(|_, _| true);
    world.pass(60);
    world.assert_done(1, &proposed);
}

#[test]
fn who_hears_of_its_removal_before_the_hub_says_that_it_has_left_has_left() {
    let (mut world, group) = World::group(&[ALICE, BOB_DESK, JULIET]);
    let leave = world.command(2, Command::Leave(group.clone()));
    let done = take(&mut world, answers(2, |a| matches!(a, Ok(Answer::Done))));
    world.run();
    world.give(2, Input::Connected);
    world.run();
    world.pass(60);
    world.queue.push_back(done);
    world.run();
    world.assert_done(2, &leave);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn who_comes_while_a_group_is_being_started_anew_comes_along() {
    let (mut world, group) = without_romeo();
    let anew = start_anew(&mut world, 0, &group, 3);
    let claimed = take(&mut world, answers(0, |a| matches!(a, Ok(Answer::KeyPackages(_)))));
    let romeo = world.user(3);
    let invite = world.invite(1, &group, vec![romeo]);
    world.run();
    world.assert_done(1, &invite);
    world.queue.push_back(claimed);
    world.run();
    world.pass(60);
    let next = world.group_of(0, &anew);
    world.assert_agree(&next, &[0, 1, 2, 3]);
}

#[test]
fn of_two_joins_into_one_group_none_is_done_before_the_device_is_in() {
    let (mut world, _, room) = open_to_bob();
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Answer(_, answer @ Ok(Answer::GroupInfo(_)))) = (index, input) {
            *answer = Err(Refusal::NotAllowed("not now".to_owned()));
        }
        true
    });
    let joins = [0, 1].map(|_| world.command(1, Command::Join(room.clone())));
    world.run();
    world.pass(60);
    assert!(world.failure(1, &joins[0]).contains("not now"));
    assert!(world.failure(1, &joins[1]).contains("on its way"));
}
