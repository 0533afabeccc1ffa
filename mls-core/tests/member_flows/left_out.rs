//! Who could not follow a group any more, or did, and was not taken along when that was restarted.

use mls_core::group_settings::Settings;
use mls_core::limits::{ENDED_WAIT_MS, REJOIN_PAUSE_MS};
use mls_core::member::{
    Alarm, AlarmEvent, Command, Event, HoldPsk, Input, ProposeCommand, SettingsCommand, Wish,
};
use mls_core::store::Store;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId};

use crate::attacks::damage_commits;
use crate::network::World;
use crate::restarting::{make_admin, restart};
use crate::story::{ALICE, JULIET, ROMEO, four};

/// The node of who is left out.
pub(crate) const BOB: usize = 2;

/// How often a member was told that only others can bring it in again.
pub(crate) fn told(world: &World, index: usize) -> usize {
    let alarm = |event: &Event| {
        matches!(event, Event::Alarm(AlarmEvent { alarm: Alarm::ReAddNeeded(_), .. }))
    };
    world.count(index, alarm)
}

/// How often each of these commands has ended.
fn ended(world: &World, index: usize, ids: &[String]) -> Vec<usize> {
    let ends = |event: &Event, id: &String| match event {
        Event::CommandDone(done) => done.id == *id,
        Event::CommandFailed(failed) => failed.id == *id,
        _ => false,
    };
    ids.iter().map(|id| world.count(index, |event| ends(event, id))).collect()
}

fn change_settings(world: &mut World, index: usize, group: &GroupId) -> String {
    let settings = Settings { members_may_add: Some(true), ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    world.command(index, Command::ChangeSettings(command))
}

/// What waits for the group.
fn commands(world: &mut World, index: usize, group: &GroupId) -> Vec<String> {
    vec![
        world.say(index, group, "does anybody hear?"),
        world.command(index, Command::Rotate(group.clone())),
        change_settings(world, index, group),
    ]
}

/// Nobody can process a commit, and time passes until Bob has given up, or not.
pub(crate) fn stop_all(world: &mut World, group: &GroupId, given_up: bool) {
    damage_commits(world, 3);
    world.command(3, Command::Rotate(group.clone()));
    world.run();
    world.hub_tamper = Box::new(|_| ());
    world.pass(60);
    for _ in 0..3 * u64::from(given_up) {
        world.now_ms += REJOIN_PAUSE_MS;
        world.pass(5);
    }
    assert_eq!(told(world, BOB), usize::from(given_up));
}

/// Nobody can process a commit, and Bob finds no way back; he has no package when Alice restarts the
/// group. Where he has given up, that was before.
fn left_out(given_up: bool) -> (World, GroupId, GroupId) {
    let (mut world, group) = four();
    make_admin(&mut world, &group, BOB);
    world.tamper = Box::new(move |index, input| match input {
        Input::Answer(_, Ok(Answer::GroupInfo(info))) if given_up && index == BOB => {
            info.group_info = vec![7; 100].into();
            true
        }
        input => !matches!(input, Input::Answer(_, Ok(Answer::GroupInfo(_)))),
    });
    stop_all(&mut world, &group, given_up);
    let one_time = std::mem::take(&mut world.nodes[BOB].one_time);
    let last_resort = std::mem::take(&mut world.nodes[BOB].last_resort);
    let id = restart(&mut world, 0, &group);
    world.run();
    (world.nodes[BOB].one_time, world.nodes[BOB].last_resort) = (one_time, last_resort);
    world.tamper = Box::new(|_, _| true);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 3]);
    (world, group, next)
}

#[test]
fn every_command_of_who_could_not_follow_a_group_that_was_restarted_without_it_ends_once() {
    for variant in 0..8 {
        let [given_up, leaves, rejoins] = [1, 2, 4].map(|bit| variant & bit != 0);
        let (mut world, group, _) = left_out(given_up);
        let mut ids = commands(&mut world, BOB, &group);
        ids.push(world.remove(BOB, &group, 3));
        if leaves {
            ids.push(world.command(BOB, Command::Leave(group.clone())));
        }
        if rejoins {
            ids.push(world.command(BOB, Command::Rejoin(group.clone())));
        }
        world.run();
        world.pass((ENDED_WAIT_MS + 2 * REJOIN_PAUSE_MS) / 1000);
        // Nor does what is wanted of the group then wait.
        ids.extend(commands(&mut world, BOB, &group));
        world.run();
        assert_eq!(ended(&world, BOB, &ids), vec![1; ids.len()], "{variant}");
        ids.push(world.command(BOB, Command::Rejoin(group.clone())));
        world.pass((ENDED_WAIT_MS + 2 * REJOIN_PAUSE_MS) / 1000);
        assert_eq!(ended(&world, BOB, &ids), vec![1; ids.len()], "{variant}");
        assert_eq!(told(&world, BOB), 1, "{variant}: {:?}", world.warnings(BOB));
        let removed = world.count(BOB, |event| matches!(event, Event::Removed(_)));
        assert_eq!(removed, usize::from(leaves), "{variant}");
    }
}

