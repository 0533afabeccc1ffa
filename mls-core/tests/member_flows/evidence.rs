//! What members keep against a hub that told two stories.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::evidence::{Evidence, EvidenceError};
use mls_core::hub::{self, Effect, Reply, ReplyTo};
use mls_core::member::{Alarm, AlarmEvent, Command, Event, HubContradicts, Input};
use mls_core::receipt::ReceiptError;
use mls_core::wire::handshake::SealedHandshake;
use mls_core::wire::{Answer, GroupId, Notice, Request};
use mls_rs_core::crypto::SignaturePublicKey;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Two commits race: the hub took the first, which all follow. What a twin of the hub, which took
/// the second, would have said.
pub(crate) fn two_stories() -> (World, GroupId, SealedHandshake) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let lie = race(&mut world, &group);
    (world, group, lie)
}

pub(crate) fn race(world: &mut World, group: &GroupId) -> SealedHandshake {
    let mut liar = world.hub_twin();
    world.hub_inputs.clear();
    world.command(0, Command::Rotate(group.clone()));
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    let commit = |input: &&hub::Input| match input {
        hub::Input::Request(request) => matches!(request.request, Request::SubmitCommit(_)),
        _ => false,
    };
    let second = world.hub_inputs.iter().filter(commit).nth(1).unwrap().clone();
    let effects = liar.handle(world.now_ms, second).unwrap().effects;
    let lie = effects.into_iter().find_map(|effect| match effect {
        Effect::PostHandshake(post) => Some(post.handshake),
        _ => None,
    });
    lie.unwrap()
}

fn receipt_key(world: &mut World) -> SignaturePublicKey {
    let request = hub::RequestInput {
        from: world.user(0),
        reply_to: ReplyTo::ControlRoom("0".to_owned()),
        id: "who".to_owned(),
        request: Request::HubInfo,
    };
    let effects = world.hub.handle(world.now_ms, hub::Input::Request(request)).unwrap().effects;
    let info = effects.into_iter().find_map(|effect| match effect {
        Effect::Answer(answer) => match answer.reply {
            Reply::Ok(Answer::HubInfo(info)) => Some(info),
            _ => None,
        },
        _ => None,
    });
    info.unwrap().receipt_key.into()
}

pub(crate) fn told(world: &World, index: usize) -> Vec<HubContradicts> {
    let events = world.nodes[index].events.iter();
    let told = events.filter_map(|event| match event {
        Event::Alarm(AlarmEvent { alarm: Alarm::HubContradicts(told), .. }) => Some(told.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn two_receipts_for_one_place_are_kept_told_once_and_proof_for_a_third() {
    let (mut world, group, lie) = two_stories();
    let before = world.epoch(2, &group);
    for _ in 0..3 {
        world.give(2, Input::Notice(Notice::Handshake(lie.clone())));
        world.run();
        world.restart(2);
    }
    let told = told(&world, 2);
    assert_eq!(told.len(), 1, "{told:?}");
    let kept = world.nodes[2].member.evidence(&group).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(told[0].evidence, mls_core::engine::sha256(&kept[0]));
    assert_eq!(world.epoch(2, &group), before, "evidence moved the group");
    // Whoever was not there needs the hub's receipt key and the bytes.
    let read = Evidence::from_bytes(&kept[0]).unwrap();
    read.verify(&receipt_key(&mut world)).unwrap();
    let Evidence::Receipts(two) = &read else { panic!("{read:?}") };
    assert_eq!(two.first.receipt.tbs.seq, two.second.receipt.tbs.seq);
    assert!(two.first.message.is_some() && two.second.message.is_some());
    let stranger = read.verify(&SignaturePublicKey::from(vec![1; 32]));
    assert!(matches!(stranger, Err(EvidenceError::Receipt(ReceiptError::Signature))));
    world.pass(30);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_story_that_goes_on_after_the_lie_is_proof_as_well() {
    let (mut world, group, lie) = two_stories();
    // Three commits later the lie is still known for one.
    for _ in 0..3 {
        world.command(0, Command::Rotate(group.clone()));
        world.run();
    }
    world.give(2, Input::Notice(Notice::Handshake(lie)));
    world.run();
    assert_eq!(told(&world, 2).len(), 1);
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn two_receipts_that_both_come_before_their_turn_are_noticed() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = kept.clone();
    world.tamper = Box::new(move |index, input| match input {
        Input::Notice(Notice::Handshake(handshake)) if index == 2 => {
            keep.borrow_mut().push(handshake.clone());
            false
        }
        _ => true,
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let lie = race(&mut world, &group);
    world.tamper =
        Box::new(|_, input| !matches!(input, Input::Answer(_, Ok(Answer::Handshakes(_)))));
    let truth = kept.take();
    for handshake in [&truth[1], &lie] {
        world.give(2, Input::Notice(Notice::Handshake(handshake.clone())));
    }
    world.run();
    // What they say is not known before their epoch begins.
    assert_eq!(told(&world, 2).len(), 0);
    world.tamper = Box::new(|_, _| true);
    world.give(2, Input::Notice(Notice::Handshake(truth[0].clone())));
    world.pass(30);
    assert_eq!(told(&world, 2).len(), 1, "{:?}", told(&world, 2));
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn who_joined_after_the_lie_has_nothing_to_hold_against_it() {
    let (mut world, group, lie) = two_stories();
    let late = world.add("@dora:a.org", "TAB");
    let dora = world.user(late);
    world.run();
    world.invite(0, &group, vec![dora]);
    world.run();
    world.give(late, Input::Notice(Notice::Handshake(lie)));
    world.run();
    assert_eq!(told(&world, late), []);
    world.assert_agree(&group, &[0, 1, 2, 3]);
}

#[test]
fn a_forged_second_receipt_is_no_evidence() {
    let (mut world, group, mut lie) = two_stories();
    world.keys.change(&mut lie, |lie| *lie.receipt.last_mut().unwrap() ^= 1);
    world.give(2, Input::Notice(Notice::Handshake(lie)));
    world.run();
    assert_eq!(told(&world, 2), []);
    assert!(world.nodes[2].member.evidence(&group).unwrap().is_empty());
    assert!(world.warnings(2).join("; ").contains("not signed"), "{:?}", world.warnings(2));
    world.assert_agree(&group, &[0, 1, 2]);
}
