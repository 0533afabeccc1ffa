//! Commits: one winner each epoch, and all that must hold of it.

use mls_core::engine::sha256;
use mls_core::hub::{Admit, Effect, Expel, Input, Membership};
use mls_core::receipt::ReceiptKind;
use mls_core::wire::Request;
use mls_core::wire::blob::Part;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_rs::MlsMessage;

use crate::device::Device;
use crate::world::{World, muc, room};

fn bob() -> Device {
    Device::new("bob@example.org", "00000000000000b0")
}

fn carol() -> Device {
    Device::new("@carol:example.org", "CAROL")
}

#[test]
fn a_commit_adds_members_of_both_networks_who_join_and_talk() {
    let mut world = World::new();
    let (mut bob, mut carol) = (bob(), carol());
    let mut alice = world.alices_group();
    let packages = [world.claim_one(&alice, &bob), world.claim_one(&alice, &carol)];
    let commit = alice.commit_adding(world.now, &packages);
    let receipt = world.submit(&alice.user(), commit.clone()).unwrap();
    assert_eq!((receipt.tbs.kind, receipt.tbs.seq, receipt.tbs.epoch), (ReceiptKind::Commit, 1, 0));
    receipt.covers(&alice.group_id(), commit.commit.inline().unwrap()).unwrap();
    for target in [room(), muc()] {
        let posts = |e: &&Effect| matches!(e, Effect::PostHandshake(p) if p.room == target);
        assert_eq!(world.effects.iter().filter(posts).count(), 1);
        for user in [bob.user(), carol.user()] {
            let admitted = |e: &Effect| matches!(e, Effect::Admit(Admit { room, user: who, .. }) if *room == target && *who == user);
            assert!(world.effects.iter().any(admitted), "{user} is not let into {target}");
        }
    }
    alice.apply();
    for welcome in world.take_welcomes() {
        assert_eq!((welcome.epoch, &welcome.receipt), (1, &receipt.to_bytes().unwrap()));
        let joiner = if welcome.client == bob.id { &mut bob } else { &mut carol };
        joiner.join(&welcome);
    }
    let text = bob.encrypt("hello");
    assert_eq!((alice.decrypt(&text), carol.decrypt(&text)), ("hello".into(), "hello".into()));
    let mut users = world.hub().users_in(&room()).unwrap();
    users.sort();
    assert_eq!(users, [alice.user(), carol.user(), bob.user()]);
}

#[test]
fn of_two_commits_in_one_epoch_the_first_wins_and_the_second_learns_the_epoch() {
    let mut world = World::new();
    let mut bob = bob();
    let mut alice = world.group_with(&mut [&mut bob]);
    let (first, second) = (alice.update(world.now), bob.update(world.now));
    let receipt = world.submit(&alice.user(), first.clone()).unwrap();
    assert_eq!(world.submit(&bob.user(), second), Err(Refusal::WrongEpoch(2)));
    // The winner's answer was lost: it asks again and gets the same receipt.
    world.take_effects();
    assert_eq!(world.submit(&alice.user(), first), Ok(receipt));
    assert!(world.take_effects().is_empty());
}

#[test]
fn receipts_are_a_chain_that_a_member_can_follow() {
    let mut world = World::new();
    let mut alice = world.alices_group();
    let mut last = None;
    for _ in 0..40 {
        world.now += 60_000;
        let commit = alice.update(world.now);
        let receipt = world.commit(&mut alice, &mut [], commit).unwrap();
        if let Some(last) = &last {
            receipt.follows(last, world.now).unwrap();
        }
        last = Some(receipt);
    }
    assert_eq!(last.unwrap().tbs.seq, 40);
}

#[test]
fn a_clock_that_goes_back_does_not_take_the_receipts_with_it() {
    let mut world = World::new();
    let mut alice = world.alices_group();
    let commit = alice.update(world.now);
    let first = world.commit(&mut alice, &mut [], commit).unwrap();
    world.now -= 3_600_000;
    let commit = alice.update(world.now);
    let second = world.commit(&mut alice, &mut [], commit).unwrap();
    second.follows(&first, world.now + 3_600_000).unwrap();
}

