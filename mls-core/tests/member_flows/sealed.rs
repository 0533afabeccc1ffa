//! What servers between members and their hub can read, and what they can do to what they cannot.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::hub::{self, Effect, Reply, SealedInput};
use mls_core::limits::{HANDSHAKES_REMEMBERED, UNOPENED_PER_EPOCH_MAX};
use mls_core::member::{Command, Event, Input};
use mls_core::receipt::Receipt;
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::store::{Store, Write};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use crate::network::{Restarts, Task, World};
use crate::story::{ALICE, ALICE_LAPTOP, BOB, JULIET, ROMEO};

/// These devices and a group of all; everything since the first request travels sealed.
fn sealed_group(devices: &[(&str, &str)]) -> (World, GroupId) {
    let mut world = World::new(&[]);
    world.servers_see = Some(Vec::new());
    for (account, device) in devices {
        world.add(account, device);
    }
    world.run();
    let group = world.found(0);
    world.invite_all(0, &group);
    (world, group)
}

fn rotate(world: &mut World, index: usize, group: &GroupId) {
    let id = world.command(index, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(index, &id);
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A handshake's log entry begins with its receipt; the message follows.
fn handshakes(world: &World) -> Vec<(Receipt, Vec<u8>)> {
    use mls_rs_codec::MlsDecode;
    let entry = |write: &Write| match write {
        Write::Put { space: "handshake", value, .. } => {
            let mut rest = value.as_slice();
            let receipt = Receipt::mls_decode(&mut rest).unwrap();
            Some((receipt, rest.to_vec()))
        }
        _ => None,
    };
    world.hub_writes.iter().filter_map(entry).collect()
}

/// The certificate that groups name and that the hub shows to everybody.
fn anchor(world: &mut World) -> Vec<u8> {
    let request = hub::RequestInput {
        from: world.user(0),
        reply_to: hub::ReplyTo::ControlRoom("0".to_owned()),
        id: "anchor".to_owned(),
        request: Request::HubInfo,
    };
    let outcome = world.hub.handle(world.now_ms, hub::Input::Request(request)).unwrap();
    match outcome.effects.into_iter().next() {
        Some(Effect::Answer(hub::AnswerEffect {
            reply: Reply::Ok(Answer::HubInfo(mut info)),
            ..
        })) => info.anchors.remove(0).certificate,
        other => panic!("the hub does not say who it is: {other:?}"),
    }
}

/// Whether a part of a message is, in part, what is shown anyway.
fn overlap(shown: &[u8], part: &[u8]) -> bool {
    part.windows(8).any(|window| contains(shown, window))
}

#[test]
fn servers_see_no_byte_of_a_handshake_and_nobodys_key_or_name_in_one() {
    let (mut world, group) = sealed_group(&[ALICE, BOB, JULIET, ROMEO]);
    rotate(&mut world, 1, &group);
    world.remove(0, &group, 3);
    world.run();
    let id = world.command(2, Command::Rejoin(group.clone()));
    world.run();
    world.assert_done(2, &id);
    world.assert_agree(&group, &[0, 1, 2]);
    let handshakes = handshakes(&world);
    assert!(handshakes.len() >= 5, "{}", handshakes.len());
    let seen = world.servers_see.take().unwrap();
    let mut shown = anchor(&mut world);
    // A notice to a device names that device.
    world.nodes.iter().for_each(|node| shown.extend(node.client.as_str().bytes()));
    for (receipt, message) in &handshakes {
        let signature = &receipt.to_bytes().unwrap()[40..];
        // Somewhere in the middle, and at the end, for the beginning is much the same in all.
        // The authority's certificate is no secret: HubInfo shows it.
        let parts = message.chunks(24).skip(2);
        let parts = parts.filter(|part| part.len() == 24 && !overlap(&shown, part));
        for (number, bytes) in seen.iter().enumerate() {
            assert!(!contains(bytes, signature), "receipt {} in {number}", receipt.tbs.seq);
            for part in parts.clone() {
                assert!(!contains(bytes, part), "handshake {} in {number}", receipt.tbs.seq);
            }
        }
    }
    for node in &world.nodes {
        let key = node.member.signature_key();
        let packages = node.one_time.values().flatten().chain(node.last_resort.values());
        for bytes in &seen {
            assert!(!contains(bytes, key), "the signature key of {}", node.client);
            for package in packages.clone() {
                assert!(!contains(bytes, &package[40..80]), "a key package of {}", node.client);
            }
        }
    }
    // Of a device's name, only notices to it say something, and those are about nobody else.
    let names = |name: &str| seen.iter().filter(|b| contains(b, name.as_bytes())).count();
    assert!(names("juliet@x.org/0011223344556677") < 5);
}

#[test]
fn what_is_sealed_tells_little_by_its_size() {
    let (world, _) = sealed_group(&[ALICE, BOB]);
    let posted = world.hub_inputs.iter().filter_map(|input| match input {
        hub::Input::Sealed(asked) => Some(asked.sealed.ciphertext.len() - 16),
        _ => None,
    });
    for size in posted {
        assert!(size % 64 == 0, "a request of {size} bytes");
    }
}

#[test]
fn a_sealed_request_under_another_account_or_id_is_refused_and_changes_nothing() {
    let (mut world, group) = sealed_group(&[ALICE, BOB]);
    world.hub_inputs.clear();
    rotate(&mut world, 0, &group);
    let asked = world.hub_inputs.iter().find_map(|input| match input {
        hub::Input::Sealed(asked) => Some(asked.clone()),
        _ => None,
    });
    let asked = asked.unwrap();
    let replayed = [
        SealedInput { from: world.user(1), ..asked.clone() },
        SealedInput { id: "another".to_owned(), ..asked },
    ];
    for input in replayed {
        let outcome = world.hub.handle(world.now_ms, hub::Input::Sealed(input)).unwrap();
        assert!(outcome.writes.is_empty());
        let [Effect::Answer(answer)] = outcome.effects.as_slice() else { panic!("{outcome:?}") };
        assert_eq!(answer.reply, Reply::Refused(Refusal::NotOpened));
    }
}

#[test]
fn a_seal_key_that_a_server_slips_in_later_is_not_used() {
    let (mut world, group) = sealed_group(&[ALICE, BOB]);
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Answer(_, Ok(Answer::HubInfo(info)))) = (index, input) {
            info.seal_key = vec![9; 32];
        }
        true
    });
    world.now_ms += 25 * 3600 * 1000;
    world.give(1, Input::Connected);
    world.run();
    assert!(world.warnings(1).join("; ").contains("another seal key"), "{:?}", world.warnings(1));
    rotate(&mut world, 1, &group);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn at_first_use_a_seal_key_needs_the_receipt_keys_signature() {
    let mut world = World::new(&[]);
    world.servers_see = Some(Vec::new());
    world.tamper = Box::new(|_, input| {
        if let Input::Answer(_, Ok(Answer::HubInfo(info))) = input {
            info.seal_key = vec![9; 32];
        }
        true
    });
    world.add(ALICE.0, ALICE.1);
    world.run();
    assert!(world.warnings(0).join("; ").contains("seal key"), "{:?}", world.warnings(0));
    assert!(world.hub_inputs.iter().all(|input| !matches!(input, hub::Input::Sealed(_))));
}

