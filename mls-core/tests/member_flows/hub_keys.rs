//! A hub gets new keys, and groups go on with them, by the old ones' word.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::address::RoomAddress;
use mls_core::limits::DAY_MS;
use mls_core::member::{Command, Input};
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET, ROMEO};

impl World {
    /// The hub replaces its keys and is started again.
    pub(crate) fn replace_hub_keys(&mut self) {
        let writes = self.hub.replace_keys().unwrap();
        self.hub_store.apply(&writes);
        self.hub_writes.extend(writes);
        self.restart_hub();
    }

    /// Everybody connects anew, a day later.
    fn next_day(&mut self) {
        self.now_ms += DAY_MS + 1000;
        for index in 0..self.nodes.len() {
            if !self.nodes[index].away {
                self.give(index, Input::Connected);
            }
        }
        self.run();
        self.pass(120);
    }
}

fn talk(world: &mut World, group: &GroupId, members: &[usize], word: &str) {
    for index in members {
        world.say(*index, group, &format!("{word} {index}"));
        world.run();
    }
    world.pass(5);
    for index in members {
        for other in members {
            let text = format!("{word} {other}");
            let heard = world.heard(*index).iter().filter(|t| t.ends_with(&text)).count();
            assert_eq!(heard, 1, "{index}, {text}: {:?}", world.warnings(*index));
        }
    }
}

#[test]
fn a_group_takes_the_hubs_new_keys_and_everything_goes_on() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET, ROMEO], &[1, 2]);
    talk(&mut world, &group, &[0, 1, 2], "before");
    let before = world.epoch(0, &group).unwrap();
    world.replace_hub_keys();
    // Under the old keys, as long as nobody has heard of the new ones.
    talk(&mut world, &group, &[0, 1, 2], "still");
    let second = world.found(1);
    world.next_day();
    talk(&mut world, &second, &[1], "alone");
    assert!(world.epoch(1, &group).unwrap() > before, "{:?}", world.warnings(0));
    for index in [0, 1, 2] {
        let told = world.warnings(index);
        assert!(told.iter().any(|w| w.contains("for which its old one has signed")), "{told:?}");
    }
    talk(&mut world, &group, &[0, 1, 2], "after");
    // What the hub signs and proposes now is by its new keys: a newcomer, a return, a removal.
    let romeo = world.user(3);
    let invite = world.invite(0, &group, vec![romeo]);
    world.run();
    world.assert_done(0, &invite);
    let rejoin = world.command(2, Command::Rejoin(group.clone()));
    world.run();
    world.assert_done(2, &rejoin);
    let leave = world.command(1, Command::Leave(group.clone()));
    world.run();
    world.pass(120);
    world.assert_done(1, &leave);
    world.assert_agree(&group, &[0, 2, 3]);
    talk(&mut world, &group, &[0, 2, 3], "in the end");
    world.restart_hub();
    talk(&mut world, &group, &[0, 2, 3], "and after a restart");
}

#[test]
fn who_was_away_while_the_keys_were_replaced_twice_follows() {
    let (mut world, group) = World::group_with(&[ALICE, BOB, JULIET], &[1, 2]);
    talk(&mut world, &group, &[0, 1, 2], "before");
    world.nodes[2].away = true;
    for _ in 0..2 {
        world.replace_hub_keys();
        world.next_day();
    }
    world.come_back(2);
    world.run();
    world.next_day();
    world.assert_agree(&group, &[0, 1, 2]);
    talk(&mut world, &group, &[0, 1, 2], "together again");
}

#[test]
fn another_key_without_the_old_ones_word_is_not_believed() {
    let (mut world, group) = World::group_with(&[ALICE, BOB], &[1]);
    // Whoever had to renew a leaf has done so.
    world.next_day();
    let epoch = world.epoch(0, &group);
    let forged: [fn(&mut Answer); 2] = [
        |answer| {
            if let Answer::HubInfo(info) = answer {
                info.former.clear();
            }
        },
        |answer| {
            if let Answer::HubInfo(info) = answer {
                info.receipt_key[0] ^= 1;
            }
        },
    ];
    world.replace_hub_keys();
    for forge in forged {
        world.tamper = Box::new(move |_, input| {
            if let Input::Answer(_, Ok(answer)) = input {
                forge(answer);
            }
            true
        });
        world.next_day();
        assert!(world.warnings(0).iter().any(|w| w.contains("it is not believed")));
        assert_eq!(world.epoch(0, &group), epoch, "the group was changed for it");
    }
    world.tamper = Box::new(|_, _| true);
    talk(&mut world, &group, &[0, 1], "nothing happened");
}

#[test]
fn a_hub_that_cannot_be_used_is_asked_now_and_then_and_no_command_waits_for_it() {
    let mut world = World::new(&[ALICE, JULIET]);
    // Juliet's device has not heard of the hub yet, and a server before that answers in its place.
    world.lose(1, &["hub"]);
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Answer(_, result)) = (index, input)
            && matches!(result, Ok(Answer::HubInfo(_)))
        {
            count.set(count.get() + 1);
            *result = Err(Refusal::Unsupported);
        }
        true
    });
    world.give(1, Input::Connected);
    world.run();
    let room = RoomAddress::xmpp("nowhere@rooms.x.org");
    let rooms = CreateRoom { matrix: false, xmpp: true, name: "Verona".to_owned() };
    let wanted = [
        world.command(1, Command::CreateGroup(rooms)),
        world.command(1, Command::Join(room.clone())),
        world.command(1, Command::Knock(room)),
        world.command(1, Command::RevokeDevice(world.user(1).device("00000000000000ff").unwrap())),
        world.command(1, Command::PublishKeyPackages),
        world.command(1, Command::RotateEverywhere),
    ];
    world.pass(3600);
    for id in &wanted {
        assert!(world.failure(1, id).contains("the hub cannot be used"));
    }
    assert!((10..=65).contains(&asked.get()), "asked {} times in an hour", asked.get());
    assert_eq!(world.warnings(1).len(), 1, "{:?}", world.warnings(1));
    // Also one whose clock was far ahead.
    world.now_ms -= 300 * DAY_MS;
    asked.set(0);
    world.give(1, Input::Connected);
    world.pass(300);
    assert!(asked.get() > 0, "it was asked no more");
}
