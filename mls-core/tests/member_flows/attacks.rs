//! What others may try: forged receipts, burned messages, handshakes from rooms.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mls_core::engine::sha256;
use mls_core::hub;
use mls_core::member::{Command, Event, Input, Member, ReceivedMessage};
use mls_core::receipt::Receipt;
use mls_core::wire::blob::Part;
use mls_core::wire::handshake::{Handshake, SealedHandshake};
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, Notice, Request};

use mls_rs_codec::MlsEncode;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

fn handshake(input: &mut Input) -> Option<&mut SealedHandshake> {
    match input {
        Input::Notice(Notice::Handshake(handshake)) => Some(handshake),
        _ => None,
    }
}

fn welcomes(input: &mut Input) -> impl Iterator<Item = &mut Welcome> {
    let answer = match input {
        Input::Answer(_, Ok(Answer::Welcomes(answer))) => answer.welcomes.as_mut_slice(),
        _ => &mut [],
    };
    answer.iter_mut()
}

/// Changes every handshake for member 2, in which nobody else takes part; what must follow is a
/// warning and no new epoch, and after that the true handshake is followed all the same.
fn check_forgery(change: fn(&mut Handshake), says: &str) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let before = world.epoch(2, &group);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (keep, keys) = (kept.clone(), world.keys.clone());
    world.tamper = Box::new(move |index, input| {
        let Some(handshake) = handshake(input).filter(|_| index == 2) else { return true };
        keep.borrow_mut().push(handshake.clone());
        keys.change(handshake, change);
        true
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    assert_eq!(world.epoch(2, &group), before, "a forged handshake was followed");
    let warnings = world.warnings(2).join("; ");
    assert!(warnings.contains(says), "{warnings}");
    world.tamper = Box::new(|_, _| true);
    for handshake in kept.take() {
        world.give(2, Input::Notice(Notice::Handshake(handshake)));
    }
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

#[test]
fn a_forged_receipt_is_ignored_and_the_true_one_followed() {
    check_forgery(|h| *h.receipt.last_mut().unwrap() ^= 1, "not signed by the group's hub");
    check_forgery(|h| h.receipt.truncate(20), "not a receipt");
    let resign = |h: &mut Handshake| {
        let (key, _) = mls_core::crypto::Crypto::system()
            .generate_signature_key(mls_core::policy::CIPHER_SUITES[0])
            .unwrap();
        let receipt = Receipt::from_bytes(&h.receipt).unwrap();
        let signed = Receipt::sign(
            &key,
            None,
            receipt.tbs.kind,
            &receipt.tbs.group,
            receipt.tbs.epoch,
            h.message.inline().unwrap(),
            receipt.tbs.time_ms,
        );
        h.receipt = signed.unwrap().to_bytes().unwrap();
    };
    check_forgery(resign, "not signed by the group's hub");
}

#[test]
fn a_commit_with_a_flipped_bit_is_ignored_and_the_true_one_followed() {
    let flip_end = |h: &mut Handshake| {
        let Part::Inline(bytes) = &mut h.message else { panic!("a blob") };
        let last = bytes.len() - 1;
        flip(bytes, last);
    };
    check_forgery(flip_end, "another message");
    let flip_middle = |h: &mut Handshake| {
        let Part::Inline(bytes) = &mut h.message else { panic!("a blob") };
        let middle = bytes.len() / 2;
        flip(bytes, middle);
    };
    check_forgery(flip_middle, "another message");
}

#[test]
fn a_receipt_far_ahead_of_our_clock_is_ignored_until_its_time() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = kept.clone();
    world.tamper = Box::new(move |index, input| {
        let Some(handshake) = handshake(input).filter(|_| index == 2) else { return true };
        keep.borrow_mut().push(handshake.clone());
        false
    });
    // The hub's clock, and the committer's, run eleven minutes ahead of the third member's.
    world.now_ms += 11 * 60_000;
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    world.now_ms -= 11 * 60_000;
    world.tamper = Box::new(|_, _| true);
    let handshake = kept.take().pop().unwrap();
    world.give(2, Input::Notice(Notice::Handshake(handshake.clone())));
    world.run();
    assert_ne!(world.epoch(2, &group), world.epoch(0, &group));
    assert!(world.warnings(2).join("; ").contains("time is wrong"), "{:?}", world.warnings(2));
    world.now_ms += 2 * 60_000;
    world.give(2, Input::Notice(Notice::Handshake(handshake)));
    world.run();
    world.assert_agree(&group, &[0, 1, 2]);
}

#[test]
fn a_copy_under_another_name_is_shown_under_the_true_name_with_a_warning() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let bob = world.user(1);
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Message(message)) = (index, input) {
            message.sender = Some(bob.clone());
        }
        true
    });
    world.say(0, &group, "it is me");
    world.run();
    let says = world.nodes[1].events.iter().find_map(|event| match event {
        Event::Message(message) => Some(message.sender.clone()),
        _ => None,
    });
    let sender = says.unwrap();
    assert_eq!(sender.client, world.nodes[0].client);
    assert_eq!(sender.network_says, Some(world.user(1)));
    assert_eq!(world.heard(1), ["PHONE: it is me"]);
}