#[test]
fn a_submission_with_one_byte_changed_is_refused_and_the_right_one_still_wins() {
    let mut world = World::new();
    let mut bob = bob();
    let mut alice = world.alices_group();
    let package = world.claim_one(&alice, &bob);
    let good = alice.commit_adding(world.now, &[package]);
    let flip = |part: &Part, at: usize| {
        let mut bytes = part.inline().unwrap().to_vec();
        let at = bytes.len() - 1 - at;
        bytes[at] ^= 1;
        Part::Inline(bytes)
    };
    // A commit ends with its confirmation tag (32 bytes and a length) and its membership tag.
    let changed = [
        ("membership tag", SubmitCommit { commit: flip(&good.commit, 5), ..good.clone() }),
        ("confirmation tag", SubmitCommit { commit: flip(&good.commit, 40), ..good.clone() }),
        ("commit", SubmitCommit { commit: flip(&good.commit, 200), ..good.clone() }),
        ("GroupInfo", SubmitCommit { group_info: flip(&good.group_info, 3), ..good.clone() }),
        (
            "Welcome",
            SubmitCommit { welcome: Some(flip(good.welcome.as_ref().unwrap(), 3)), ..good.clone() },
        ),
        ("signature", {
            let mut signature = good.signature.clone();
            signature[0] ^= 1;
            SubmitCommit { signature, ..good.clone() }
        }),
        ("no Welcome", SubmitCommit { welcome: None, ..good.clone() }),
    ];
    for (what, submission) in changed {
        let refused = world.submit(&alice.user(), submission);
        assert!(
            matches!(refused, Err(Refusal::NotAllowed(_) | Refusal::InvalidCommit(_))),
            "{what}: {refused:?}"
        );
    }
    world.commit(&mut alice, &mut [], good).unwrap();
    bob.join(&world.take_welcomes()[0]);
}

#[test]
fn a_submission_signed_by_another_key_or_sent_by_another_account_is_refused() {
    let mut world = World::new();
    let mut bob = bob();
    let mut alice = world.group_with(&mut [&mut bob]);
    let good = alice.update(world.now);
    let bytes = |part: &Part| part.inline().unwrap().to_vec();
    let forged = bob.signed(
        good.group.clone(),
        good.epoch,
        bytes(&good.commit),
        None,
        bytes(&good.group_info),
    );
    assert!(matches!(world.submit(&alice.user(), forged), Err(Refusal::NotAllowed(_))));
    assert!(matches!(world.submit(&bob.user(), good.clone()), Err(Refusal::NotAllowed(_))));
    let stranger = Device::new("@mallory:example.org", "M").user();
    assert!(matches!(world.submit(&stranger, good.clone()), Err(Refusal::NotAllowed(_))));
    world.submit(&alice.user(), good).unwrap();
}

#[test]
fn a_group_info_of_another_epoch_or_member_or_without_the_key_is_refused() {
    let mut world = World::new();
    let mut bob = bob();
    let mut alice = world.group_with(&mut [&mut bob]);
    let old = alice.group().group_info_message_allowing_ext_commit(false).unwrap();
    let good = alice.update(world.now);
    let commit = good.commit.inline().unwrap().to_vec();
    // Both are a step ahead of the hub, and the committer signs what it should not.
    let message = MlsMessage::from_bytes(&commit).unwrap();
    bob.group().process_incoming_message(message).unwrap();
    alice.apply();
    let bobs = bob.group().group_info_message_allowing_ext_commit(false).unwrap();
    let keyless = alice.group().group_info_message(false).unwrap();
    let wrong = [("of the old epoch", old), ("of another member", bobs), ("keyless", keyless)];
    for (what, group_info) in wrong {
        let group_info = group_info.to_bytes().unwrap();
        let submission =
            alice.signed(good.group.clone(), good.epoch, commit.clone(), None, group_info);
        let refused = world.submit(&alice.user(), submission);
        assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{what}: {refused:?}");
    }
    world.submit(&alice.user(), good).unwrap();
}

#[test]
fn a_welcome_of_another_commit_is_refused() {
    let mut world = World::new();
    let (bob, carol) = (bob(), carol());
    let mut alice = world.alices_group();
    let packages = [world.claim_one(&alice, &bob), world.claim_one(&alice, &carol)];
    let other = alice.commit_adding(world.now, &packages[1..]);
    let good = alice.commit_adding(world.now, &packages[..1]);
    let bytes = |part: &Part| part.inline().unwrap().to_vec();
    for welcome in [other.welcome.as_ref().map(bytes), None] {
        let commit = bytes(&good.commit);
        let info = bytes(&good.group_info);
        let mixed = alice.signed(good.group.clone(), good.epoch, commit, welcome, info);
        let refused = world.submit(&alice.user(), mixed);
        assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{refused:?}");
    }
    world.submit(&alice.user(), good).unwrap();
}

#[test]
fn who_is_added_again_is_let_in_where_it_is_not_listed() {
    let mut world = World::new();
    let mut phone = bob();
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    let mut desktop = Device::new("bob@example.org", "00000000000000b2");
    let mut alice = world.group_with(&mut [&mut phone]);
    let admitted = |world: &mut World| -> Vec<_> {
        let admit = |e| match e {
            Effect::Admit(Admit { room, user, .. }) => Some((room, user)),
            _ => None,
        };
        world.take_effects().into_iter().filter_map(admit).collect()
    };
    let bob = phone.user();
    assert_eq!(admitted(&mut world), [(room(), bob.clone()), (muc(), bob.clone())]);
    world.add(&mut alice, &mut [&mut phone], &mut [&mut laptop]);
    assert_eq!(admitted(&mut world), [(muc(), bob.clone())]);
    let change = Membership { room: muc(), user: bob, listed: true };
    world.happen(Input::Membership(change));
    world.add(&mut alice, &mut [&mut phone, &mut laptop], &mut [&mut desktop]);
    assert_eq!(admitted(&mut world), []);
}