#[test]
fn who_knows_only_the_hubs_old_keys_learns_the_new_ones_at_its_next_request() {
    let (mut world, group) = sealed_group(&[ALICE, BOB]);
    world.replace_hub_keys();
    world.pass(61);
    let id = world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.pass(60);
    world.assert_done(1, &id);
    assert!(world.warnings(1).join("; ").contains("the hub has a new key"));
    world.pass(120);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn servers_that_say_not_opened_for_ever_make_nobody_ask_for_ever() {
    let (mut world, group) = sealed_group(&[ALICE, BOB]);
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Answer(_, answer)) = (index, input)
            && !matches!(answer, Ok(Answer::HubInfo(_)))
        {
            *answer = Err(Refusal::NotOpened);
        }
        true
    });
    world.hub_inputs.clear();
    let id = world.command(1, Command::Rotate(group.clone()));
    world.pass(600);
    let asked = world.hub_inputs.len();
    assert!(asked < 60, "{asked} requests in ten minutes");
    world.tamper = Box::new(|_, _| true);
    world.pass(300);
    world.assert_done(1, &id);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn restarts_of_hub_and_members_between_request_and_answer_lose_nothing() {
    for restarts in [Restarts::BeforeEveryInput, Restarts::AfterEveryInput] {
        let (mut world, group) = sealed_group(&[ALICE, BOB, JULIET]);
        world.restarts = restarts;
        let id = world.command(1, Command::Rotate(group.clone()));
        for _ in 0..20 {
            world.step();
            world.restart_hub();
        }
        // The answer to an earlier process does not open: the request is repeated.
        world.pass(90);
        world.assert_done(1, &id);
        world.assert_agree(&group, &[0, 1, 2]);
    }
}