#[test]
fn who_was_left_out_of_a_restart_is_in_the_new_group_only_when_it_is_invited() {
    for (given_up, waits_s) in [(false, 60), (false, ENDED_WAIT_MS / 1000 + 1200), (true, 60)] {
        let (mut world, group, next) = left_out(given_up);
        let ids = commands(&mut world, BOB, &group);
        world.run();
        world.pass(waits_s);
        let bob = world.user(BOB);
        let invite = world.invite(0, &next, vec![bob]);
        world.run();
        world.pass(120);
        world.assert_done(0, &invite);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        let groups = world.nodes[BOB].member.groups().unwrap();
        assert_eq!(groups.iter().map(|it| &it.group).collect::<Vec<_>>(), [&next]);
        assert_eq!(ended(&world, BOB, &ids), vec![1; ids.len()], "{given_up} {waits_s}");
        // By the name that it knew.
        world.say(BOB, &group, "here I am");
        world.run();
        world.assert_heard(&[0, 1, 2, 3], "here I am");
    }
}

#[test]
fn who_was_left_out_of_a_restart_and_is_added_by_somebody_who_was_no_admin_is_told_what_helps() {
    let (mut world, _, next) = left_out(false);
    let bob = world.user(BOB);
    change_settings(&mut world, 0, &next);
    world.run();
    world.invite(3, &next, vec![bob.clone()]);
    world.run();
    world.pass(600);
    let warnings = world.warnings(BOB);
    let told = "an admin of it has to remove this device there, and invite it again";
    assert!(warnings.iter().any(|warning| warning.ends_with(told)), "{warnings:?}");
    world.remove(0, &next, BOB);
    world.run();
    world.invite(0, &next, vec![bob]);
    world.run();
    world.pass(120);
    world.assert_agree(&next, &[0, 1, 2, 3]);
}

#[test]
fn a_key_that_may_have_been_missing_is_kept_also_by_who_has_given_up() {
    let (mut world, group, _) = left_out(true);
    let (id, secret) = (b"summer".to_vec(), vec![7; 32].into());
    let held = world.command(BOB, Command::HoldPsk(HoldPsk { group, id: id.clone(), secret }));
    world.run();
    assert!(world.failure(BOB, &held).contains("the key is kept"));
    assert!(world.nodes[BOB].store.get("psk", &id).unwrap().is_some());
}

/// Somebody on the way says for a minute that the group has ended, when node 2 asks for its way back.
fn forge_an_end(world: &mut World, group: &GroupId) {
    world.tamper = Box::new(|index, input| {
        if let (2, Input::Answer(_, answer @ Ok(Answer::GroupInfo(_)))) = (index, input) {
            *answer = Err(Refusal::Gone);
        }
        true
    });
    world.pass(60);
    assert_ne!(world.epoch(2, group), world.epoch(0, group));
    world.tamper = Box::new(|_, _| true);
    world.pass(120);
    world.assert_agree(group, &[0, 1, 2]);
}

#[test]
fn that_a_group_has_ended_counts_for_nothing_once_its_hub_has_let_the_device_in() {
    let (mut world, group) = World::group(&[ALICE, ROMEO, JULIET]);
    damage_commits(&mut world, 1);
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.hub_tamper = Box::new(|_| ());
    forge_an_end(&mut world, &group);
    world.pass(ENDED_WAIT_MS / 1000);
    world.lose(2, &["group_state", "epoch", "journal"]);
    world.say(2, &group, "am I here?");
    forge_an_end(&mut world, &group);
    world.assert_heard(&[0, 1, 2], "am I here?");
    assert_eq!(told(&world, 2), 0);
}

