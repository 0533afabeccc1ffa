//! A log that forked: what others can check of it, and how a person has the device go on.

use mls_core::member::{Alarm, Asked, Command};
use mls_core::policy::CREDENTIAL_RENEW_MS;
use mls_core::store::{MemoryStore, Store, Write};
use mls_core::transparency::{LogError, LogEvidenceError};
use mls_core::wire::Digest;

use crate::log_watch::{alarms, forked, look};
use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

fn accept(world: &mut World, root: Digest) -> String {
    let id = world.command(0, Command::AcceptLog(root));
    world.run();
    id
}

fn came(world: &World) -> Digest {
    let log = world.nodes[0].member.certificate_log().unwrap().unwrap();
    log.fork.unwrap().second.head.root
}

#[test]
fn both_heads_are_kept_with_what_shows_a_third_person_who_signed_them() {
    for (devices_after, convinces) in [(0, true), (4, false)] {
        let mut world = forked(devices_after);
        world.reopen(0);
        let log = world.nodes[0].member.certificate_log().unwrap().unwrap();
        let [fork] = log.forks.as_slice() else { panic!("{:?}", log.forks) };
        assert_eq!((Some(fork.evidence.heads()), fork.accepted_ms), (log.fork, None));
        assert_eq!(fork.evidence.verify().is_ok(), convinces);
        let anchor = world.nodes[1].member.authorities().unwrap().remove(0).known.0.remove(0);
        assert_eq!(fork.evidence.roots(), [anchor.fingerprint()]);
        let mut forged = fork.evidence.clone();
        forged.second.head.head.root.0[0] ^= 1;
        let unsigned = forged.verify().unwrap_err();
        assert!(matches!(unsigned, LogEvidenceError::Head(LogError::Signature)), "{unsigned}");
    }
}

#[test]
fn after_a_persons_word_the_log_that_came_is_followed_and_read_anew() {
    for devices_after in [0, 4] {
        let mut world = forked(devices_after);
        let before = alarms(&world, 0).len();
        let (root, wrong) = (came(&world), Digest([7; 32]));
        let refused = accept(&mut world, wrong);
        assert!(world.failure(0, &refused).contains("another root"));
        let done = accept(&mut world, root);
        world.assert_done(0, &done);
        let loud = world.warnings(0);
        assert!(loud.iter().any(|text| text.contains("BY A PERSON'S WORD")), "{loud:?}");
        // It is followed from now on, with all that comes.
        world.add("@carol:a.org", "PHONE");
        world.run();
        look(&mut world, &[0]);
        world.reopen(0);
        let log = world.nodes[0].member.certificate_log().unwrap().unwrap();
        assert_eq!((log.fork, log.read), (None, log.head.head.size));
        let size = log.forks[0].evidence.second.head.head.size;
        assert!(log.head.head.size > size, "{size}");
        assert!(log.forks[0].accepted_ms.is_some(), "both heads are kept");
        let own = world.nodes[0].member.own_log_entries().unwrap();
        assert!(own.iter().any(|entry| entry.asked == Asked::Here), "{own:?}");
        assert!(own.iter().all(|entry| entry.index < log.head.head.size));
        assert_eq!(alarms(&world, 0).len(), before, "{:?}", alarms(&world, 0));
        let again = accept(&mut world, root);
        assert!(world.failure(0, &again).contains("has not forked"));
    }
}

#[test]
fn what_the_log_that_came_holds_in_this_devices_name_is_judged_like_before() {
    let mut world = forked(0);
    let root = came(&world);
    let first_new = world.nodes[0].member.certificate_log().unwrap().unwrap();
    let first_new = first_new.fork.unwrap().second.head.size;
    let id = accept(&mut world, root);
    world.assert_done(0, &id);
    // The device asks; what it remembers of that is taken away, so that to it nobody did.
    world.now_ms += CREDENTIAL_RENEW_MS;
    world.pass(3600);
    let store = world.nodes[0].store.clone();
    let asked = store.scan("log_asked_key", &[], &[], 100).unwrap();
    let forget = |(key, _)| Write::Delete { space: "log_asked_key", key };
    store.apply(&asked.into_iter().map(forget).collect::<Vec<_>>());
    world.reopen(0);
    look(&mut world, &[0]);
    let told = alarms(&world, 0);
    let told = told.iter().filter_map(|(_, alarm)| match alarm {
        Alarm::NotAsked(not) => Some(not.index),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    // The places of entries that this device has read in the other log are no excuse.
    assert!(told.contains(&first_new), "{first_new}: {told:?}");
}

#[test]
fn a_certificate_that_the_log_that_came_lacks_is_pointed_out() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let old = world.hub_writes.clone();
    // The first key of his own was certified when he joined.
    for _ in 0..2 {
        let id = world.command(1, Command::ChangeKey(group.clone()));
        world.run();
        world.assert_done(1, &id);
    }
    let bob = world.nodes[1].client.clone();
    look(&mut world, &[0]);
    world.hub_store = MemoryStore::default();
    world.hub_store.apply(&old);
    world.restart_hub();
    look(&mut world, &[0]);
    let not_logged = |world: &World| -> Vec<_> {
        let told = alarms(world, 0).into_iter().filter_map(|(_, alarm)| match alarm {
            Alarm::NotLogged(not) => Some(not.client),
            _ => None,
        });
        told.collect()
    };
    assert_eq!(not_logged(&world), [], "it stood in the log that was known");
    let root = came(&world);
    accept(&mut world, root);
    assert_eq!(not_logged(&world), [bob]);
}
