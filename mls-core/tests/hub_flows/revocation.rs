//! A device that its user has revoked: the hub does nothing for it any more, and has it removed.

use mls_core::address::ClientId;
use mls_core::authority::request_certificate;
use mls_core::crypto::Crypto;
use mls_core::identity::{ListInfo, Revocations};
use mls_core::policy::{CREDENTIAL_LIFETIME_MS, REVOCATION_LIST_LIFETIME_MS};
use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::transparency::{LogEntry, RevocationReason, Revoked};
use mls_core::wire::ask_to_join::AskToJoin;
use mls_core::wire::claim_key_packages::ClaimOutcome;
use mls_core::wire::fetch_own_entries::{FetchOwnEntries, OwnEntry};
use mls_core::wire::issue_credential::{self, IssueCredential};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::revoke_device::{RevokeDevice, proof_of};
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_core::wire::{Answer, Request};
use mls_rs_core::crypto::{CipherSuiteProvider, SignaturePublicKey};
use mls_rs_core::identity::{Credential, SigningIdentity};

use crate::device::{Device, SUITE};
use crate::world::{World, room};

/// Bob's telephone and his laptop, both certified, in a group of Alice's; and Carol's device in none.
pub(crate) struct Verona {
    pub(crate) world: World,
    pub(crate) alice: Device,
    pub(crate) phone: Device,
    pub(crate) laptop: Device,
    pub(crate) carol: Device,
}

impl Verona {
    pub(crate) fn new() -> Self {
        // Certificates hold random bytes, so no twin could make the same.
        let mut world = World::alone();
        let mut phone = Device::new("bob@example.org", "00000000000000b0");
        let mut laptop = Device::new("bob@example.org", "00000000000000b1");
        let carol = Device::new("carol@example.org", "00000000000000c0");
        let alice = world.group_with(&mut [&mut phone, &mut laptop]);
        world.take_effects();
        let mut verona = Self { world, alice, phone, laptop, carol };
        for device in [&verona.phone, &verona.laptop, &verona.carol] {
            certify(&mut verona.world, device).unwrap();
        }
        verona.world.with_twin();
        verona
    }

    /// The laptop is revoked from the telephone.
    fn revoke_laptop(&mut self) {
        let request = revocation(&self.phone, &self.laptop.id);
        assert_eq!(self.world.request(&self.phone.user(), request), Ok(Answer::Done));
    }
}

pub(crate) fn certify(world: &mut World, device: &Device) -> Result<Answer, Refusal> {
    let public = public_key(device);
    let request = request_certificate(&device.id, SUITE, &device.key, &public).unwrap();
    let proof = sign(device, &issue_credential::proof_of(&request));
    let issue = IssueCredential { request, device_key: public.to_vec(), proof };
    world.request(&device.user(), Request::IssueCredential(issue))
}

pub(crate) fn public_key(device: &Device) -> SignaturePublicKey {
    let suite = Crypto::system().suite(SUITE).unwrap();
    suite.signature_key_derive_public(&device.key).unwrap()
}

pub(crate) fn sign(device: &Device, message: &[u8]) -> Vec<u8> {
    mls_core::engine::sign(SUITE, &device.key, message).unwrap()
}

pub(crate) fn revocation(by: &Device, device: &ClientId) -> Request {
    let proof = sign(by, &proof_of(device, &by.id));
    Request::RevokeDevice(RevokeDevice { device: device.clone(), by: by.id.clone(), proof })
}