#[test]
fn who_had_only_found_a_group_that_has_ended_looks_for_the_next_one_at_once() {
    let (mut world, group) = four();
    let room = world.nodes[BOB].member.groups().unwrap()[0].rooms[0].clone();
    world.lose(BOB, &["group_state", "epoch", "journal", "group_record", "room"]);
    // He hears neither of his way in nor of the restart.
    world.tamper = Box::new(|index, input| match input {
        Input::Answer(_, Ok(Answer::GroupInfo(_))) => index != BOB,
        Input::Answer(_, Ok(Answer::Welcomes(answer))) if index == BOB => {
            answer.welcomes.clear();
            true
        }
        _ => true,
    });
    world.give(BOB, Input::Connected);
    world.give(BOB, Input::RoomJoined(room));
    world.pass(70);
    let id = restart(&mut world, 0, &group);
    world.run();
    let next = world.group_of(0, &id);
    world.tamper = Box::new(|index, input| {
        if let (BOB, Input::Answer(_, Ok(Answer::Welcomes(answer)))) = (index, input) {
            answer.welcomes.clear();
        }
        true
    });
    world.pass((ENDED_WAIT_MS + REJOIN_PAUSE_MS) / 1000);
    world.assert_agree(&next, &[0, 1, 2, 3]);
}

/// Alice restarts a group while Bob, who follows it, has no key package.
fn leave_bob_out() -> (World, GroupId, GroupId) {
    let (mut world, group) = four();
    let one_time = std::mem::take(&mut world.nodes[BOB].one_time);
    let last_resort = std::mem::take(&mut world.nodes[BOB].last_resort);
    let id = restart(&mut world, 0, &group);
    world.run();
    (world.nodes[BOB].one_time, world.nodes[BOB].last_resort) = (one_time, last_resort);
    world.pass(120);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 3]);
    (world, group, next)
}

fn wanted_of(world: &mut World, group: &GroupId, rejoins: bool) -> Vec<String> {
    let propose = ProposeCommand { group: group.clone(), wish: Wish::Update };
    let mut ids = vec![
        world.command(BOB, Command::Propose(propose)),
        world.command(BOB, Command::Rotate(group.clone())),
        world.say(BOB, group, "does anybody hear?"),
    ];
    if rejoins {
        ids.push(world.command(BOB, Command::Rejoin(group.clone())));
    }
    ids
}

#[test]
fn who_follows_a_group_and_is_left_out_of_its_restart_is_told_so_and_no_command_waits_for_ever() {
    for rejoins in [false, true] {
        let (mut world, group, next) = leave_bob_out();
        for times in [1, 2] {
            let ids = wanted_of(&mut world, &group, rejoins);
            world.pass(ENDED_WAIT_MS / 1000 / times + 200);
            for id in &ids {
                let why = world.failure(BOB, id);
                assert!(why.contains("nobody took this device along"), "{why}");
            }
            assert_eq!(told(&world, BOB), 1, "{:?}", world.warnings(BOB));
            world.restart(BOB);
        }
        let bob = world.user(BOB);
        let invite = world.invite(0, &next, vec![bob]);
        world.pass(120);
        world.assert_done(0, &invite);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        world.say(BOB, &group, "here I am");
        world.run();
        world.assert_heard(&[0, 1, 2, 3], "here I am");
    }
}

#[test]
fn what_is_wanted_by_who_is_taken_along_late_goes_on_in_what_follows() {
    for rejoins in [false, true] {
        let (mut world, group, next) = leave_bob_out();
        let ids = wanted_of(&mut world, &group, rejoins);
        world.pass(ENDED_WAIT_MS / 2000);
        let bob = world.user(BOB);
        let invite = world.invite(0, &next, vec![bob]);
        world.pass(120);
        world.assert_done(0, &invite);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        ids.iter().for_each(|id| world.assert_done(BOB, id));
        world.assert_heard(&[0, 1, 2, 3], "does anybody hear?");
        assert_eq!(told(&world, BOB), 0);
    }
}

#[test]
fn that_a_group_has_ended_counts_for_nothing_once_it_goes_on() {
    for waits_s in [120, ENDED_WAIT_MS / 1000 + 200] {
        let (mut world, group) = World::group(&[ALICE, ROMEO, JULIET]);
        // Somebody on the way says to node 1 that the group has ended.
        world.tamper = Box::new(|index, input| match (index, &mut *input) {
            (
                1,
                Input::Answer(_, answer @ (Ok(Answer::Receipt(_)) | Err(Refusal::WrongEpoch(_)))),
            ) => {
                *answer = Err(Refusal::Gone);
                true
            }
            (1, Input::Notice(_) | Input::Answer(_, Ok(Answer::Handshakes(_)))) => false,
            _ => true,
        });
        world.command(1, Command::Rotate(group.clone()));
        world.pass(waits_s);
        let waits = waits_s < ENDED_WAIT_MS / 1000;
        assert_eq!(told(&world, 1), usize::from(!waits));
        world.tamper = Box::new(|_, _| true);
        world.say(1, &group, "and on");
        world.pass(200);
        world.assert_heard(&[0, 1, 2], "and on");
        world.assert_agree(&group, &[0, 1, 2]);
    }
}