#[test]
fn a_damaged_copy_does_not_burn_the_true_message() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let kept: Rc<RefCell<Option<ReceivedMessage>>> = Rc::default();
    let keep = kept.clone();
    world.tamper = Box::new(move |index, input| {
        if let (1, Input::Message(message)) = (index, input) {
            keep.borrow_mut().replace(message.clone());
            // The last bytes belong to the content, not to the sender data.
            let last = message.message.len() - 1;
            flip(&mut message.message, last);
        }
        true
    });
    world.say(0, &group, "precious");
    world.run();
    assert_eq!(world.heard(1), Vec::<String>::new());
    assert_eq!(world.count(1, |e| matches!(e, Event::Undecryptable(_))), 1);
    world.tamper = Box::new(|_, _| true);
    let message = kept.take().unwrap();
    world.give(1, Input::Message(message));
    world.run();
    assert_eq!(world.heard(1), ["PHONE: precious"]);
}

#[test]
fn a_handshake_that_comes_through_the_room_is_refused() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    let room = world.nodes[1].member.groups().unwrap()[0].rooms[0].clone();
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (keep, keys) = (kept.clone(), world.keys.clone());
    world.tamper = Box::new(move |index, input| {
        let Some(handshake) = handshake(input).filter(|_| index == 1) else { return true };
        keep.borrow_mut().push(keys.open(handshake).message.inline().unwrap().to_vec());
        false
    });
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let before = world.epoch(1, &group);
    let sender = world.user(0);
    for message in kept.take() {
        let sent_ms = world.now_ms;
        let (room, sender, checkpoint) = (room.clone(), Some(sender.clone()), None);
        let received = ReceivedMessage { room, sender, sent_ms, message, checkpoint };
        world.give(1, Input::Message(received));
    }
    world.run();
    assert_eq!(world.epoch(1, &group), before);
    assert!(world.warnings(1).join("; ").contains("refused"), "{:?}", world.warnings(1));
}

#[test]
fn a_welcome_for_a_group_already_held_changes_nothing() {
    let mut world = World::new(&[ALICE, BOB]);
    // A last resort, whose private part stays: the Welcome could be opened again.
    world.use_up_one_time_packages(1);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = kept.clone();
    world.tamper = Box::new(move |_, input| {
        keep.borrow_mut().extend(welcomes(input).map(|welcome| welcome.clone()));
        true
    });
    let group = world.found(0);
    world.invite_all(0, &group);
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let welcome = kept.take().pop().unwrap();
    let before = world.epoch(1, &group);
    for flip in [0, 1] {
        // Also under another name, for it is known by its id.
        let mut again = welcome.clone();
        again.id.0[0] ^= flip;
        let mut again = Some(again);
        world.tamper = Box::new(move |_, input| {
            if let Input::Answer(_, Ok(Answer::Welcomes(answer))) = input {
                answer.welcomes.extend(again.take());
            }
            true
        });
        world.give(1, Input::Connected);
        world.run();
    }
    assert_eq!(world.epoch(1, &group), before);
    world.assert_agree(&group, &[0, 1]);
}

#[test]
fn a_welcome_with_a_receipt_of_another_hub_is_refused() {
    let mut world = World::new(&[ALICE, BOB]);
    world.tamper = Box::new(|index, input| {
        let forge = |receipt: &mut Vec<u8>| *receipt.last_mut().unwrap() ^= 1;
        welcomes(input).filter(|_| index == 1).for_each(|welcome| forge(&mut welcome.receipt));
        true
    });
    let group = world.found(0);
    world.invite_all(0, &group);
    assert_eq!(world.epoch(1, &group), None);
    let warnings = world.warnings(1).join("; ");
    assert!(warnings.contains("not signed by the group's hub"), "{warnings}");
}

