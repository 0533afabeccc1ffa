//! Branching: some members of a group make another one in rooms of its own, and its secret shows that
//! they are members of the first.

use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::group_settings::Settings;
use mls_core::hub;
use mls_core::identity::TrustAnchor;
use mls_core::member::{BranchCommand, Command, Event, Input, SettingsCommand};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::welcome::Resumed;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use mls_rs::ExtensionList;
use mls_rs_codec::{MlsDecode, MlsEncode};

use crate::network::{Restarts, Task, World};
use crate::story::four;

const BOTH: (bool, bool) = (true, true);

pub(crate) fn branch(world: &mut World, index: usize, parent: &GroupId, with: &[usize]) -> String {
    branch_in(world, index, parent, with, BOTH)
}

fn branch_in(
    world: &mut World,
    index: usize,
    parent: &GroupId,
    with: &[usize],
    (matrix, xmpp): (bool, bool),
) -> String {
    let users = with.iter().map(|other| world.user(*other)).collect();
    let rooms = CreateRoom { matrix, xmpp, name: "Mantua".to_owned() };
    world.command(index, Command::Branch(BranchCommand { parent: parent.clone(), users, rooms }))
}

/// The parent that each of these members names for the branch.
pub(crate) fn parents(world: &World, members: &[usize], branch: &GroupId) -> Vec<Option<GroupId>> {
    let parent = |index: &usize| {
        let groups = world.nodes[*index].member.groups().unwrap();
        let found = groups.into_iter().find(|group| group.group == *branch);
        found.and_then(|group| group.branched_from)
    };
    members.iter().map(parent).collect()
}

/// A commit in the parent by one of its members.
pub(crate) fn go_on(world: &mut World, index: usize, parent: &GroupId) {
    let id = world.command(index, Command::Rotate(parent.clone()));
    world.run();
    world.assert_done(index, &id);
}

#[test]
fn members_make_a_branch_and_both_groups_live_on_side_by_side() {
    let (mut world, parent) = four();
    // Bob is no admin: everybody may branch.
    let id = branch(&mut world, 2, &parent, &[3]);
    world.run();
    world.pass(60);
    let made = world.group_of(2, &id);
    world.assert_agree(&made, &[2, 3]);
    world.assert_agree(&parent, &[0, 1, 2, 3]);
    assert_eq!(parents(&world, &[2, 3], &made), [Some(parent.clone()), Some(parent.clone())]);
    for (index, group, text) in [(2, &made, "us two"), (3, &made, "yes"), (3, &parent, "all")] {
        world.say(index, group, text);
        world.run();
    }
    world.assert_heard(&[2, 3], "us two");
    world.assert_heard(&[2, 3], "yes");
    world.assert_heard(&[0, 1, 2, 3], "all");
    for outside in [0, 1] {
        assert!(world.heard(outside).iter().all(|text| text.ends_with("all")));
    }
    let joined = |event: &Event| match event {
        Event::Joined(joined) => joined.branched_from.as_ref() == Some(&parent),
        _ => false,
    };
    assert_eq!((world.count(2, joined), world.count(3, joined)), (1, 1));
}

#[test]
fn the_other_devices_of_the_maker_come_along_and_later_somebody_is_invited() {
    let (mut world, parent) = four();
    let id = branch(&mut world, 0, &parent, &[3]);
    world.run();
    let made = world.group_of(0, &id);
    world.assert_agree(&made, &[0, 1, 3]);
    let bob = world.user(2);
    let invite = world.invite(0, &made, vec![bob]);
    world.run();
    world.assert_done(0, &invite);
    world.assert_agree(&made, &[0, 1, 2, 3]);
    // He came by an invitation, which proves nothing about the parent.
    assert_eq!(parents(&world, &[1, 2], &made), [Some(parent), None]);
}

#[test]
fn a_branch_that_would_take_other_credentials_than_its_parent_is_not_entered() {
    let (mut world, parent) = four();
    world.tamper = Box::new(|index, input| {
        let Input::Answer(_, Ok(Answer::Welcomes(answer))) = input else { return true };
        for welcome in answer.welcomes.iter_mut().filter(|_| index == 3) {
            let Some(Resumed::Parent(parent)) = &mut welcome.resumes else { continue };
            let mut extensions = ExtensionList::mls_decode(&mut &*parent.extensions).unwrap();
            let mut bound = BridgeGroup::from_extensions(&extensions).unwrap();
            let (domain, certificate) = ("example.net".to_owned(), b"another".to_vec());
            bound.anchors.0.push(TrustAnchor { domain, certificate });
            extensions.set_from(bound).unwrap();
            parent.extensions = extensions.mls_encode_to_vec().unwrap();
        }
        true
    });
    let id = branch(&mut world, 2, &parent, &[3]);
    world.run();
    world.pass(60);
    let made = world.group_of(2, &id);
    assert_eq!(parents(&world, &[3], &made), [None]);
    let warnings = world.warnings(3).join("; ");
    assert!(warnings.contains("takes the credentials"), "{warnings}");
}

