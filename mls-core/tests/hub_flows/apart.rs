//! The authority as a process of its own: each of the two answers what is its own, and the hub follows the
//! authority's list of who is revoked.

use mls_core::address::UserId;
use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::hub::{
    HubSetup, Input, OperatorAnswer, OperatorOrder, RevokedBy, RevokedEntry, RevokedList,
    RevokedListError, Roles, Whom,
};
use mls_core::service::{Service, ServiceAddress};
use mls_core::wire::fetch_tree_head::FetchTreeHead;
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use crate::device::Device;
use crate::revocation::{assert_refused, certify, revocation};
use crate::world::{NOW, World, room, setup};

fn address(matrix: &str, xmpp: &str) -> ServiceAddress {
    ServiceAddress { matrix: Some(matrix.to_owned()), xmpp: Some(xmpp.to_owned()) }
}

fn of_authority() -> ServiceAddress {
    address("@mls-authority:example.org", "authority.example.org")
}

fn of_hub() -> ServiceAddress {
    address("@mls:example.org", "mls.example.org")
}

/// Two processes of one domain.
struct Two {
    authority: World,
    hub: World,
    roots: Vec<Vec<u8>>,
}

impl Two {
    fn new() -> Self {
        let (given, _) = Authority::make(&Crypto::system(), "example.org").unwrap();
        let roots = vec![given.anchor().to_vec()];
        let ServiceAddress { matrix, xmpp } = of_authority();
        let mut authority = World::of(HubSetup {
            matrix,
            xmpp,
            authority: Some(given),
            roles: Roles::Authentication { delivery: of_hub() },
        });
        // Certificates hold random bytes, so no twin could make the same.
        authority.twin_works = false;
        let roles = Roles::Delivery { authority: of_authority(), roots: roots.clone() };
        Self { authority, hub: World::of(HubSetup { roles, ..setup() }), roots }
    }

    fn signed(&self) -> Vec<u8> {
        self.authority.hub().signed_revoked_list(self.authority.now).unwrap()
    }

    /// The hub is given the authority's list of now.
    fn carry(&mut self) {
        self.authority.now += 1000;
        self.hub.now = self.authority.now;
        let list = RevokedList::verify(&self.signed(), &self.roots, self.hub.now).unwrap();
        self.hub.happen(Input::Revoked(list));
    }

    fn order(&mut self, order: OperatorOrder) {
        let answer = self.authority.order(order);
        assert!(matches!(answer, OperatorAnswer::Done(_)), "{answer:?}");
    }
}

fn fetch_welcomes() -> Request {
    let (device, acknowledged) = ("PHONE".to_owned(), Vec::new());
    Request::FetchWelcomes(FetchWelcomes { device, acknowledged, held: Vec::new() })
}

fn named(info: &HubInfo) -> Vec<&[u8]> {
    info.anchors.iter().map(|anchor| anchor.certificate.as_slice()).collect()
}

#[test]
fn each_service_refuses_what_the_other_answers_and_says_where_that_is() {
    let Two { mut authority, mut hub, roots } = Two::new();
    let alice = UserId::matrix("@alice:example.org").unwrap();
    for request in
        [Request::FetchRevocations, Request::FetchTreeHead(FetchTreeHead { since_size: 0 })]
    {
        assert_eq!(request.service(), Some(Service::Authentication));
        let refused = Err(Refusal::Elsewhere(of_authority()));
        assert_eq!(hub.request(&alice, request.clone()), refused);
        assert!(authority.request(&alice, request).is_ok());
    }
    let refused = Err(Refusal::Elsewhere(of_hub()));
    assert_eq!(authority.request(&alice, fetch_welcomes()), refused);
    assert!(hub.request(&alice, fetch_welcomes()).is_ok());
    // Both say who they are, with keys of their own and one root for each of two domains that are one.
    let (of_authority, of_hub) = (authority.info(&alice), hub.info(&alice));
    assert_ne!(of_authority.seal_key, of_hub.seal_key);
    assert_eq!(named(&of_authority), named(&of_hub));
    assert_eq!(named(&of_hub), [roots[0].as_slice()]);
}

