//! A Welcome that comes while the own commit from outside is with the hub.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::hub;
use mls_core::member::{Command, Event, Input};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::welcome_waiting::WelcomeWaiting;
use mls_core::wire::{Answer, GroupId, Notice};

use crate::network::{Task, World};
use crate::story::{ALICE, BOB, JULIET};

const BOB_INDEX: usize = 1;

/// What the test does with what comes for Bob.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// Welcomes stay at the hub.
    Welcomes,
    /// The hub's answer about his commit, and what it posts, are on their way.
    Commits,
    /// All comes, but the hub shows him no group any more.
    WayBack,
}

/// Alice has invited Bob, who has heard nothing of it, and comes back by command. What comes for him is
/// decided by the switch, and what is kept back is in the list.
struct Overtaking {
    world: World,
    group: GroupId,
    rejoin: String,
    switch: Rc<RefCell<Keeps>>,
    kept: Rc<RefCell<Vec<Input>>>,
}

fn overtaking() -> Overtaking {
    let mut world = World::new(&[ALICE, BOB]);
    let group = world.found(0);
    let switch = Rc::new(RefCell::new(Keeps::Welcomes));
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (now, late) = (Rc::clone(&switch), Rc::clone(&kept));
    world.tamper = Box::new(move |index, input| match (input, *now.borrow()) {
        _ if index != BOB_INDEX => true,
        (Input::Answer(_, Ok(Answer::Welcomes(answer))), Keeps::Welcomes) => {
            answer.welcomes.clear();
            true
        }
        (
            input
            @ (Input::Answer(_, Ok(Answer::Receipt(_))) | Input::Notice(Notice::Handshake(_))),
            Keeps::Welcomes | Keeps::Commits,
        ) => {
            late.borrow_mut().push(input.clone());
            false
        }
        (Input::Answer(_, answer @ Ok(Answer::Handshakes(_))), Keeps::Commits) => {
            *answer = Err(Refusal::TooLarge(0));
            true
        }
        (Input::Answer(_, answer @ Ok(Answer::GroupInfo(_))), Keeps::WayBack) => {
            *answer = Err(Refusal::RoomOrders);
            true
        }
        _ => true,
    });
    world.invite_all(0, &group);
    let rejoin = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    Overtaking { world, group, rejoin, switch, kept }
}

/// Works until Bob's commit is on its way to the hub, and takes it out.
fn take_submitted(world: &mut World) -> Task {
    loop {
        if let Some(place) = world.queue.iter().position(Task::is_commit) {
            return world.queue.remove(place).unwrap();
        }
        assert!(world.step(), "no commit was made");
    }
}

fn give_welcome(world: &mut World) {
    let device = world.nodes[BOB_INDEX].client.device();
    world.give(BOB_INDEX, Input::Notice(Notice::WelcomeWaiting(WelcomeWaiting { device })));
    world.run();
}

fn joined(world: &World) -> Vec<u64> {
    let epochs = world.nodes[BOB_INDEX].events.iter().filter_map(|event| match event {
        Event::Joined(joined) => Some(joined.epoch),
        _ => None,
    });
    epochs.collect()
}

#[test]
fn a_way_back_that_the_hub_has_accepted_is_not_lost_for_a_welcome_of_its_epoch() {
    let Overtaking { mut world, group, rejoin, switch, kept } = overtaking();
    world.run();
    *switch.borrow_mut() = Keeps::Commits;
    give_welcome(&mut world);
    world.assert_done(BOB_INDEX, &rejoin);
    let welcomed = world.epoch(BOB_INDEX, &group).unwrap();
    assert_eq!(joined(&world), [welcomed]);
    world.restart(BOB_INDEX);
    world.run();
    // From here on there is no other way back.
    *switch.borrow_mut() = Keeps::WayBack;
    for input in kept.take() {
        world.give(BOB_INDEX, input);
    }
    world.run();
    assert_eq!(joined(&world), [welcomed, welcomed + 1]);
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.assert_agree(&group, &[0, 1]);
    world.say(0, &group, "so you are in");
    world.run();
    world.assert_heard(&[BOB_INDEX], "so you are in");
}