#[test]
fn a_committer_that_gives_the_hub_a_wrong_key_stalls_nobody_and_is_named() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let mallory = world.user(1);
    world.hub_tamper = Box::new(move |input| {
        let hub::Input::Request(asked) = input else { return };
        if let (true, Request::SubmitCommit(commit)) = (asked.from == mallory, &mut asked.request) {
            commit.handshake_key = HandshakeKey::from_exported(&[7; LENGTH]).unwrap();
        }
    });
    rotate(&mut world, 1, &group);
    for _ in 0..3 {
        rotate(&mut world, 0, &group);
        rotate(&mut world, 1, &group);
    }
    world.say(2, &group, "we go on");
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(0), ["0011223344556677: we go on"]);
    let warnings = world.warnings(2);
    let named = warnings.iter().filter(|w| w.contains("@bob:a.org/DESK") || w.contains("DESK"));
    assert!(named.count() >= 3, "{warnings:?}");
}

#[test]
fn forged_sealed_handshakes_make_a_member_ask_a_bounded_number_of_times() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let (seq, epoch) = (100, world.epoch(1, &group).unwrap());
    world.hub_inputs.clear();
    for number in 0..u64::from(2 * UNOPENED_PER_EPOCH_MAX) {
        let forged = mls_core::wire::handshake::SealedHandshake {
            group: group.clone(),
            seq: seq + number,
            epoch,
            sealed: vec![7; 300],
        };
        world.give(1, Input::Notice(Notice::Handshake(forged)));
        world.run();
    }
    let most = UNOPENED_PER_EPOCH_MAX as usize;
    assert!(world.hub_inputs.len() <= most, "{} requests", world.hub_inputs.len());
    rotate(&mut world, 0, &group);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_late_joiner_passes_over_what_was_before_it_and_follows_what_comes() {
    let (mut world, group) = sealed_group(&[ALICE, BOB]);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&kept);
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Notice(Notice::Handshake(_))) = (index, &input) {
            keep.borrow_mut().push(input.clone());
        }
        true
    });
    rotate(&mut world, 0, &group);
    rotate(&mut world, 0, &group);
    let late = world.add(ALICE_LAPTOP.0, ALICE_LAPTOP.1);
    world.run();
    let user = world.user(late);
    let id = world.invite(0, &group, vec![user]);
    world.run();
    world.assert_done(0, &id);
    // It reads the room from its beginning.
    for input in kept.take() {
        world.give(late, input);
    }
    world.run();
    rotate(&mut world, 1, &group);
    world.assert_agree(&group, &[0, late, 1]);
    assert_eq!(world.warnings(late), Vec::<String>::new());
    assert_eq!(world.count(late, |event| matches!(event, Event::Joined(_))), 1);
}

#[test]
fn a_handshake_before_the_welcome_that_leads_to_it_is_not_lost() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    let late = world.add(JULIET.0, JULIET.1);
    world.run();
    let user = world.user(late);
    world.invite(0, &group, vec![user]);
    // The Welcome waits to be fetched while the next commit is posted.
    while !world.queue.iter().any(|task| {
        matches!(task, Task::ToMember(to, Input::Notice(Notice::WelcomeWaiting(_))) if *to == late)
    }) {
        assert!(world.step());
    }
    let waiting = world.queue.iter().position(|task| {
        matches!(task, Task::ToMember(to, Input::Notice(Notice::WelcomeWaiting(_))) if *to == late)
    });
    let notice = world.queue.remove(waiting.unwrap()).unwrap();
    world.run();
    rotate(&mut world, 0, &group);
    world.queue.push_back(notice);
    world.run();
    world.assert_agree(&group, &[0, 1, late]);
}

#[test]
fn who_comes_back_over_many_epochs_keeps_no_key_of_handshakes_from_before() {
    let (mut world, group) = World::group_with(&[ALICE, BOB], &[1]);
    world.nodes[1].away = true;
    for _ in 0..HANDSHAKES_REMEMBERED {
        // No more than the hub takes in an hour.
        world.now_ms += 120_000;
        world.command(0, Command::Rotate(group.clone()));
        world.run();
    }
    world.tamper = Box::new(|index, input| {
        if let (1, Input::Answer(_, result)) = (index, input)
            && matches!(result, Ok(Answer::Handshakes(_)))
        {
            *result = Err(Refusal::Gone);
        }
        true
    });
    world.nodes[1].waiting.clear();
    world.come_back(1);
    world.run();
    world.pass(120);
    world.assert_agree(&group, &[0, 1]);
    for space in ["handshake_key", "epoch_mark"] {
        assert_eq!(world.nodes[1].store.scan(space, &[], &[], 100).unwrap().len(), 1, "{space}");
    }
    let leave = world.command(1, Command::Leave(group));
    world.run();
    world.assert_done(1, &leave);
    for space in ["handshake_key", "epoch_mark"] {
        assert!(world.nodes[1].store.scan(space, &[], &[], 1).unwrap().is_empty(), "{space}");
    }
}
