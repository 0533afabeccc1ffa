//! Coming back while something else goes on: each of these was found by the simulator.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::member::{Command, Event, Input, SettingsCommand};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::welcome_waiting::WelcomeWaiting;
use mls_core::wire::{Answer, Notice, Request};

use crate::network::{Task, World};
use crate::story::{ALICE, BOB, JULIET};

const BOB_INDEX: usize = 1;

/// What the hub says to Bob about his way back is lost.
fn no_answers(world: &mut World) {
    world.tamper = Box::new(|index, input| {
        let about_it = matches!(input, Input::Answer(_, Ok(Answer::GroupInfo(_)) | Err(_)));
        index != BOB_INDEX || !about_it
    });
}

/// Works until such a request is on its way to the hub.
fn run_until_asked(world: &mut World, wanted: impl Fn(&Request) -> bool) {
    while !world.queue.iter().any(|task| task.asks(&wanted)) {
        assert!(world.step(), "nobody asked");
    }
}

#[test]
fn a_welcome_that_comes_first_fulfils_a_rejoin() {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    no_answers(&mut world);
    let id = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    world.run();
    world.invite_all(0, &group);
    world.assert_done(BOB_INDEX, &id);
    let id = world.say(BOB_INDEX, &group, "that was easy");
    world.run();
    world.assert_done(BOB_INDEX, &id);
}

#[test]
fn a_way_back_that_a_welcome_overtakes_is_no_removal() {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let late = Rc::clone(&kept);
    world.tamper = Box::new(move |index, input| match input {
        Input::Notice(Notice::WelcomeWaiting(_)) if index == BOB_INDEX => {
            late.borrow_mut().push(input.clone());
            false
        }
        _ => true,
    });
    world.invite_all(0, &group);
    world.tamper = Box::new(|_, _| true);
    let id = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    run_until_asked(&mut world, |request| matches!(request, Request::SubmitCommit(_)));
    let submitted = world.queue.pop_back().unwrap();
    for welcome in kept.take() {
        world.give(BOB_INDEX, welcome);
    }
    world.run();
    world.assert_done(BOB_INDEX, &id);
    world.queue.push_back(submitted);
    world.run();
    world.pass(30);
    assert_eq!(world.count(BOB_INDEX, |event| matches!(event, Event::Removed(_))), 0);
    world.assert_agree(&group, &[0, 1]);
    world.say(BOB_INDEX, &group, "here");
    world.run();
    world.pass(30);
    assert_eq!(world.heard(0), ["DESK: here"]);
}

#[test]
fn a_removal_ends_a_rejoin_that_is_under_way() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    no_answers(&mut world);
    let id = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    world.run();
    world.remove(0, &group, BOB_INDEX);
    world.run();
    assert!(world.failure(BOB_INDEX, &id).contains("removed"));
}

#[test]
fn a_way_back_that_is_built_on_a_later_epoch_outlives_the_commits_before_it() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let late = Rc::clone(&kept);
    world.tamper = Box::new(move |index, input| match input {
        Input::Notice(Notice::Handshake(_)) if index == BOB_INDEX => {
            late.borrow_mut().push(input.clone());
            false
        }
        _ => true,
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.tamper = Box::new(|_, _| true);
    let id = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    run_until_asked(&mut world, |request| matches!(request, Request::SubmitCommit(_)));
    for input in kept.take() {
        world.queue.push_front(Task::ToMember(BOB_INDEX, input));
    }
    world.run();
    world.assert_done(BOB_INDEX, &id);
    assert_eq!(world.count(BOB_INDEX, |event| matches!(event, Event::Removed(_))), 0);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_rejoin_waits_for_the_fate_of_a_commit_that_is_under_way() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let rotate = world.command(BOB_INDEX, Command::Rotate(group.clone()));
    run_until_asked(&mut world, |request| matches!(request, Request::SubmitCommit(_)));
    let rejoin = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    world.run();
    for id in [rotate, rejoin] {
        world.assert_done(BOB_INDEX, &id);
    }
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn nobody_is_warned_of_handshakes_of_a_group_whose_hub_is_not_known_yet() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.lose(BOB_INDEX, &["group_state", "epoch", "journal", "group_record"]);
    no_answers(&mut world);
    world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    world.run();
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.tamper = Box::new(|_, _| true);
    world.pass(30);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_group_whose_state_is_lost_while_it_is_registered_is_come_back_into() {
    let mut world = World::new(&[ALICE]);
    let rooms = CreateRoom { matrix: true, xmpp: true, name: "Verona".to_owned() };
    let id = world.command(0, Command::CreateGroup(rooms));
    run_until_asked(&mut world, |request| matches!(request, Request::RegisterGroup(_)));
    world.lose(0, &["group_state", "epoch", "journal"]);
    world.run();
    world.pass(30);
    assert!(world.failure(0, &id).contains("tries to come back"));
    let group = world.nodes[0].member.groups().unwrap()[0].group.clone();
    let id = world.say(0, &group, "all mine");
    world.run();
    world.pass(30);
    world.assert_done(0, &id);
}

#[test]
fn a_message_that_comes_before_the_news_of_a_removal_is_read_after_the_new_welcome() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let (early, late) = (Rc::new(RefCell::new(true)), Rc::new(RefCell::new(Vec::new())));
    let (hold, kept) = (Rc::clone(&early), Rc::clone(&late));
    // Handshakes and Welcomes come last, as if they were lost and fetched.
    world.tamper = Box::new(move |index, input| match input {
        Input::Notice(_) | Input::RoomLeft(_) if index == BOB_INDEX && *hold.borrow() => {
            kept.borrow_mut().push(input.clone());
            false
        }
        _ => true,
    });
    world.remove(0, &group, BOB_INDEX);
    world.run();
    let bob = world.user(BOB_INDEX);
    world.invite(0, &group, vec![bob.clone()]);
    world.run();
    let room = world.nodes[BOB_INDEX].member.groups().unwrap()[0].rooms[0].clone();
    world.inside.entry(room).or_default().insert(bob);
    world.say(0, &group, "welcome back");
    world.run();
    *early.borrow_mut() = false;
    for input in late.take() {
        world.give(BOB_INDEX, input);
    }
    world.run();
    world.pass(30);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(BOB_INDEX), ["PHONE: welcome back"]);
}

