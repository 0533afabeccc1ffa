//! Commits that are on their way to the hub for longer than the certificate inside them lasts.

use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::limits::DAY_MS;
use mls_core::member::{Command, Input, SettingsCommand};
use mls_core::policy::CREDENTIAL_LIFETIME_MS;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Request};

use crate::network::{Task, World};
use crate::story::{ALICE, BOB, JULIET};

const BOB_INDEX: usize = 1;

/// The next commit on its way to the hub comes there when Bob's certificate has ended.
fn delay_commit(world: &mut World) {
    while !world.queue.iter().any(Task::is_commit) {
        assert!(world.step(), "no commit was made");
    }
    world.queue.retain(Task::is_commit);
    world.now_ms += CREDENTIAL_LIFETIME_MS + DAY_MS;
}

/// How often the hub was given a commit.
fn submissions(world: &World) -> usize {
    let submitted = |input: &&hub::Input| match input {
        hub::Input::Request(asked) => matches!(asked.request, Request::SubmitCommit(_)),
        _ => false,
    };
    world.hub_inputs.iter().filter(submitted).count()
}

/// Alice's group of three, where Bob gives a command whose commit is delayed.
fn delayed(command: fn(GroupId) -> Command) -> (World, GroupId, String) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let id = world.command(BOB_INDEX, command(group.clone()));
    delay_commit(&mut world);
    world.hub_inputs.clear();
    (world, group, id)
}

fn is_made_anew(command: fn(GroupId) -> Command) {
    let (mut world, group, id) = delayed(command);
    world.run();
    world.pass(30);
    world.assert_done(BOB_INDEX, &id);
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    assert!(submissions(&world) >= 2, "the hub took the first commit");
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_commit_whose_certificate_ended_on_its_way_is_made_anew_with_the_next() {
    is_made_anew(Command::Rotate);
}

#[test]
fn a_new_key_whose_certificate_ended_on_its_way_gets_another() {
    is_made_anew(Command::ChangeKey);
}

#[test]
fn a_way_back_whose_certificate_ended_on_its_way_is_made_anew() {
    is_made_anew(Command::Rejoin);
}

#[test]
fn a_restart_between_does_not_make_it_a_failure() {
    let (mut world, group, id) = delayed(Command::Rotate);
    let submitted = std::mem::take(&mut world.queue);
    world.restart(BOB_INDEX);
    world.queue = submitted;
    world.run();
    world.pass(30);
    world.assert_done(BOB_INDEX, &id);
    assert_eq!(world.warnings(BOB_INDEX), Vec::<String>::new());
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn who_gets_no_other_certificate_is_told_that_the_commit_was_refused() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let settings = Settings { basic_allowed: Some(false), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let strict = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &strict);
    world.tamper = Box::new(|index, input| {
        if let Input::Answer(_, result @ Ok(Answer::Credential(_))) = input
            && index == BOB_INDEX
        {
            *result = Err(Refusal::NotAllowed("you are nobody".to_owned()));
        }
        true
    });
    let id = world.command(BOB_INDEX, Command::Rotate(group.clone()));
    delay_commit(&mut world);
    world.run();
    world.pass(60);
    let why = world.failure(BOB_INDEX, &id);
    let warnings = world.warnings(BOB_INDEX);
    assert!(warnings.iter().any(|text| text.contains("you are nobody")), "{why} {warnings:?}");
}

#[test]
fn a_commit_that_is_refused_for_something_else_is_not_made_anew() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.tamper = Box::new(|index, input| {
        if let Input::Answer(_, result @ Ok(Answer::Receipt(_))) = input
            && index == BOB_INDEX
        {
            *result = Err(Refusal::InvalidCommit("Juliet's certificate has ended".to_owned()));
        }
        // The hub has it, and does not show it.
        index != BOB_INDEX || !matches!(input, Input::Notice(_))
    });
    let id = world.command(BOB_INDEX, Command::Rotate(group));
    world.hub_inputs.clear();
    world.run();
    assert!(world.failure(BOB_INDEX, &id).contains("Juliet's certificate"));
    assert_eq!(submissions(&world), 1);
}
