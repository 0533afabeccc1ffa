//! Members look into their authority's log of certificates: what they find, and what they tell people.

use std::cell::Cell;
use std::rc::Rc;

use mls_core::limits::{LOG_AGAIN_MS, LOG_ASKED_AGAIN_MS};
use mls_core::member::{Alarm, Asked, Command, Event, Input};
use mls_core::store::{MemoryStore, Store, Write};
use mls_core::transparency::LogEntry;
use mls_core::wire::{Answer, GroupId};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

const TABLET: (&str, &str) = ("@alice:a.org", "TABLET");

/// These look, with so much time passed that they may.
pub(crate) fn look(world: &mut World, indexes: &[usize]) {
    world.now_ms += LOG_AGAIN_MS;
    for index in indexes {
        world.give(*index, Input::LookIntoLog);
    }
    world.run();
}

pub(crate) fn alarms(world: &World, index: usize) -> Vec<(GroupId, Alarm)> {
    let alarm = |event: &Event| match event {
        Event::Alarm(told) => Some((told.group.clone(), told.alarm.clone())),
        _ => None,
    };
    world.nodes[index].events.iter().filter_map(alarm).collect()
}

/// Everybody is in a group and has looked once.
fn watching() -> (World, GroupId) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    look(&mut world, &[0, 1, 2]);
    (world, group)
}

#[test]
fn who_asks_is_told_of_what_came_just_now() {
    let (mut world, group) = watching();
    let size = |world: &World| {
        world.nodes[0].member.certificate_log().unwrap().map(|log| log.head.head.size)
    };
    let before = size(&world);
    // The first brings the key that was certified when she came in.
    for id in ["first", "second"] {
        world.give(2, Input::Command(id.into(), Command::ChangeKey(group.clone())));
        world.run();
        world.assert_done(2, id);
    }
    for (wait_ms, input, seen) in
        [(LOG_ASKED_AGAIN_MS, Input::LookIntoLog, false), (0, Input::LookIntoLogNow, true)]
    {
        world.now_ms += wait_ms;
        world.give(0, input);
        world.run();
        assert_eq!(size(&world) > before, seen);
    }
    let seen = size(&world);
    world.give(0, Input::LookIntoLogNow);
    world.run();
    assert_eq!(size(&world), seen, "not asked again at once");
}

#[test]
fn a_member_follows_the_log_and_finds_in_it_what_it_asked_for_itself() {
    let (mut world, _) = watching();
    for _ in 0..3 {
        world.pass(5);
        look(&mut world, &[0, 1, 2]);
    }
    for index in 0..3 {
        let log = world.nodes[index].member.certificate_log().unwrap().unwrap();
        assert!(log.head.head.size >= 6, "{log:?}");
        assert_eq!((log.read, log.fork), (log.head.head.size, None));
        let own = world.nodes[index].member.own_log_entries().unwrap();
        assert!(own.len() >= 2 && own.iter().all(|entry| entry.asked == Asked::Here), "{own:?}");
        assert!(alarms(&world, index).is_empty(), "{:?}", alarms(&world, index));
        assert!(world.warnings(index).is_empty(), "{:?}", world.warnings(index));
    }
    // The same after a restart.
    let before = world.nodes[0].member.certificate_log().unwrap();
    world.reopen(0);
    assert_eq!(world.nodes[0].member.certificate_log().unwrap(), before);
}

#[test]
fn a_certificate_for_a_key_that_this_device_never_had_is_told_once() {
    let (mut world, _) = watching();
    let authority_signs_for_another_key = |world: &mut World| {
        // The device asks; what it remembers of that is taken away, so that to it nobody did.
        world.now_ms += mls_core::policy::CREDENTIAL_RENEW_MS;
        world.pass(3600);
        let store = world.nodes[0].store.clone();
        let asked = store.scan("log_asked_key", &[], &[], 100).unwrap();
        let forget = |(key, _)| Write::Delete { space: "log_asked_key", key };
        store.apply(&asked.into_iter().map(forget).collect::<Vec<_>>());
        world.reopen(0);
    };
    authority_signs_for_another_key(&mut world);
    look(&mut world, &[0]);
    look(&mut world, &[0]);
    let own = world.nodes[0].member.own_log_entries().unwrap();
    let nobody = own.iter().filter(|entry| entry.asked == Asked::Nowhere).count();
    assert!(nobody > 0, "{own:?}");
    let told = alarms(&world, 0);
    assert_eq!(told.len(), nobody, "{told:?}");
    assert!(told.iter().all(|(_, alarm)| matches!(alarm, Alarm::NotAsked(_))), "{told:?}");
    assert!(alarms(&world, 1).is_empty());
}