/// The first copy of a Welcome that the hub gives is changed; another is asked for, and used.
fn check_damaged_welcome(change: fn(&mut Welcome)) {
    let mut world = World::new(&[ALICE, BOB]);
    let mut changed = false;
    world.tamper = Box::new(move |index, input| {
        if let Some(welcome) = welcomes(input).next().filter(|_| index == 1 && !changed) {
            changed = true;
            change(welcome);
        }
        true
    });
    let group = world.found(0);
    world.invite_all(0, &group);
    // Not by a way back, which would be an epoch more.
    world.assert_agree(&group, &[0, 1]);
    assert_eq!(world.epoch(1, &group), Some(1));
    assert_eq!(world.warnings(1), Vec::<String>::new());
}

#[test]
fn a_welcome_that_cannot_be_used_is_fetched_once_more() {
    fn last(part: &mut Part) -> &mut u8 {
        let Part::Inline(bytes) = part else { panic!("a blob") };
        bytes.last_mut().unwrap()
    }
    check_damaged_welcome(|welcome| *last(&mut welcome.welcome) ^= 1);
    check_damaged_welcome(|welcome| *last(&mut welcome.tree) ^= 1);
    check_damaged_welcome(|welcome| *welcome.receipt.last_mut().unwrap() ^= 1);
    check_damaged_welcome(|welcome| welcome.welcome = Vec::new().into());
}

#[test]
fn a_message_in_clear_in_a_bound_room_is_warned_about() {
    let (mut world, _) = World::group(&[ALICE, BOB]);
    let room = world.nodes[1].member.groups().unwrap()[0].rooms[0].clone();
    let sender = Some(world.user(0));
    world.give(1, Input::CleartextInRoom { room, sender });
    world.run();
    assert!(world.warnings(1).join("; ").contains("in clear"), "{:?}", world.warnings(1));
}

/// From now on a member damages the membership tag of its commits, and signs each submission anew:
/// the hub cannot see that, and others cannot process it.
pub(crate) fn damage_commits(world: &mut World, index: usize) {
    let (store, client) = (world.nodes[index].store.clone(), world.nodes[index].client.clone());
    let user = world.user(index);
    world.hub_tamper = Box::new(move |input| {
        let hub::Input::Request(request) = input else { return };
        if request.from != user {
            return;
        }
        let Request::SubmitCommit(submitted) = &mut request.request else { return };
        let Part::Inline(commit) = &mut submitted.commit else { return };
        *commit.last_mut().unwrap() ^= 1;
        let (liar, _) = Member::open(Arc::new(store.clone()), client.clone()).unwrap();
        let hash = |bytes: &[u8]| sha256(bytes).0;
        let signed = [
            b"mls-bridge 0 submit\0".to_vec(),
            submitted.group.mls_encode_to_vec().unwrap(),
            submitted.epoch.to_be_bytes().to_vec(),
            hash(commit).to_vec(),
            hash(&[]).to_vec(),
            hash(submitted.group_info.inline().unwrap()).to_vec(),
        ];
        submitted.signature = liar.sign(&signed.concat()).unwrap();
    });
}

#[test]
fn a_commit_that_only_the_hub_can_accept_is_reported_and_overcome_by_rejoining() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    damage_commits(&mut world, 1);
    world.hub_inputs.clear();
    world.command(1, Command::Rotate(group.clone()));
    world.run();
    let reports = |world: &World, index: usize| {
        let from = world.user(index);
        let report = |input: &hub::Input| match input {
            hub::Input::Request(request) => {
                request.from == from && matches!(request.request, Request::ReportInvalid(_))
            }
            _ => false,
        };
        world.hub_inputs.iter().filter(|input| report(input)).count()
    };
    for index in [0, 2] {
        assert_eq!(world.epoch(index, &group), Some(1), "{index} followed a damaged commit");
        assert_eq!(reports(&world, index), 1, "{:?}", world.warnings(index));
        assert!(world.warnings(index).join("; ").contains("tries to come back"));
    }
    world.hub_tamper = Box::new(|_| ());
    let waiting = world.say(2, &group, "we go on");
    for index in [0, 2] {
        world.command(index, Command::Rejoin(group.clone()));
    }
    world.run();
    world.pass(60);
    world.command(1, Command::Rejoin(group.clone()));
    world.run();
    world.pass(60);
    world.assert_done(2, &waiting);
    world.assert_agree(&group, &[0, 1, 2]);
    assert_eq!(world.heard(0), ["0011223344556677: we go on"]);
}