#[test]
fn a_key_package_that_was_not_claimed_for_this_group_is_not_added() {
    let mut world = World::new();
    let (bob, mut alice) = (bob(), world.alices_group());
    let own = bob.key_package(world.now, false);
    let commit = alice.commit_adding(world.now, &[own]);
    let refused = world.submit(&alice.user(), commit);
    assert!(
        matches!(&refused, Err(Refusal::InvalidCommit(why)) if why.contains("claim")),
        "{refused:?}"
    );
}

#[test]
fn a_one_time_package_is_added_once() {
    let mut world = World::new();
    let mut bob = bob();
    let mut alice = world.alices_group();
    let package = world.claim_one(&alice, &bob);
    let commit = alice.commit_adding(world.now, std::slice::from_ref(&package));
    world.commit(&mut alice, &mut [], commit).unwrap();
    bob.join(&world.take_welcomes()[0]);
    let commit = alice.commit(world.now, |b| b.remove_member(bob.index()));
    world.commit(&mut alice, &mut [], commit).unwrap();
    let commit = alice.commit_adding(world.now, &[package]);
    let refused = world.submit(&alice.user(), commit);
    assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{refused:?}");
}

#[test]
fn who_is_removed_is_put_out_of_both_rooms_when_the_last_leaf_goes() {
    let mut world = World::new();
    let mut bob = bob();
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    let mut alice = world.group_with(&mut [&mut bob, &mut laptop]);
    world.take_effects();
    let expelled = |world: &mut World| -> Vec<_> {
        let expel = |e| match e {
            Effect::Expel(Expel { room, user, .. }) => Some((room, user)),
            _ => None,
        };
        world.take_effects().into_iter().filter_map(expel).collect()
    };
    let commit = alice.commit(world.now, |b| b.remove_member(bob.index()));
    world.commit(&mut alice, &mut [&mut laptop], commit).unwrap();
    assert_eq!(expelled(&mut world), []);
    let commit = alice.commit(world.now, |b| b.remove_member(laptop.index()));
    world.commit(&mut alice, &mut [], commit).unwrap();
    assert_eq!(expelled(&mut world), [(room(), bob.user()), (muc(), bob.user())]);
    assert_eq!(world.hub().users_in(&muc()).unwrap(), [alice.user()]);
}

#[test]
fn garbage_and_encrypted_handshakes_are_refused() {
    let mut world = World::new();
    let mut bob = bob();
    let mut alice = world.group_with(&mut [&mut bob]);
    let good = alice.update(world.now);
    let private = bob.encrypt("not a commit");
    for commit in
        [Vec::new(), vec![0xff; 300], private.clone(), good.group_info.inline().unwrap().to_vec()]
    {
        let submission = SubmitCommit { commit: commit.clone().into(), ..good.clone() };
        let refused = world.submit(&alice.user(), submission);
        assert!(matches!(refused, Err(Refusal::InvalidCommit(_))), "{refused:?}");
        assert!(world.propose(&alice, commit).is_err());
    }
    world.submit(&alice.user(), good).unwrap();
}

#[test]
fn an_unknown_group_is_unknown() {
    let mut world = World::new();
    let mut alice = world.alices_group();
    let mut commit = alice.update(world.now);
    commit.group.0[0] ^= 1;
    assert_eq!(world.submit(&alice.user(), commit), Err(Refusal::UnknownGroup));
}

#[test]
fn handshakes_can_be_fetched_by_members_in_their_order() {
    use mls_core::wire::Answer;
    use mls_core::wire::fetch_handshakes::FetchHandshakes;
    let mut world = World::new();
    let mut alice = world.alices_group();
    let mut hashes = Vec::new();
    for _ in 0..25 {
        let commit = alice.update(world.now);
        hashes.push(sha256(commit.commit.inline().unwrap()));
        world.commit(&mut alice, &mut [], commit).unwrap();
    }
    let mut fetched = Vec::new();
    while fetched.len() < 25 {
        let from_seq = 1 + fetched.len() as u64;
        let fetch = FetchHandshakes { group: alice.group_id(), from_seq };
        match world.request(&alice.user(), Request::FetchHandshakes(fetch)).unwrap() {
            Answer::Handshakes(page) => {
                assert_eq!(page.last_seq, 25);
                assert!(!page.handshakes.is_empty());
                fetched.extend(page.handshakes.iter().map(|h| sha256(h.message.inline().unwrap())));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fetched, hashes);
    let fetch = FetchHandshakes { group: alice.group_id(), from_seq: 1 };
    let refused = world.request(&bob().user(), Request::FetchHandshakes(fetch));
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))));
}
