//! Restart: an admin puts a new group into the place of one that cannot be healed.

use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::limits::PROOF_WAIT_MS;
use mls_core::member::{Command, Event, Input, Restarted, SettingsCommand};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use crate::attacks::damage_commits;
use crate::network::{Restarts, Task, World};
use crate::story::{ALICE, BOB, JULIET, ROMEO, four};

pub(crate) fn restart(world: &mut World, index: usize, group: &GroupId) -> String {
    world.command(index, Command::Restart(group.clone()))
}

/// What a member was told of restarts.
fn told(world: &World, index: usize) -> Vec<Restarted> {
    let restarted = |event: &Event| match event {
        Event::Restarted(restarted) => Some(restarted.clone()),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(restarted).collect()
}

pub(crate) fn make_admin(world: &mut World, group: &GroupId, other: usize) {
    let settings = Settings { admins_add: vec![world.user(other)], ..Settings::default() };
    let command = SettingsCommand { group: group.clone(), settings };
    let done = world.command(0, Command::ChangeSettings(command));
    world.run();
    world.assert_done(0, &done);
}

#[test]
fn everybody_is_in_one_new_group_and_the_name_of_the_old_one_means_it() {
    let (mut world, group) = four();
    make_admin(&mut world, &group, 2);
    let id = restart(&mut world, 0, &group);
    world.run();
    world.pass(30);
    let next = world.group_of(0, &id);
    assert_ne!(next, group);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    for index in 0..4 {
        let told = told(&world, index);
        assert_eq!(told.len(), 1, "{index}: {told:?}, {:?}", world.warnings(index));
        assert_eq!((&told[0].group, &told[0].successor), (&group, &next));
        assert_eq!(told[0].by, world.nodes[0].client);
        assert_eq!((&told[0].changed, &told[0].unknown), (&vec![], &vec![]), "{index}");
        let groups = world.nodes[index].member.groups().unwrap();
        assert_eq!(groups.len(), 1, "{index} still shows the former group");
        let text = format!("from {index}");
        world.say(index, &group, &text);
        world.run();
        world.assert_heard(&[0, 1, 2, 3], &text);
    }
    // The roles are those of before, and the new group can be restarted as well.
    let id = restart(&mut world, 2, &next);
    world.run();
    world.pass(30);
    let third = world.group_of(2, &id);
    world.assert_agree(&third, &[0, 1, 2, 3]);
    // A name from before still leads there, and restarts nothing.
    let again = restart(&mut world, 2, &next);
    world.run();
    assert_eq!(world.group_of(2, &again), third);
}

#[test]
fn a_restart_survives_restarts_of_every_member() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = four();
        world.restarts = restarts;
        let id = restart(&mut world, 0, &group);
        world.run();
        world.pass(120);
        let next = world.group_of(0, &id);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        for index in [1, 2, 3] {
            world.say(index, &next, &format!("well {index}"));
        }
        world.run();
        world.pass(60);
        for index in [1, 2, 3] {
            world.assert_heard(&[0, 1, 2, 3], &format!("well {index}"));
        }
    }
}

#[test]
fn a_restart_amid_messages_and_commits_ends_in_one_group() {
    for seed in 1..12 {
        let (mut world, group) = four();
        world.shuffled = Some(seed);
        world.doubled = seed % 2 == 0;
        let mut commands = Vec::new();
        for index in 0..4 {
            world.say(index, &group, &format!("first {index}"));
            commands.push((index, world.command(index, Command::Rotate(group.clone()))));
        }
        let id = restart(&mut world, 0, &group);
        world.run();
        world.pass(120);
        let next = world.group_of(0, &id);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        for (index, id) in commands {
            world.assert_done(index, &id);
        }
        for index in 0..4 {
            let text = format!("second {index}");
            world.say(index, &group, &text);
            world.run();
            world.assert_heard(&[0, 1, 2, 3], &text);
        }
    }
}