#[test]
fn a_branch_survives_restarts_of_every_member() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, parent) = four();
        world.restarts = restarts;
        let id = branch(&mut world, 0, &parent, &[2, 3]);
        world.run();
        world.pass(60);
        let made = world.group_of(0, &id);
        world.assert_agree(&made, &[0, 1, 2, 3]);
        world.say(3, &made, "well");
        world.run();
        world.assert_heard(&[0, 1, 2, 3], "well");
        assert!(parents(&world, &[0, 1, 2, 3], &made).iter().all(|p| *p == Some(parent.clone())));
    }
}

#[test]
fn who_was_away_while_the_parent_went_on_comes_in_by_the_secret_of_the_past_epoch() {
    let (mut world, parent) = four();
    world.nodes[3].away = true;
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    let made = world.group_of(0, &id);
    for index in [0, 1, 2, 0, 1, 2] {
        go_on(&mut world, index, &parent);
    }
    let epoch = world.epoch(2, &made);
    world.come_back(3);
    world.run();
    world.pass(60);
    world.assert_agree(&made, &[0, 1, 2, 3]);
    assert_eq!(world.epoch(3, &made), epoch);
    world.say(2, &made, "welcome back");
    world.run();
    world.assert_heard(&[3], "welcome back");
    assert_eq!(parents(&world, &[3], &made), [Some(parent)]);
}

#[test]
fn a_welcome_that_comes_after_the_parent_has_gone_on_needs_no_commit_in_the_branch() {
    let (mut world, parent) = four();
    world.tamper = Box::new(|index, input| {
        let held = matches!(input, Input::Notice(Notice::WelcomeWaiting(_)));
        !(index == 3 && held)
    });
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    let made = world.group_of(0, &id);
    go_on(&mut world, 3, &parent);
    go_on(&mut world, 3, &parent);
    let epoch = world.epoch(2, &made).unwrap();
    world.tamper = Box::new(|_, _| true);
    world.give(3, Input::Connected);
    world.run();
    world.assert_agree(&made, &[0, 1, 2, 3]);
    assert_eq!(world.epoch(3, &made), Some(epoch));
    assert_eq!(parents(&world, &[3], &made), [Some(parent)]);
}

#[test]
fn a_device_without_the_secret_comes_in_by_its_leaf_and_names_no_parent() {
    let (mut world, parent) = four();
    world.nodes[3].away = true;
    let id = branch(&mut world, 0, &parent, &[3]);
    world.run();
    let made = world.group_of(0, &id);
    // What the hub says of the epoch is another one, far behind: as long as past epochs are kept.
    world.tamper = Box::new(|_, input| {
        if let Input::Answer(_, Ok(Answer::Welcomes(welcomes))) = input {
            for welcome in &mut welcomes.welcomes {
                if let Some(Resumed::Parent(parent)) = &mut welcome.resumes {
                    parent.epoch = 0;
                }
            }
        }
        true
    });
    world.come_back(3);
    world.run();
    world.pass(120);
    world.assert_agree(&made, &[0, 1, 3]);
    assert_eq!(parents(&world, &[0, 3], &made), [Some(parent), None]);
}

#[test]
fn a_branch_that_meets_a_commit_of_its_parent_is_made_anew() {
    let (mut world, parent) = four();
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    let registers = |world: &World| {
        world.queue.iter().position(|task| match task {
            Task::ToHub(hub::Input::Request(r)) => matches!(r.request, Request::RegisterBranch(_)),
            _ => false,
        })
    };
    while registers(&world).is_none() {
        assert!(world.step());
    }
    // Juliet's commit is at the hub before it.
    let registration = registers(&world).and_then(|at| world.queue.remove(at)).unwrap();
    let rotate = world.command(3, Command::Rotate(parent.clone()));
    while world.epoch(3, &parent) == world.epoch(0, &parent) {
        assert!(world.step());
    }
    world.queue.push_front(registration);
    world.run();
    world.assert_done(3, &rotate);
    let made = world.group_of(0, &id);
    world.assert_agree(&made, &[0, 1, 2, 3]);
    assert!(parents(&world, &[0, 1, 2, 3], &made).iter().all(|p| *p == Some(parent.clone())));
}

