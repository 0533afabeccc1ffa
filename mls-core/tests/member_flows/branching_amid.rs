//! Branching amid what goes wrong: a dishonest hub, a parent that ends, a maker who is put out.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::group_settings::Settings;
use mls_core::member::{Command, Confirmation, Input, ReInitCommand};
use mls_core::wire::Answer;
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::welcome::Resumed;

use crate::branching::{branch, go_on, parents};
use crate::network::World;
use crate::story::{ALICE, BOB, JULIET, four, today_ms};

#[test]
fn a_package_of_somebody_who_was_not_named_does_not_bring_them_into_a_branch() {
    let (mut world, parent) = four();
    let alice = world.nodes[0].client.clone();
    let package = world.nodes[0].one_time.get_mut(&1).unwrap().pop_front().unwrap();
    world.tamper = Box::new(move |index, input| {
        if let (2, Input::Answer(_, Ok(Answer::KeyPackages(claimed)))) = (index, input) {
            let outcome = ClaimOutcome::OneTime(package.clone());
            claimed.push(ClaimedClient {
                user: alice.user(),
                client: Some(alice.clone()),
                outcome,
            });
        }
        true
    });
    let id = branch(&mut world, 2, &parent, &[3]);
    world.run();
    let made = world.group_of(2, &id);
    world.assert_agree(&made, &[2, 3]);
}

#[test]
fn who_comes_to_a_branch_when_its_parent_has_been_started_anew_comes_in_by_its_leaf() {
    let (mut world, parent) = four();
    world.nodes[3].away = true;
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    let made = world.group_of(0, &id);
    go_on(&mut world, 0, &parent);
    let settings = Settings::default();
    let anew = ReInitCommand { group: parent.clone(), suite: 3, settings };
    let anew = world.command(0, Command::ReInit(anew));
    world.run();
    let next = world.group_of(0, &anew);
    world.come_back(3);
    world.run();
    world.pass(120);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    world.assert_agree(&made, &[0, 1, 2, 3]);
}

/// Keeps receipts from a device until the flag is lowered.
fn hold_receipts(world: &mut World, of: usize) -> Rc<Cell<bool>> {
    let held = Rc::new(Cell::new(true));
    let holds = held.clone();
    world.tamper = Box::new(move |index, input| {
        let receipt = matches!(input, Input::Answer(_, Ok(Answer::Receipt(_))));
        !(index == of && holds.get() && receipt)
    });
    held
}

#[test]
fn a_maker_who_is_removed_from_the_parent_before_it_hears_of_its_branch_is_in_that() {
    let (mut world, parent) = four();
    let held = hold_receipts(&mut world, 2);
    let id = branch(&mut world, 2, &parent, &[3]);
    world.run();
    let remove = world.remove(0, &parent, 2);
    world.run();
    world.assert_done(0, &remove);
    assert_eq!(world.epoch(2, &parent), None);
    held.set(false);
    world.pass(120);
    let made = world.group_of(2, &id);
    world.assert_agree(&made, &[2, 3]);
    world.say(2, &made, "out there, in here");
    world.run();
    world.assert_heard(&[2, 3], "out there, in here");
}

#[test]
fn a_maker_reads_what_was_said_in_its_branch_before_it_heard_that_there_is_one() {
    let (mut world, parent) = four();
    let held = hold_receipts(&mut world, 2);
    let id = branch(&mut world, 2, &parent, &[3]);
    world.run();
    let groups = world.nodes[3].member.groups().unwrap();
    let made = groups.into_iter().find(|group| group.group != parent).unwrap().group;
    world.say(3, &made, "anybody here?");
    world.run();
    held.set(false);
    world.pass(120);
    assert_eq!(world.group_of(2, &id), made);
    world.assert_heard(&[2, 3], "anybody here?");
}

#[test]
fn who_is_welcomed_into_a_branch_before_it_came_into_the_parent_comes_in_by_its_leaf() {
    let mut world = World::new_at(today_ms(), &[ALICE, BOB, JULIET]);
    let parent = world.found(0);
    world.tamper = Box::new(|index, input| {
        if let (2, Input::Answer(_, Ok(Answer::Welcomes(welcomes)))) = (index, input) {
            welcomes.welcomes.retain(|welcome| welcome.resumes.is_some());
        }
        true
    });
    let others = vec![world.user(1), world.user(2)];
    let invite = world.invite(0, &parent, others);
    world.run();
    world.assert_done(0, &invite);
    let id = branch(&mut world, 0, &parent, &[2]);
    world.run();
    world.pass(120);
    let made = world.group_of(0, &id);
    world.assert_agree(&made, &[0, 2]);
    assert_eq!(parents(&world, &[0, 2], &made), [Some(parent), None]);
}

#[test]
fn a_branch_of_an_epoch_that_never_comes_is_entered_by_the_leaf() {
    let (mut world, parent) = four();
    world.tamper = Box::new(|index, input| {
        if let (3, Input::Answer(_, Ok(Answer::Welcomes(welcomes)))) = (index, input) {
            for welcome in &mut welcomes.welcomes {
                if let Some(Resumed::Parent(parent)) = &mut welcome.resumes {
                    parent.epoch = u64::MAX;
                }
            }
        }
        true
    });
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    world.pass(120);
    let made = world.group_of(0, &id);
    world.assert_agree(&made, &[0, 1, 2, 3]);
    assert_eq!(parents(&world, &[2, 3], &made), [Some(parent), None]);
}

#[test]
fn a_welcome_into_a_branch_that_is_for_a_key_package_of_somebody_else_leads_nobody_into_a_room() {
    let mut world = World::new_at(today_ms(), &[ALICE, JULIET, BOB]);
    let parent = world.found(0);
    let juliet = world.user(1);
    world.invite(0, &parent, vec![juliet]);
    world.run();
    let (mut of_juliet, bob) = (Vec::new(), world.nodes[2].client.clone());
    let entered = Rc::new(Cell::new(false));
    let enters = Rc::clone(&entered);
    world.tamper = Box::new(move |index, input| {
        match (index, input) {
            (1, Input::Answer(_, Ok(Answer::Welcomes(welcomes)))) => {
                // What cannot be used is asked for once more.
                of_juliet.extend(welcomes.welcomes.iter().flat_map(|w| [w.clone(), w.clone()]));
            }
            (2, Input::Answer(_, Ok(Answer::Welcomes(welcomes)))) => {
                welcomes.welcomes.extend(of_juliet.pop());
                welcomes.welcomes.iter_mut().for_each(|w| w.client = bob.clone());
            }
            (2, Input::Confirmed(Confirmation::Room(..))) => enters.set(true),
            _ => {}
        }
        true
    });
    branch(&mut world, 0, &parent, &[1]);
    world.run();
    world.give(2, Input::Connected);
    world.run();
    let told = "it is for no key package of this device";
    assert!(world.warnings(2).iter().any(|w| w.contains(told)), "{:?}", world.warnings(2));
    assert!(!entered.get());
}