#[test]
fn who_is_welcomed_hears_nothing_of_a_way_back_that_the_hub_refuses() {
    let Overtaking { mut world, group, rejoin, switch, .. } = overtaking();
    let submitted = take_submitted(&mut world);
    *switch.borrow_mut() = Keeps::Commits;
    give_welcome(&mut world);
    world.assert_done(BOB_INDEX, &rejoin);
    *switch.borrow_mut() = Keeps::WayBack;
    let Task::ToHub(hub::Input::Request(asked)) = submitted else { panic!("{submitted:?}") };
    let refused = Err(Refusal::NotAllowed("not now".to_owned()));
    world.give(BOB_INDEX, Input::Answer(asked.id, refused));
    world.run();
    world.pass(30);
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.assert_agree(&group, &[0, 1]);
    let rotate = world.command(BOB_INDEX, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(BOB_INDEX, &rotate);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_way_back_that_comes_too_late_is_given_up_by_who_is_welcomed() {
    let Overtaking { mut world, group, rejoin, switch, .. } = overtaking();
    let submitted = take_submitted(&mut world);
    *switch.borrow_mut() = Keeps::WayBack;
    give_welcome(&mut world);
    world.assert_done(BOB_INDEX, &rejoin);
    let rotate = world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(0, &rotate);
    world.queue.push_back(submitted);
    world.run();
    world.pass(30);
    assert_eq!(joined(&world).len(), 1);
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_welcome_that_waited_for_a_way_back_leads_in_when_the_hub_refuses_that() {
    let Overtaking { mut world, group, switch, .. } = overtaking();
    world.queue.clear();
    let rotate = world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(0, &rotate);
    let rejoin = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    let Task::ToHub(hub::Input::Request(asked)) = take_submitted(&mut world) else {
        panic!("nothing was asked")
    };
    // It is older than the commit.
    *switch.borrow_mut() = Keeps::WayBack;
    give_welcome(&mut world);
    assert_eq!(joined(&world), Vec::<u64>::new());
    let refused = Err(Refusal::NotAllowed("not now".to_owned()));
    world.give(BOB_INDEX, Input::Answer(asked.id, refused));
    world.run();
    // He was not in the room yet, and so the command has failed.
    assert!(world.failure(BOB_INDEX, &rejoin).contains("not now"));
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_way_back_outlives_the_news_of_the_removal_before_it() {
    for welcomed in [false, true] {
        let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
        let switch = Rc::new(RefCell::new(Keeps::Welcomes));
        let kept = Rc::new(RefCell::new(Vec::new()));
        let (now, late) = (Rc::clone(&switch), Rc::clone(&kept));
        // All comes late but what the hub shows him of the group.
        world.tamper = Box::new(move |index, input| match (&mut *input, *now.borrow()) {
            _ if index != BOB_INDEX => true,
            (Input::Answer(_, answer @ Ok(Answer::GroupInfo(_))), Keeps::WayBack) => {
                *answer = Err(Refusal::RoomOrders);
                true
            }
            (
                Input::Answer(_, Ok(Answer::Receipt(_))) | Input::Notice(_) | Input::RoomLeft(_),
                Keeps::Welcomes,
            ) => {
                late.borrow_mut().push(input.clone());
                false
            }
            (Input::Answer(_, Ok(Answer::Handshakes(_))), _) => false,
            _ => true,
        });
        world.remove(0, &group, BOB_INDEX);
        world.run();
        let bob = world.user(BOB_INDEX);
        let invite = world.invite(0, &group, vec![bob.clone()]);
        world.run();
        world.assert_done(0, &invite);
        let room = world.nodes[BOB_INDEX].member.groups().unwrap()[0].rooms[0].clone();
        world.inside.entry(room).or_default().insert(bob);
        let rejoin = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
        world.run();
        assert!(world.result(BOB_INDEX, &rejoin).is_none());
        *switch.borrow_mut() = Keeps::WayBack;
        let (receipts, others): (Vec<_>, Vec<_>) =
            kept.take().into_iter().partition(|input| matches!(input, Input::Answer(..)));
        for input in others
            .into_iter()
            .filter(|input| welcomed || !matches!(input, Input::Notice(Notice::WelcomeWaiting(_))))
        {
            world.give(BOB_INDEX, input);
            world.run();
            world.restart(BOB_INDEX);
        }
        for input in receipts {
            world.give(BOB_INDEX, input);
        }
        world.run();
        world.pass(60);
        world.assert_done(BOB_INDEX, &rejoin);
        world.assert_agree(&group, &[0, 1, 2]);
        assert_eq!(world.count(BOB_INDEX, |event| matches!(event, Event::Removed(_))), 1);
        assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    }
}

#[test]
fn a_rejoin_takes_up_the_way_back_that_is_with_the_hub() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let late = Rc::clone(&kept);
    let accepted = Rc::new(RefCell::new(false));
    let way = Rc::clone(&accepted);
    world.tamper = Box::new(move |index, input| match &mut *input {
        _ if index != BOB_INDEX => true,
        Input::Answer(_, Ok(Answer::Receipt(_))) | Input::Notice(Notice::Handshake(_)) => {
            late.borrow_mut().push(input.clone());
            *way.borrow_mut() = true;
            false
        }
        Input::Answer(_, answer @ Ok(Answer::GroupInfo(_))) if *way.borrow() => {
            *answer = Err(Refusal::RoomOrders);
            true
        }
        _ => true,
    });
    world.lose(BOB_INDEX, &["group_state", "epoch", "journal"]);
    world.give(BOB_INDEX, Input::Connected);
    world.run();
    assert!(*accepted.borrow());
    let rejoin = world.command(BOB_INDEX, Command::Rejoin(group.clone()));
    world.run();
    world.tamper =
        Box::new(|_, input| !matches!(input, Input::Answer(_, Ok(Answer::GroupInfo(_)))));
    for input in kept.take() {
        world.give(BOB_INDEX, input);
    }
    world.run();
    world.assert_done(BOB_INDEX, &rejoin);
    world.assert_agree(&group, &[0, 1, 2]);
}