pub(crate) fn assert_refused<T: std::fmt::Debug>(result: Result<T, Refusal>, word: &str) {
    match result {
        Err(Refusal::NotAllowed(why) | Refusal::InvalidCommit(why) | Refusal::Invalid(why)) => {
            assert!(why.contains(word), "{why}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// The list of revoked certificates, as a device is given it.
pub(crate) fn list(world: &mut World, to: &Device) -> (ListInfo, Revocations) {
    match world.request(&to.user(), Request::FetchRevocations) {
        Ok(Answer::Revocations(answer)) => {
            let der = answer.lists[0].inline().unwrap().to_vec();
            (ListInfo::of(&der).unwrap(), Revocations::from_der(&der).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// The revocations in the log that are of the user of a device.
pub(crate) fn logged(world: &mut World, of: &Device) -> Vec<Revoked> {
    let fetch = Request::FetchOwnEntries(FetchOwnEntries { from: 0 });
    let entries = match world.request(&of.user(), fetch) {
        Ok(Answer::OwnEntries(found)) => found.entries,
        other => panic!("{other:?}"),
    };
    let revoked = |entry: OwnEntry| match entry.entry {
        LogEntry::Revoked(revoked) => Some(revoked),
        LogEntry::Issued(_) => None,
    };
    entries.into_iter().filter_map(revoked).collect()
}

/// A leaf with one more certificate of a device.
pub(crate) fn certificate(world: &mut World, device: &Device) -> SigningIdentity {
    match certify(world, device) {
        Ok(Answer::Credential(issued)) => {
            let chain: Vec<_> = issued.chain.into_iter().map(|one| one.0).collect();
            SigningIdentity::new(Credential::X509(chain.into()), public_key(device))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revoked_device_is_proposed_for_removal_once_and_a_member_commits_that() {
    let Verona { mut world, mut alice, mut phone, laptop, .. } = {
        let mut verona = Verona::new();
        verona.revoke_laptop();
        verona
    };
    let posted = world.take_posts(&room());
    assert_eq!(posted.len(), 1);
    let receipt = Receipt::from_bytes(&posted[0].handshake.receipt).unwrap();
    assert_eq!(receipt.tbs.kind, ReceiptKind::Proposal);
    let again = revocation(&phone, &laptop.id);
    assert_eq!(world.request(&phone.user(), again), Ok(Answer::Done));
    assert!(world.take_posts(&room()).is_empty(), "proposed twice");
    alice.receive(&posted[0].handshake);
    phone.receive(&posted[0].handshake);
    let commit = alice.update(world.now);
    world.commit(&mut alice, &mut [&mut phone], commit).unwrap();
    assert_eq!(phone.group().roster().members().len(), 2);
}

#[test]
fn what_a_revoked_device_makes_is_not_ordered_even_before_it_is_removed() {
    let mut verona = Verona::new();
    verona.revoke_laptop();
    let Verona { world, laptop, .. } = &mut verona;
    let commit = laptop.update(world.now);
    assert_refused(world.request(&laptop.user(), Request::SubmitCommit(commit)), "revoked");
    let proposal = laptop.group().propose_update(Vec::new()).unwrap();
    let submit = SubmitProposal {
        group: laptop.group_id(),
        epoch: laptop.epoch(),
        proposal: proposal.to_bytes().unwrap(),
    };
    assert_refused(world.request(&laptop.user(), Request::SubmitProposal(submit)), "revoked");
}

#[test]
fn a_revoked_device_gets_no_certificate_is_not_handed_out_and_cannot_ask_to_come_back() {
    let mut verona = Verona::new();
    // Handed out before it was revoked.
    let claimed = verona.world.claim_one(&verona.alice, &verona.laptop);
    verona.revoke_laptop();
    let Verona { world, alice, phone, laptop, .. } = &mut verona;
    assert_refused(certify(world, laptop), "revoked");
    let package = laptop.key_package(world.now, false);
    world.publish(laptop, vec![package], None).unwrap();
    world.now += 1000;
    let found = world.claim(&alice.user(), &alice.group_id(), &[laptop.user()]).unwrap();
    let of_laptop = found.iter().find(|found| found.client.as_ref() == Some(&laptop.id)).unwrap();
    assert_eq!(of_laptop.outcome, ClaimOutcome::Revoked);
    for handshake in world.take_posts(&room()).into_iter().map(|post| post.handshake) {
        alice.receive(&handshake);
        phone.receive(&handshake);
    }
    let commit = alice.update(world.now);
    world.commit(alice, &mut [phone], commit).unwrap();
    let commit = alice.commit_adding(world.now, &[claimed]);
    assert_refused(world.commit(alice, &mut [phone], commit), "revoked");
    let ask = Request::AskToJoin(AskToJoin { device: laptop.id.device() });
    assert_refused(world.request(&laptop.user(), ask), "revoked");
}

#[test]
fn nobody_revokes_anothers_device_nor_with_anothers_key_nor_from_a_device_that_is_revoked() {
    let mut verona = Verona::new();
    let Verona { world, phone, laptop, carol, .. } = &mut verona;
    assert_refused(world.request(&carol.user(), revocation(carol, &laptop.id)), "cannot revoke");
    // Carol's server says that she is Bob; his key she does not have.
    let (device, by) = (laptop.id.clone(), phone.id.clone());
    let proof = sign(carol, &proof_of(&device, &by));
    let forged = Request::RevokeDevice(RevokeDevice { device, by, proof });
    assert_refused(world.request(&phone.user(), forged), "signed");
    // Whoever has Bob's password logs in anew, and is certified for nothing yet.
    let thief = Device::new("bob@example.org", "00000000000000b9");
    assert_refused(world.request(&phone.user(), revocation(&thief, &laptop.id)), "certified");
    assert_refused(world.request(&phone.user(), revocation(phone, &phone.id)), "another one");
    // A slip of the pen must not look as if the lost device were gone.
    assert_refused(world.request(&phone.user(), revocation(phone, &thief.id)), "never saw");
    assert!(world.take_posts(&room()).is_empty());
    verona.revoke_laptop();
    let Verona { world, phone, laptop, .. } = &mut verona;
    assert_refused(world.request(&laptop.user(), revocation(laptop, &phone.id)), "revoked");
}

#[test]
fn a_revocation_is_listed_with_all_certificates_of_the_device_and_stands_in_the_log() {
    let mut verona = Verona::new();
    let Verona { world, phone, laptop, carol, .. } = &mut verona;
    world.twin_works = false;
    let of_laptop = [certificate(world, laptop), certificate(world, laptop)];
    let of_phone = certificate(world, phone);
    let (before, empty) = list(world, carol);
    assert!(!of_laptop.iter().any(|leaf| empty.names(leaf)));
    verona.revoke_laptop();
    let Verona { world, phone, carol, .. } = &mut verona;
    let (after, revoked) = list(world, carol);
    assert!(of_laptop.iter().all(|leaf| revoked.names(leaf)) && !revoked.names(&of_phone));
    assert_eq!(after.number, before.number + 1);
    assert_eq!(list(world, carol).0, after, "made anew without need");
    world.now += REVOCATION_LIST_LIFETIME_MS;
    let (fresh, still) = list(world, carol);
    assert!(fresh.number > after.number && fresh.next_update_s > after.next_update_s);
    assert!(still.names(&of_laptop[0]));
    let logged = logged(world, phone);
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0].client, verona.laptop.id);
    assert_eq!(logged[0].reason, RevocationReason::KeyCompromise);
    // Certificates that have ended need no list.
    let Verona { world, carol, .. } = &mut verona;
    world.now += CREDENTIAL_LIFETIME_MS;
    assert!(!of_laptop.iter().any(|leaf| list(world, carol).1.names(leaf)));
}