#[test]
fn another_device_of_the_user_is_told_of_once() {
    let (mut world, _) = watching();
    let tablet = world.add(TABLET.0, TABLET.1);
    world.run();
    look(&mut world, &[0, 1, tablet]);
    look(&mut world, &[0, 1, tablet]);
    let told = |index: usize| {
        let certified = |event: &Event| match event {
            Event::DeviceCertified(certified) => Some(certified.client.clone()),
            _ => None,
        };
        world.nodes[index].events.iter().filter_map(certified).collect::<Vec<_>>()
    };
    assert_eq!(told(0), [world.nodes[tablet].client.clone()]);
    assert_eq!(told(1), []);
    // What was there before it is no news to the new one.
    assert_eq!(told(tablet), []);
    let own = world.nodes[0].member.own_log_entries().unwrap();
    let elsewhere = own.iter().filter(|entry| entry.asked == Asked::Elsewhere);
    assert!(elsewhere.clone().count() > 0);
    assert!(elsewhere.clone().all(
        |e| matches!(&e.entry, LogEntry::Issued(i) if i.client == world.nodes[tablet].client)
    ));
}

#[test]
fn a_member_whose_certificate_the_hub_does_not_prove_is_pointed_out_and_each_is_asked_for_once() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let proofs = Rc::new(Cell::new(0));
    let counted = Rc::clone(&proofs);
    let juliet = world.nodes[2].client.clone();
    world.tamper = Box::new(move |_, input| {
        if let Input::Answer(_, Ok(Answer::CertificateProof(proof))) = input {
            counted.set(counted.get() + 1);
            let of_juliet = |entry: &LogEntry| *entry.client() == juliet;
            proof.logged = proof.logged.take().filter(|logged| !of_juliet(&logged.entry));
        }
        true
    });
    look(&mut world, &[0]);
    assert_eq!(proofs.get(), 2);
    let told = alarms(&world, 0);
    let Some((of, Alarm::NotLogged(not))) = told.first() else { panic!("{told:?}") };
    assert_eq!((of, &not.client, told.len()), (&group, &world.nodes[2].client, 1));
    look(&mut world, &[0]);
    assert_eq!((proofs.get(), alarms(&world, 0).len()), (2, 1));
}

/// Alice's phone has looked into the log of a hub that then goes on from an old copy, and looks again.
pub(crate) fn forked(devices_after: usize) -> World {
    let (mut world, _) = World::group(&[ALICE, BOB, JULIET]);
    let old = world.hub_writes.clone();
    world.add(TABLET.0, TABLET.1);
    world.run();
    look(&mut world, &[0]);
    world.hub_store = MemoryStore::default();
    world.hub_store.apply(&old);
    world.restart_hub();
    for number in 0..devices_after {
        world.add(TABLET.0, &format!("OTHER{number}"));
    }
    world.run();
    look(&mut world, &[0]);
    world
}

#[test]
fn a_hub_that_went_on_from_an_old_copy_has_forked_its_log_and_both_heads_are_kept() {
    // A smaller log at a later time convinces anybody; a larger one that does not hold the known one whoever
    // asks for the proof.
    for (devices_after, convinces) in [(0, true), (4, false)] {
        let mut world = forked(devices_after);
        let told = alarms(&world, 0);
        let [(_, Alarm::LogForked(forked))] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(forked.second < forked.first, convinces);
        let log = world.nodes[0].member.certificate_log().unwrap().unwrap();
        let anchor = world.nodes[1].member.authorities().unwrap().remove(0).known.0.remove(0);
        let key = mls_core::identity::public_key_of(&anchor.certificate).unwrap();
        assert_eq!(log.fork.unwrap().verify(&key.into()).is_ok(), convinces);
        // Once; nothing of the log is followed any more.
        look(&mut world, &[0]);
        assert_eq!(alarms(&world, 0), told);
    }
}

#[test]
fn a_hub_that_hides_an_entry_of_the_user_or_a_leaf_is_caught() {
    type Hide = fn(&mut Answer);
    let hides: [(Hide, &str); 3] = [
        (
            |answer| {
                if let Answer::OwnEntries(own) = answer {
                    own.entries.pop();
                    own.more = false;
                }
            },
            "does not show what its log holds",
        ),
        (
            |answer| {
                if let Answer::LogLeaves(page) = answer {
                    page.leaves[0].user_label.0[0] ^= 1;
                }
            },
            "other entries of the log",
        ),
        (
            |answer| {
                if let Answer::TreeHead(fetched) = answer {
                    fetched.head.head.time_ms += 1;
                }
            },
            "",
        ),
    ];
    for (hide, warning) in hides {
        let (mut world, _) = World::group(&[ALICE, BOB, JULIET]);
        world.tamper = Box::new(move |_, input| {
            if let Input::Answer(_, Ok(answer)) = input {
                hide(answer);
            }
            true
        });
        look(&mut world, &[0]);
        look(&mut world, &[0]);
        let told = world.warnings(0);
        let not_signed = "not signed by the authority";
        let wanted = if warning.is_empty() { not_signed } else { warning };
        assert!(told.iter().any(|text| text.contains(wanted)), "{wanted}: {told:?}");
    }
}