#[test]
fn a_branch_whose_context_the_hub_misstates_is_not_entered() {
    let (mut world, parent) = four();
    world.tamper = Box::new(|index, input| {
        if let (3, Input::Answer(_, Ok(Answer::Welcomes(welcomes)))) = (index, input) {
            for welcome in &mut welcomes.welcomes {
                if let Some(Resumed::Parent(parent)) = &mut welcome.resumes {
                    // One of the letters of a room's name.
                    let name = parent.extensions.windows(4).position(|at| at == b"muc.").unwrap();
                    parent.extensions[name - 2] ^= 1;
                }
            }
        }
        true
    });
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    world.pass(60);
    let made = world.group_of(0, &id);
    assert_eq!(world.epoch(3, &made), None);
    world.assert_agree(&parent, &[0, 1, 2, 3]);
}

#[test]
fn what_cannot_be_branched_is_refused_with_a_reason() {
    let (mut world, parent) = four();
    let romeo = world.add("romeo@x.org", "8899aabbccddeeff");
    world.run();
    let refused = [
        (branch(&mut world, 0, &parent, &[romeo]), "not in the group"),
        (branch_in(&mut world, 0, &parent, &[3], (true, false)), "needs a room on xmpp"),
        (branch_in(&mut world, 0, &parent, &[2], (false, true)), "your own network"),
    ];
    world.run();
    for (id, why) in refused {
        let said = world.failure(0, &id);
        assert!(said.contains(why), "{said}");
    }
    world.nodes[2].one_time.clear();
    world.nodes[2].last_resort.clear();
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    let made = world.group_of(0, &id);
    world.assert_agree(&made, &[0, 1, 3]);
    assert!(world.warnings(0).iter().any(|text| text.contains("bob")), "{:?}", world.warnings(0));
}

#[test]
fn a_group_that_its_room_orders_has_no_branches() {
    let (mut world, _) = four();
    let rooms = CreateRoom { matrix: true, xmpp: false, name: "Verona".to_owned() };
    let id = world.command(0, Command::CreateGroup(rooms));
    world.run();
    let parent = world.group_of(0, &id);
    let bob = world.user(2);
    world.invite(0, &parent, vec![bob]);
    world.run();
    let settings = Settings { order: Some(Order::Room), ..Settings::default() };
    let command = SettingsCommand { group: parent.clone(), settings };
    world.command(0, Command::ChangeSettings(command));
    world.run();
    let id = branch_in(&mut world, 0, &parent, &[2], (true, false));
    world.run();
    assert!(world.failure(0, &id).contains("without a hub"));
}

#[test]
fn who_is_behind_the_parent_follows_it_first() {
    let (mut world, parent) = four();
    world.tamper = Box::new(|index, input| {
        !(index == 3 && matches!(input, Input::Notice(Notice::Handshake(_))))
    });
    go_on(&mut world, 0, &parent);
    go_on(&mut world, 2, &parent);
    assert_ne!(world.epoch(3, &parent), world.epoch(0, &parent));
    let id = branch(&mut world, 0, &parent, &[2, 3]);
    world.run();
    let made = world.group_of(0, &id);
    world.assert_agree(&made, &[0, 1, 2, 3]);
    assert_eq!(parents(&world, &[3], &made), [Some(parent)]);
}

#[test]
fn the_makers_leaf_leaves_the_key_of_the_parent_with_its_first_message() {
    let (mut world, parent) = four();
    world.say(2, &parent, "now with a key of this group");
    world.run();
    let key = |world: &World, group: &GroupId| {
        let groups = world.nodes[3].member.groups().unwrap();
        let group = groups.into_iter().find(|found| found.group == *group).unwrap();
        let bob = world.nodes[2].client.clone();
        group.members.into_iter().find(|member| member.client == bob).unwrap().signature_key
    };
    let in_parent = key(&world, &parent);
    assert_ne!(in_parent, world.nodes[2].member.signature_key());
    let id = branch(&mut world, 2, &parent, &[3]);
    world.run();
    let made = world.group_of(2, &id);
    world.assert_agree(&made, &[2, 3]);
    assert_eq!(key(&world, &made), in_parent);
    world.say(2, &made, "between us");
    world.run();
    world.assert_heard(&[2, 3], "between us");
    assert_ne!(key(&world, &made), in_parent);
    assert_eq!(key(&world, &parent), in_parent);
}
