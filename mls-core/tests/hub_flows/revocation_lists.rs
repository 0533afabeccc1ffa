//! Lists of revoked certificates where the operator puts another intermediate in: what the former key said of
//! its certificates stays in force.

use mls_core::authority::Authority;
use mls_core::bridge_group::BridgeGroup;
use mls_core::hub::{Input, OperatorOrder, Whom};
use mls_core::identity::{
    Certificate, ListInfo, Revocations, Standing, TrustAnchors, check_leaf_against,
};
use mls_core::limits::REVOCATION_LISTS_MAX;
use mls_core::policy::CREDENTIAL_LIFETIME_MS;
use mls_core::wire::create_room::RoomCreated;
use mls_rs_core::identity::{CertificateChain, Credential, SigningIdentity};

use crate::device::bridge_group;
use crate::operator::root;
use crate::roots::{Operated, intermediate, juliet};

/// A leaf with a fresh certificate of Juliet's device.
fn leaf(hub: &mut Operated, authority: &Option<Authority>) -> SigningIdentity {
    let chain: CertificateChain = hub.certificate(authority).unwrap().into();
    let key = Certificate::of(&chain).unwrap().key;
    SigningIdentity::new(Credential::X509(chain), key.into())
}

/// The operator revokes her device.
fn revoke(hub: &mut Operated, authority: &Option<Authority>) {
    give(hub, authority, Input::Operator(OperatorOrder::Revoke(Whom::Client(juliet()))));
}

fn give(hub: &mut Operated, authority: &Option<Authority>, input: Input) {
    let outcome = hub.open(authority).unwrap().handle(hub.now, input).unwrap();
    hub.store.apply(&outcome.writes);
}

fn read(lists: &[Vec<u8>]) -> Revocations {
    Revocations::from_ders(lists.iter().map(Vec::as_slice)).unwrap()
}

/// Whether who holds these lists knows that a leaf was revoked.
fn tell_of(
    hub: &mut Operated,
    authority: &Option<Authority>,
    lists: &[Vec<u8>],
    leaf: &SigningIdentity,
) -> bool {
    let info = hub.info(authority);
    let anchors = TrustAnchors(info.anchors.clone());
    let rooms = RoomCreated { matrix_room: None, muc: None };
    let group = BridgeGroup { anchors, ..bridge_group(&info, &rooms, &juliet().user()) };
    match check_leaf_against(leaf, &group, None, &read(lists)) {
        Ok(Standing::Vouched { .. }) => false,
        Err(why) => why.to_string().contains("revoked"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_revoked_under_a_former_intermediate_stands_in_the_list_of_the_next() {
    let (mut hub, root) = (Operated::new(), root());
    let (first, second) = (intermediate(&root), intermediate(&root));
    let leaf = leaf(&mut hub, &first);
    let names = |lists: &[Vec<u8>]| read(&lists[..1]).names(&leaf);
    assert!(!names(&hub.revocations(&first).unwrap()));
    revoke(&mut hub, &first);
    for authority in [&first, &second] {
        assert!(names(&hub.revocations(authority).unwrap()));
        let refused = hub.certificate(authority).unwrap_err();
        assert!(refused.to_string().contains("administrator"), "{refused}");
    }
}

#[test]
fn the_last_list_of_a_former_intermediate_is_served_until_its_certificates_have_ended() {
    let (mut hub, root) = (Operated::new(), root());
    let (first, second) = (intermediate(&root), intermediate(&root));
    let (lost, kept) = (leaf(&mut hub, &first), leaf(&mut hub, &first));
    revoke(&mut hub, &first);
    let before = hub.revocations(&first).unwrap();
    assert_eq!(hub.revocations(&first).unwrap(), before, "it is good for a while");
    let lists = hub.revocations(&second).unwrap();
    assert_eq!(lists[1..], before, "beside the one of the next");
    assert_eq!(
        ListInfo::of(&lists[0]).unwrap().number,
        ListInfo::of(&before[0]).unwrap().number + 1
    );
    // Both intermediates have the same name, and either order does.
    let backwards: Vec<_> = lists.iter().rev().cloned().collect();
    for lists in [&lists, &backwards] {
        assert!(tell_of(&mut hub, &second, lists, &lost));
    }
    assert!(!tell_of(&mut hub, &second, &lists[..1], &lost), "the next says nothing of it alone");
    assert!(tell_of(&mut hub, &second, &lists, &kept), "all that the device had is revoked");
    hub.now += CREDENTIAL_LIFETIME_MS;
    assert_eq!(hub.revocations(&second).unwrap().len(), 1);
}

#[test]
fn who_was_revoked_just_before_another_intermediate_came_stands_in_the_last_list_of_the_former() {
    let (mut hub, root) = (Operated::new(), root());
    let (first, second) = (intermediate(&root), intermediate(&root));
    let lost = leaf(&mut hub, &first);
    hub.revocations(&first).unwrap();
    revoke(&mut hub, &first);
    // Nobody has fetched a list since; the hub looks at its clock each minute.
    give(&mut hub, &first, Input::Tick);
    let lists = hub.revocations(&second).unwrap();
    assert!(tell_of(&mut hub, &second, &lists, &lost));
}

#[test]
fn an_intermediate_that_signs_again_has_one_list_and_there_are_only_so_many() {
    let (mut hub, root) = (Operated::new(), root());
    let several: Vec<_> = (0..REVOCATION_LISTS_MAX + 2).map(|_| intermediate(&root)).collect();
    let issuers = |lists: &[Vec<u8>]| -> Vec<_> {
        lists.iter().map(|list| ListInfo::of(list).unwrap().issuer).collect()
    };
    let mut newest_first = Vec::new();
    for authority in &several {
        let served = issuers(&hub.revocations(authority).unwrap());
        newest_first.insert(0, served[0]);
        newest_first.truncate(REVOCATION_LISTS_MAX);
        assert_eq!(served, newest_first);
    }
    let again = issuers(&hub.revocations(&several[REVOCATION_LISTS_MAX]).unwrap());
    newest_first.swap(0, 1);
    assert_eq!(again, newest_first);
}