/// The next commit on its way to the hub does not come there, and is answered so, after a restart.
fn refuse_commit(world: &mut World, index: usize, refusal: Refusal) {
    let submitted = |task: &Task| match task {
        Task::ToHub(hub::Input::Request(r)) if matches!(r.request, Request::SubmitCommit(_)) => {
            Some(r.id.clone())
        }
        _ => None,
    };
    while !world.queue.iter().any(|task| submitted(task).is_some()) {
        assert!(world.step(), "no commit came");
    }
    let id = world.queue.iter().find_map(submitted).unwrap();
    world.restart(index);
    world.queue.retain(|task| submitted(task).is_none());
    world.run();
    world.give(index, Input::Answer(id, Err(refusal)));
    world.step();
}

#[test]
fn commits_go_on_after_a_way_back_that_the_hub_refused() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let rotate = world.command(1, Command::Rotate(group.clone()));
    let epoch = world.epoch(1, &group).unwrap();
    refuse_commit(&mut world, 1, Refusal::WrongEpoch(epoch));
    let rejoin = world.command(1, Command::Rejoin(group.clone()));
    world.say(0, &group, "meanwhile");
    refuse_commit(&mut world, 1, Refusal::NotAllowed("not now".to_owned()));
    world.run();
    world.pass(700);
    assert!(world.failure(1, &rejoin).contains("not now"));
    world.assert_done(1, &rotate);
    assert_eq!(world.warnings(1), Vec::<String>::new());
}

#[test]
fn a_welcome_that_is_older_than_the_own_commit_from_outside_waits_for_that() {
    let (mut world, group) = World::group(&[ALICE, JULIET]);
    let bob = world.add(BOB.0, BOB.1);
    world.run();
    world.tamper = Box::new(move |index, input| match input {
        Input::Answer(_, Ok(Answer::Welcomes(answer))) if index == bob => {
            answer.welcomes.clear();
            true
        }
        _ => true,
    });
    let settings = Settings { open_join: Some(true), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    world.command(0, Command::ChangeSettings(command));
    let user = world.user(bob);
    world.invite(0, &group, vec![user.clone()]);
    world.run();
    // Out again before he is in, but the room stays open to him, and with it the group.
    world.remove(0, &group, bob);
    world.run();
    let rooms = world.nodes[0].member.groups().unwrap()[0].rooms.clone();
    let own = rooms.into_iter().find(|room| room.network == user.network()).unwrap();
    world.list(&own, &user, true);
    world.join_room(bob, &own);
    world.run();
    let join = world.command(bob, Command::Join(own));
    let receipt = |task: &Task| match task {
        Task::ToMember(index, Input::Answer(_, Ok(Answer::Receipt(_)))) => *index == bob,
        _ => false,
    };
    while !world.queue.iter().any(receipt) {
        assert!(world.step(), "no commit was accepted");
    }
    // The hub's answer, and what it posts, are on their way while the Welcome comes at last.
    let late: Vec<_> = std::mem::take(&mut world.queue).into();
    world.tamper = Box::new(|_, _| true);
    let device = world.nodes[bob].client.device();
    world.give(bob, Input::Notice(Notice::WelcomeWaiting(WelcomeWaiting { device })));
    world.run();
    world.queue.extend(late);
    world.run();
    world.pass(10);
    assert_eq!(world.group_of(bob, &join), group);
    world.assert_agree(&group, &[0, 1, bob]);
}

#[test]
fn who_lost_the_state_goes_back_to_no_epoch_that_it_has_left_behind() {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    // The Welcome stays at the hub, and Bob comes in by a commit from outside.
    world.tamper = Box::new(|index, input| match input {
        Input::Answer(_, Ok(Answer::Welcomes(answer))) if index == BOB_INDEX => {
            answer.welcomes.clear();
            true
        }
        _ => true,
    });
    world.invite_all(0, &group);
    let came = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    world.run();
    world.assert_done(BOB_INDEX, &came);
    let left_behind = world.epoch(BOB_INDEX, &group).unwrap();
    for index in [BOB_INDEX, 0] {
        world.command(index, Command::Rotate(group.clone()));
        world.run();
    }
    world.tamper = Box::new(|_, _| true);
    world.lose(BOB_INDEX, &["group_state", "epoch", "journal"]);
    world.come_back(BOB_INDEX);
    world.run();
    world.pass(30);
    world.assert_agree(&group, &[0, 1]);
    let joined = world.nodes[BOB_INDEX].events.iter().filter_map(|event| match event {
        Event::Joined(joined) => Some(joined.epoch),
        _ => None,
    });
    let joined: Vec<_> = joined.collect();
    assert_eq!(joined.len(), 2, "{joined:?}");
    assert!(joined[0] == left_behind && joined[1] > left_behind + 2, "{joined:?}");
}