#[test]
fn one_process_for_both_refuses_neither() {
    let mut both = World::new();
    let alice = UserId::matrix("@alice:example.org").unwrap();
    assert!(both.request(&alice, Request::FetchRevocations).is_ok());
    assert!(both.request(&alice, fetch_welcomes()).is_ok());
}

#[test]
fn who_is_revoked_at_the_authority_is_kept_out_by_the_hub_until_that_is_undone() {
    let mut two = Two::new();
    let mut phone = Device::new("bob@example.org", "00000000000000b0");
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    let alice = two.hub.group_with(&mut [&mut phone, &mut laptop]);
    two.hub.take_effects();
    for device in [&phone, &laptop] {
        certify(&mut two.authority, device).unwrap();
    }
    // Of themselves, from another device.
    let revoked = two.authority.request(&phone.user(), revocation(&phone, &laptop.id));
    assert_eq!(revoked, Ok(Answer::Done));
    two.carry();
    assert_eq!(two.hub.take_posts(&room()).len(), 1, "its removal is proposed");
    let commit = laptop.update(two.hub.now);
    assert_refused(two.hub.request(&laptop.user(), Request::SubmitCommit(commit)), "is revoked");
    two.carry();
    assert!(two.hub.take_posts(&room()).is_empty(), "once");
    // Of an account, by the operator of the authority, which never saw Alice.
    two.order(OperatorOrder::Revoke(Whom::User(alice.user())));
    two.carry();
    assert_eq!(two.hub.take_posts(&room()).len(), 1, "the hub knows which devices she has");
    let package = Device::new("@alice:example.org", "NEW").key_package(two.hub.now, false);
    assert!(two.hub.publish(&phone, vec![package], None).is_err());
    two.order(OperatorOrder::Undo(Whom::User(alice.user())));
    two.order(OperatorOrder::Undo(Whom::Client(laptop.id.clone())));
    two.carry();
    let listed = two.hub.order(OperatorOrder::List);
    assert_eq!(listed, OperatorAnswer::Listed(Vec::new()));
}

