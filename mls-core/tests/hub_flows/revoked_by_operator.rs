//! What an operator revokes, device or account, and what they give back.

use mls_core::address::UserId;
use mls_core::hub::{OperatorAnswer, OperatorOrder, OrderDone, RevokedBy, RevokedEntry, Whom};
use mls_core::transparency::RevocationReason;
use mls_core::wire::Request;
use mls_core::wire::claim_key_packages::ClaimOutcome;

use crate::device::Device;
use crate::revocation::{Verona, assert_refused, certificate, certify, list, logged, revocation};
use crate::world::{World, room};

fn revoke(whom: Whom) -> OperatorOrder {
    OperatorOrder::Revoke(whom)
}

fn device(device: &Device) -> Whom {
    Whom::Client(device.id.clone())
}

fn account(device: &Device) -> Whom {
    Whom::User(device.user())
}

fn done(answer: OperatorAnswer) -> OrderDone {
    match answer {
        OperatorAnswer::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

fn refused(answer: OperatorAnswer, word: &str) {
    match answer {
        OperatorAnswer::Refused(why) => assert!(why.contains(word), "{why}"),
        other => panic!("not refused: {other:?}"),
    }
}

/// Who is revoked, and by whom.
fn listed(world: &mut World) -> Vec<(Whom, RevokedBy)> {
    match world.order(OperatorOrder::List) {
        OperatorAnswer::Listed(entries) => {
            entries.into_iter().map(|RevokedEntry { whom, by, .. }| (whom, by)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_the_operator_revokes_counts_as_little_as_one_that_its_user_revokes() {
    let Verona { mut world, phone, mut laptop, carol, .. } = Verona::new();
    world.twin_works = false;
    let leaf = certificate(&mut world, &laptop);
    world.with_twin();
    let before = list(&mut world, &carol).0;
    let answer = done(world.order(revoke(device(&laptop))));
    assert_eq!((answer.devices, answer.groups), (vec![laptop.id.clone()], 1));
    assert_eq!(world.take_posts(&room()).len(), 1, "its removal is proposed");
    let (after, revoked) = list(&mut world, &carol);
    assert!(after.number > before.number && revoked.names(&leaf));
    assert_refused(certify(&mut world, &laptop), "administrator");
    let commit = laptop.update(world.now);
    assert_refused(world.request(&laptop.user(), Request::SubmitCommit(commit)), "administrator");
    let entries = logged(&mut world, &phone);
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0].client, entries[0].reason),
        (&laptop.id, RevocationReason::Unspecified)
    );
    let again = done(world.order(revoke(device(&laptop))));
    assert_eq!((again.devices.len(), again.groups), (0, 0));
    assert!(world.take_posts(&room()).is_empty() && logged(&mut world, &phone).len() == 1);
    assert_eq!(listed(&mut world), [(device(&laptop), RevokedBy::Operator)]);
}

#[test]
fn a_revoked_account_loses_all_its_devices_and_those_to_come_until_that_is_undone() {
    let Verona { mut world, alice, phone, laptop, .. } = Verona::new();
    world.twin_works = false;
    let both = vec![phone.id.clone(), laptop.id.clone()];
    let answer = done(world.order(revoke(account(&phone))));
    assert_eq!((answer.devices, answer.groups), (both.clone(), 1));
    assert_eq!(world.take_posts(&room()).len(), 2);
    let tablet = Device::new("bob@example.org", "00000000000000b2");
    for device in [&phone, &laptop, &tablet] {
        assert_refused(
            certify(&mut world, device),
            "bob@example.org is revoked by the administrator",
        );
    }
    let package = tablet.key_package(world.now, false);
    world.publish(&tablet, vec![package], None).unwrap();
    let claimed = world.claim(&alice.user(), &alice.group_id(), &[tablet.user()]).unwrap();
    assert!(claimed.iter().all(|claimed| claimed.outcome == ClaimOutcome::Revoked), "{claimed:?}");
    refused(world.order(OperatorOrder::Undo(device(&phone))), "undo that of xmpp:bob@example.org");
    let given_back = done(world.order(OperatorOrder::Undo(account(&phone))));
    assert_eq!(given_back.devices, both);
    for device in [&phone, &laptop, &tablet] {
        certify(&mut world, device).unwrap();
    }
    assert_eq!(listed(&mut world), []);
}

#[test]
fn what_was_certified_before_stays_on_the_list_when_a_device_may_ask_again() {
    let Verona { mut world, laptop, carol, .. } = Verona::new();
    world.twin_works = false;
    let former = certificate(&mut world, &laptop);
    done(world.order(revoke(device(&laptop))));
    done(world.order(OperatorOrder::Undo(device(&laptop))));
    let fresh = certificate(&mut world, &laptop);
    let (_, revoked) = list(&mut world, &carol);
    assert!(revoked.names(&former) && !revoked.names(&fresh));
    // And once more.
    done(world.order(revoke(device(&laptop))));
    let (_, revoked) = list(&mut world, &carol);
    assert!(revoked.names(&former) && revoked.names(&fresh));
}

#[test]
fn undoing_an_account_gives_back_what_that_took_and_nothing_else() {
    let Verona { mut world, phone, laptop, .. } = Verona::new();
    let tablet = Device::new("bob@example.org", "00000000000000b2");
    world.twin_works = false;
    certify(&mut world, &tablet).unwrap();
    world.with_twin();
    world.request(&phone.user(), revocation(&phone, &laptop.id)).unwrap();
    done(world.order(revoke(account(&phone))));
    // Named by itself, after its account.
    assert_eq!(done(world.order(revoke(device(&tablet)))).devices, []);
    let given_back = done(world.order(OperatorOrder::Undo(account(&phone))));
    assert_eq!(given_back.devices, std::slice::from_ref(&phone.id));
    let by_phone = RevokedBy::Device(phone.id.clone());
    let left = [(device(&laptop), by_phone), (device(&tablet), RevokedBy::Operator)];
    assert_eq!(listed(&mut world), left);
}

#[test]
fn an_order_that_cannot_be_meant_changes_nothing_and_says_why() {
    let Verona { mut world, phone, laptop, .. } = Verona::new();
    let stranger = Whom::User(UserId::xmpp("romeo@elsewhere.org").unwrap());
    let unknown = Device::new("bob@example.org", "00000000000000b9");
    for (order, word) in [
        (revoke(stranger), "certifies accounts of example.org"),
        (revoke(device(&unknown)), "never saw"),
        (OperatorOrder::Undo(device(&laptop)), "is not revoked"),
        (OperatorOrder::Undo(account(&phone)), "is not revoked as an account"),
    ] {
        let outcome = world.input(mls_core::hub::Input::Operator(order));
        assert!(outcome.writes.is_empty() && outcome.effects.is_empty());
        refused(outcome.operator.unwrap(), word);
    }
}

#[test]
fn an_account_without_devices_can_be_revoked_before_it_has_one() {
    let mut world = World::alone();
    let carol = Device::new("carol@example.org", "00000000000000c0");
    assert_eq!(done(world.order(revoke(account(&carol)))).devices, []);
    assert_refused(certify(&mut world, &carol), "administrator");
    assert_eq!(listed(&mut world), [(account(&carol), RevokedBy::Operator)]);
}