#[test]
fn of_two_admins_who_restart_at_once_one_wins_and_the_other_is_added() {
    for seed in 1..12 {
        let (mut world, group) = four();
        make_admin(&mut world, &group, 2);
        world.shuffled = Some(seed);
        let ids = [(0, restart(&mut world, 0, &group)), (2, restart(&mut world, 2, &group))];
        world.run();
        world.pass(120);
        let done = |(index, id): &&(usize, String)| {
            matches!(world.result(*index, id), Some(Event::CommandDone(_)))
        };
        let (winner, id) = ids.iter().find(done).expect("nobody restarted the group");
        let next = world.group_of(*winner, id);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        for (index, id) in &ids {
            match world.result(*index, id) {
                Some(Event::CommandDone(done)) => assert_eq!(done.group, Some(next.clone())),
                Some(Event::CommandFailed(failed)) => {
                    assert!(failed.why.contains("somebody else"), "{}", failed.why);
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(told(&world, *index).len(), 1);
        }
        world.say(2, &next, "together");
        world.run();
        world.assert_heard(&[0, 1, 2, 3], "together");
    }
}

#[test]
fn only_an_admin_restarts_a_group() {
    let (mut world, group) = four();
    let id = restart(&mut world, 2, &group);
    world.run();
    assert!(world.failure(2, &id).contains("only an admin"));
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn who_came_while_the_restart_was_on_its_way_to_the_hub_is_in_the_new_group() {
    let (mut world, group) = four();
    make_admin(&mut world, &group, 2);
    let (account, device) = ROMEO;
    let romeo = world.add(account, device);
    world.run();
    let id = restart(&mut world, 0, &group);
    let is_registration = |task: &Task| match task {
        Task::ToHub(hub::Input::Request(r)) => matches!(r.request, Request::RegisterGroup(_)),
        _ => false,
    };
    world.step();
    let place = world.queue.iter().position(is_registration).unwrap();
    let on_its_way = world.queue.remove(place);
    let invite = world.invite(2, &group, vec![world.user(romeo)]);
    world.run();
    world.assert_done(2, &invite);
    world.queue.extend(on_its_way);
    world.run();
    world.pass(30);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 2, 3, romeo]);
}

#[test]
fn a_group_whose_commit_nobody_can_process_is_restarted_by_an_admin() {
    let (mut world, group) = four();
    // Nobody finds a way back either.
    world.tamper =
        Box::new(|_, input| !matches!(input, Input::Answer(_, Ok(Answer::GroupInfo(_)))));
    damage_commits(&mut world, 2);
    world.command(2, Command::Rotate(group.clone()));
    world.run();
    world.hub_tamper = Box::new(|_| ());
    world.pass(60);
    let waiting = world.say(3, &group, "do you hear me?");
    let own = world.say(0, &group, "not yet");
    world.pass(5);
    assert_eq!((world.result(3, &waiting), world.result(0, &own)), (None, None));
    let id = restart(&mut world, 0, &group);
    world.run();
    world.pass(60);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    world.assert_done(3, &waiting);
    world.assert_heard(&[0, 1, 2, 3], "do you hear me?");
    // What the admin had to say waited until everybody was there.
    world.assert_heard(&[0, 1, 2, 3], "not yet");
}

#[test]
fn who_was_being_invited_is_invited_into_the_new_group() {
    let mut world = World::new(&[ALICE, BOB, JULIET, ROMEO]);
    let group = world.found(0);
    let users = [1, 2].map(|index| world.user(index)).to_vec();
    world.invite(0, &group, users);
    world.run();
    let romeo = world.user(3);
    let invite = world.invite(0, &group, vec![romeo]);
    // A key package is claimed for the former group, which is of no use in another.
    let id = restart(&mut world, 0, &group);
    world.run();
    world.pass(30);
    let next = world.group_of(0, &id);
    world.assert_done(0, &invite);
    world.assert_agree(&next, &[0, 1, 2, 3]);
}

#[test]
fn a_restart_by_somebody_who_was_no_admin_here_is_refused_and_people_are_told() {
    let (mut world, group) = four();
    let no_news = |index: usize| {
        move |to: usize, input: &mut Input| {
            let news = matches!(
                input,
                Input::Notice(Notice::Handshake(_)) | Input::Answer(_, Ok(Answer::Handshakes(_)))
            );
            to != index || !news
        }
    };
    world.tamper = Box::new(no_news(3));
    make_admin(&mut world, &group, 2);
    let id = restart(&mut world, 2, &group);
    world.run();
    world.pass(30);
    world.group_of(2, &id);
    // It may be that the hub has more to tell.
    assert!(!world.warnings(3).iter().any(|text| text.contains("was no admin")));
    world.now_ms += PROOF_WAIT_MS;
    world.pass(30);
    let warned = world.warnings(3);
    assert!(warned.iter().any(|text| text.contains("was no admin")), "{warned:?}");
    assert_eq!(told(&world, 3), []);
    assert_eq!(world.nodes[3].member.groups().unwrap()[0].group, group);
}

#[test]
fn keys_that_are_others_than_in_the_former_group_are_told_unless_an_authority_vouches() {
    // Of a domain without an authority.
    let stranger = ("@tybalt:elsewhere.org", "PHONE");
    let (mut world, group) = World::group(&[ALICE, BOB, stranger, JULIET]);
    // What restarts a group has its own key there, which the others know.
    for index in [0, 1, 2] {
        let id = world.command(index, Command::ChangeKey(group.clone()));
        world.run();
        world.assert_done(index, &id);
    }
    let id = restart(&mut world, 0, &group);
    world.run();
    world.pass(30);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    let stranger = world.nodes[2].client.clone();
    let warned = |text: &&String| text.contains("another key");
    let warnings = world.warnings(0);
    let warned: Vec<_> = warnings.iter().filter(warned).collect();
    assert!(warned.len() == 1 && warned[0].contains(stranger.as_str()), "{warned:?}");
    assert_eq!(told(&world, 3)[0].changed, [stranger]);
}

#[test]
fn who_was_away_or_lost_the_group_comes_into_the_new_one() {
    let (mut world, group) = four();
    world.nodes[3].away = true;
    world.nodes[1].away = true;
    let id = restart(&mut world, 0, &group);
    world.run();
    let next = world.group_of(0, &id);
    world.say(2, &next, "where are you?");
    world.run();
    for index in [1, 3] {
        world.come_back(index);
        world.run();
    }
    world.pass(60);
    world.assert_agree(&next, &[0, 1, 2, 3]);
    world.assert_heard(&[1, 3], "where are you?");
}

#[test]
fn who_left_before_is_not_brought_back() {
    let (mut world, group) = four();
    damage_commits(&mut world, 2);
    let juliet = world.user(3);
    let rooms: Vec<_> = world.inside.keys().cloned().collect();
    // The removal waits for a commit that nobody makes.
    for room in rooms {
        world.leave_room(&room, &juliet);
    }
    while world.step() {
        world.queue.retain(|task| !task.is_commit());
    }
    let id = restart(&mut world, 0, &group);
    world.hub_tamper = Box::new(|_| ());
    world.run();
    world.pass(30);
    let next = world.group_of(0, &id);
    world.assert_agree(&next, &[0, 1, 2]);
}

#[test]
fn who_was_on_its_way_into_a_group_that_is_restarted_again_is_in_the_last_one_only() {
    let (mut world, group) = four();
    // Bob cannot be taken into the next group, and hears nothing of his way into it.
    let one_time = std::mem::take(&mut world.nodes[2].one_time);
    let last_resort = std::mem::take(&mut world.nodes[2].last_resort);
    world.tamper = Box::new(|index, input| {
        !(index == 2 && matches!(input, Input::Answer(_, Err(Refusal::NotAllowed(_)))))
    });
    let first = restart(&mut world, 0, &group);
    world.run();
    let between = world.group_of(0, &first);
    world.assert_agree(&between, &[0, 1, 3]);
    let rooms = world.nodes[0].member.groups().unwrap()[0].rooms.clone();
    let own = rooms.into_iter().find(|room| room.network == world.user(2).network()).unwrap();
    world.command(2, Command::Join(own));
    world.run();
    (world.nodes[2].one_time, world.nodes[2].last_resort) = (one_time, last_resort);
    let second = restart(&mut world, 0, &between);
    world.run();
    let last = world.group_of(0, &second);
    let bob = world.user(2);
    let invite = world.invite(0, &last, vec![bob]);
    world.run();
    world.assert_done(0, &invite);
    world.assert_agree(&last, &[0, 1, 2, 3]);
    assert_eq!(world.nodes[2].member.groups().unwrap().len(), 1);
    world.say(0, &last, "here we all are");
    world.run();
    world.assert_heard(&[0, 1, 2, 3], "here we all are");
}

#[test]
fn who_comes_by_command_into_a_group_that_replaces_its_own_is_in_that_only() {
    for times in [1, 2] {
        let (mut world, group) = four();
        world.tamper = Box::new(|index, input| {
            if let (3, Input::Answer(_, Ok(Answer::Welcomes(answer)))) = (index, input) {
                answer.welcomes.clear();
            }
            true
        });
        let mut next = group;
        for _ in 0..times {
            let id = restart(&mut world, 0, &next);
            world.run();
            next = world.group_of(0, &id);
        }
        let rooms = world.nodes[0].member.groups().unwrap()[0].rooms.clone();
        let own = rooms.into_iter().find(|room| room.network == world.user(3).network()).unwrap();
        let join = world.command(3, Command::Join(own));
        world.run();
        assert_eq!(world.group_of(3, &join), next);
        world.assert_agree(&next, &[0, 1, 2, 3]);
        assert_eq!(world.nodes[3].member.groups().unwrap().len(), 1, "{times}");
        assert_eq!(told(&world, 3).len(), 1);
    }
}