#[test]
fn the_hub_of_another_authority_revokes_nobody_by_itself() {
    let mut two = Two::new();
    let bob = UserId::xmpp("bob@example.org").unwrap();
    match two.hub.order(OperatorOrder::Revoke(Whom::User(bob))) {
        OperatorAnswer::Refused(why) => assert!(why.contains("another process"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_an_authority_alone_never_saw_is_revoked_by_its_user_and_by_the_operator() {
    let mut two = Two::new();
    let mut phone = Device::new("bob@example.org", "00000000000000b0");
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    let alice = two.hub.group_with(&mut [&mut phone, &mut laptop]);
    two.hub.take_effects();
    certify(&mut two.authority, &phone).unwrap();
    // The laptop has a basic credential.
    let revoked = two.authority.request(&phone.user(), revocation(&phone, &laptop.id));
    assert_eq!(revoked, Ok(Answer::Done));
    two.carry();
    assert_eq!(two.hub.take_posts(&room()).len(), 1, "its removal is proposed");
    let of_other = two.authority.request(&phone.user(), revocation(&phone, &alice.id));
    assert_refused(of_other, "cannot revoke");
    two.order(OperatorOrder::Revoke(Whom::Client(alice.id.clone())));
    two.carry();
    assert_eq!(two.hub.take_posts(&room()).len(), 1, "Alice's too");
}

#[test]
fn what_was_revoked_before_the_two_were_parted_stays_so_until_a_list_named_it_and_does_no_more() {
    let mut both = World::alone();
    let mut laptop = Device::new("bob@example.org", "00000000000000b1");
    both.group_with(&mut [&mut laptop]);
    let at_ms = both.now;
    let carol = RevokedEntry { at_ms, ..revoked("carol@example.org") };
    let whom = Whom::Client(laptop.id.clone());
    let laptop = RevokedEntry { whom, by: RevokedBy::Operator, at_ms };
    for entry in [&carol, &laptop] {
        let done = both.order(OperatorOrder::Revoke(entry.whom.clone()));
        assert!(matches!(done, OperatorAnswer::Done(_)), "{done:?}");
    }
    let mut two = Two::new();
    two.hub = two.hub.restored(&both.backup());
    two.carry();
    let listed = two.hub.order(OperatorOrder::List);
    assert_eq!(listed, OperatorAnswer::Listed(vec![carol.clone(), laptop.clone()]));
    two.order(OperatorOrder::Revoke(carol.whom.clone()));
    two.carry();
    two.order(OperatorOrder::Undo(carol.whom));
    two.carry();
    assert_eq!(two.hub.order(OperatorOrder::List), OperatorAnswer::Listed(vec![laptop]));
}

fn revoked(user: &str) -> RevokedEntry {
    let user = UserId::from_human(user).unwrap();
    RevokedEntry { whom: Whom::User(user), by: RevokedBy::Operator, at_ms: NOW }
}

#[test]
fn an_older_list_and_accounts_of_other_domains_count_nothing() {
    let mut two = Two::new();
    let bob = RevokedEntry { at_ms: NOW - 1000, ..revoked("bob@example.org") };
    let entries = vec![bob.clone(), revoked("@carol:elsewhere.org")];
    two.hub.happen(Input::Revoked(RevokedList { made_ms: NOW, entries }));
    let bob = OperatorAnswer::Listed(vec![bob]);
    assert_eq!(two.hub.order(OperatorOrder::List), bob);
    for made_ms in [NOW - 1, NOW] {
        two.hub.happen(Input::Revoked(RevokedList { made_ms, entries: Vec::new() }));
        assert_eq!(two.hub.order(OperatorOrder::List), bob, "a list of {made_ms}");
    }
    two.hub.happen(Input::Revoked(RevokedList { made_ms: NOW + 1, entries: Vec::new() }));
    assert_eq!(two.hub.order(OperatorOrder::List), OperatorAnswer::Listed(Vec::new()));
}

#[test]
fn a_process_that_certifies_follows_no_list() {
    let mut both = World::new();
    let entries = vec![revoked("bob@example.org")];
    both.happen(Input::Revoked(RevokedList { made_ms: NOW, entries }));
    assert_eq!(both.order(OperatorOrder::List), OperatorAnswer::Listed(Vec::new()));
}

#[test]
fn a_list_holds_by_the_signature_of_its_authority_and_in_its_time() {
    let mut two = Two::new();
    two.order(OperatorOrder::Revoke(Whom::User(UserId::xmpp("bob@example.org").unwrap())));
    let bytes = two.signed();
    let read = RevokedList::verify(&bytes, &two.roots, NOW).unwrap();
    assert_eq!((read.made_ms, read.entries), (NOW, vec![revoked("bob@example.org")]));
    let other = Two::new();
    let judged = RevokedList::verify(&bytes, &other.roots, NOW);
    assert!(matches!(judged, Err(RevokedListError::Path(_))), "{judged:?}");
    let early = RevokedList::verify(&bytes, &two.roots, NOW - 3_600_000);
    assert!(matches!(early, Err(RevokedListError::Future)), "{early:?}");
    for bit in 0..bytes.len() * 8 {
        let mut forged = bytes.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(RevokedList::verify(&forged, &two.roots, NOW).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(RevokedList::verify(&bytes[..length], &two.roots, NOW).is_err(), "{length} bytes");
    }
    assert!(two.hub.hub().signed_revoked_list(NOW).is_err(), "a hub signs none");
}
