//! Each rule that hub and members share, broken by a commit that the hub lets pass: no member follows it.

use mls_core::address::UserId;
use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::crypto::Crypto;
use mls_core::engine::mls_time;
use mls_core::identity::{ClientIdentity, credential};
use mls_core::limits::{ADDS_BY_VALUE_PER_COMMIT_MAX, PSKS_PER_COMMIT_MAX};
use mls_core::member::Command;
use mls_core::policy::{
    BRIDGE_GROUP_EXTENSION, CIPHER_SUITES, KEY_PACKAGE_LIFETIME_S, LAST_RESORT_EXTENSION,
};
use mls_core::receipt::ReceiptKind;
use mls_core::wire::GroupId;
use mls_rs::client_builder::MlsConfig;
use mls_rs::error::MlsError;
use mls_rs::group::CommitBuilder;
use mls_rs::identity::SigningIdentity;
use mls_rs::psk::ExternalPskId;
use mls_rs::{Client, ExtensionList, Group, MlsMessage};
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::protocol_version::ProtocolVersion;

use crate::lying_hub::{PSKS, VICTIM, deceive, deceived, lawless, lawless_listing};
use crate::network::World;

/// Alice, who is the admin, and Juliet, who is none.
const ADMIN: usize = 0;
const MEMBER: usize = 2;

/// Bob is given a commit by somebody; he does not follow it, and says why.
fn check_refused<C: MlsConfig>(
    world: &mut World,
    group: &GroupId,
    commit: Result<CommitBuilder<'_, C>, MlsError>,
    says: &str,
) {
    let before = world.epoch(VICTIM, group);
    let now = mls_time(world.now_ms);
    let commit = commit.unwrap().commit_time(now).build().unwrap();
    let commit = commit.commit_message.to_bytes().unwrap();
    deceive(world, group, ReceiptKind::Commit, commit);
    assert_eq!(world.epoch(VICTIM, group), before, "followed a commit that breaks: {says}");
    let warnings = world.warnings(VICTIM).join("; ");
    assert!(warnings.contains(says), "{says}: {warnings}");
}

/// A key package of somebody new that lives so long, in seconds.
fn package(world: &World, number: usize, lifetime_s: u64) -> MlsMessage {
    let user = UserId::from_human(&format!("@guest{number}:a.org")).unwrap();
    let (key, public) = Crypto::system().generate_signature_key(CIPHER_SUITES[0]).unwrap();
    let identity = SigningIdentity::new(credential(&user.device("NEW").unwrap()), public);
    let client = Client::builder()
        .crypto_provider(Crypto::system())
        .identity_provider(ClientIdentity)
        .extension_types([BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
        .key_package_lifetime(std::time::Duration::from_secs(lifetime_s))
        .signing_identity(identity, key, CIPHER_SUITES[0])
        .build();
    let now = mls_time(world.now_ms - 60_000);
    client.generate_key_package_message(<_>::default(), <_>::default(), Some(now)).unwrap()
}

/// The group's context with a change.
fn changed<C: MlsConfig>(group: &Group<C>, change: fn(&mut BridgeGroup)) -> ExtensionList {
    let mut extensions = group.context().extensions.clone();
    let mut bound = BridgeGroup::from_extensions(&extensions).unwrap();
    change(&mut bound);
    extensions.set_from(bound).unwrap();
    extensions
}

#[test]
fn the_same_commit_within_the_rules_is_followed() {
    let (mut world, group) = deceived();
    let commit = lawless(&mut world, MEMBER, &group).commit(Vec::new()).unwrap();
    let before = world.epoch(VICTIM, &group).unwrap();
    deceive(&mut world, &group, ReceiptKind::Commit, commit.commit_message.to_bytes().unwrap());
    assert_eq!(world.epoch(VICTIM, &group), Some(before + 1), "{:?}", world.warnings(VICTIM));
}

#[test]
fn a_commit_that_adds_too_many_or_a_package_that_lives_too_long_is_not_followed() {
    let cases = [
        (
            ADDS_BY_VALUE_PER_COMMIT_MAX + 1,
            KEY_PACKAGE_LIFETIME_S,
            "at most 50 clients can be added",
        ),
        (1, 365 * 24 * 3600, "an added key package: it must live at most 84 days"),
    ];
    for (count, lifetime_s, says) in cases {
        let (mut world, group) = deceived();
        let mut alice = lawless(&mut world, ADMIN, &group);
        let added = (0..count).try_fold(alice.commit_builder(), |builder, number| {
            builder.add_member(package(&world, number, lifetime_s))
        });
        check_refused(&mut world, &group, added, says);
    }
}

/// What only admins may do, and what is said of it.
const OF_ADMINS: [(Offence, &str); 5] = [
    (Offence::Remove, "only an admin may remove others"),
    (Offence::Add, "only an admin may add"),
    (Offence::Settings, "only an admin may change the group's settings"),
    (Offence::Psk, "only an admin may use a pre-shared key"),
    (Offence::ReInit, "only an admin may start the group anew"),
];

#[derive(Clone, Copy)]
enum Offence {
    Remove,
    Add,
    Settings,
    Psk,
    ReInit,
}

impl Offence {
    fn put_into<'a, C: MlsConfig>(
        self,
        commit: CommitBuilder<'a, C>,
        world: &World,
        settings: ExtensionList,
    ) -> Result<CommitBuilder<'a, C>, MlsError> {
        match self {
            Self::Remove => commit.remove_member(0),
            Self::Add => commit.add_member(package(world, 0, KEY_PACKAGE_LIFETIME_S)),
            Self::Settings => commit.set_group_context_ext(settings),
            Self::Psk => commit.add_external_psk(ExternalPskId::new(vec![0])),
            Self::ReInit => {
                let (id, version) = (Some(vec![9; 16]), ProtocolVersion::MLS_10);
                commit.reinit(id, version, CIPHER_SUITES[0], settings)
            }
        }
    }
}

#[test]
fn a_commit_of_who_is_no_admin_is_not_followed_where_it_does_what_only_admins_may() {
    for (offence, says) in OF_ADMINS {
        let (mut world, group) = deceived();
        let mut juliet = lawless(&mut world, MEMBER, &group);
        let settings = changed(&juliet, |bound| bound.members_may_add = true);
        let commit = offence.put_into(juliet.commit_builder(), &world, settings);
        check_refused(&mut world, &group, commit, says);
    }
}

#[test]
fn a_commit_of_an_admin_is_not_followed_where_it_changes_what_nobody_may() {
    type Change = fn(&mut BridgeGroup);
    let changes: [(Change, &str); 5] = [
        (|bound| bound.muc = "elsewhere@rooms.x.org".to_owned(), "hub and rooms cannot be changed"),
        (
            |bound| bound.hub_xmpp = "mls.elsewhere.org".to_owned(),
            "hub and rooms cannot be changed",
        ),
        (|bound| bound.order = Order::Room, "only a group that lives in one network"),
        (|bound| bound.receipt_key[0] ^= 1, "old key has not signed"),
        (|bound| bound.admins.clear(), "must keep an admin"),
    ];
    for (change, says) in changes {
        let (mut world, group) = deceived();
        let mut alice = lawless(&mut world, ADMIN, &group);
        let to = changed(&alice, change);
        let commit = alice.commit_builder().set_group_context_ext(to);
        check_refused(&mut world, &group, commit, says);
    }
    for gone in [ExtensionType::REQUIRED_CAPABILITIES, ExtensionType::EXTERNAL_SENDERS] {
        let (mut world, group) = deceived();
        let mut alice = lawless(&mut world, ADMIN, &group);
        let mut to = changed(&alice, |_| ());
        to.remove(gone);
        let commit = alice.commit_builder().set_group_context_ext(to);
        check_refused(&mut world, &group, commit, "only extension 0xFB71 can be changed");
    }
}

#[test]
fn a_commit_with_too_many_psks_or_with_authenticated_data_is_not_followed() {
    let (mut world, group) = deceived();
    let mut alice = lawless(&mut world, ADMIN, &group);
    assert!(usize::from(PSKS) > PSKS_PER_COMMIT_MAX);
    let psks = (0..PSKS).try_fold(alice.commit_builder(), |builder, id| {
        builder.add_external_psk(ExternalPskId::new(vec![id]))
    });
    check_refused(&mut world, &group, psks, "pre-shared keys can be used by one commit");
    let (mut world, group) = deceived();
    let mut alice = lawless(&mut world, ADMIN, &group);
    let commit = Ok(alice.commit_builder().authenticated_data(b"seen by servers".to_vec()));
    check_refused(&mut world, &group, commit, "authenticated data");
}

#[test]
fn a_leaf_that_cannot_do_what_the_group_requires_is_not_taken_from_its_own_member() {
    let (mut world, group) = deceived();
    let mut juliet = lawless_listing(&mut world, MEMBER, &group, &[LAST_RESORT_EXTENSION]);
    let commit = Ok(juliet.commit_builder());
    check_refused(&mut world, &group, commit, "required extension not found");
}

#[test]
fn a_proposal_beyond_its_proposers_rights_or_that_belongs_into_a_commit_is_passed_over() {
    let cases = [
        (MEMBER, true, "only an admin may remove others"),
        (ADMIN, false, "only be proposed inside the proposer's own commit"),
    ];
    for (by, removes, says) in cases {
        let (mut world, group) = deceived();
        let mut proposer = lawless(&mut world, by, &group);
        let settings = changed(&proposer, |bound| bound.members_may_add = true);
        let proposal = match removes {
            true => proposer.propose_remove(0, Vec::new()),
            false => proposer.propose_group_context_extensions(settings, Vec::new()),
        };
        let proposal = proposal.unwrap().to_bytes().unwrap();
        deceive(&mut world, &group, ReceiptKind::Proposal, proposal);
        let warnings = world.warnings(VICTIM).join("; ");
        assert!(warnings.contains(says), "{says}: {warnings}");
    }
}

#[test]
fn a_commit_that_leaves_out_a_removal_by_the_hub_is_not_followed() {
    let (mut world, group) = deceived();
    // In this epoch it is Alice whose turn it is to commit what is pending.
    world.command(ADMIN, Command::Rotate(group.clone()));
    world.run();
    world.nodes[ADMIN].away = true;
    let mut alice = lawless(&mut world, ADMIN, &group);
    world.command(MEMBER, Command::Leave(group.clone()));
    world.run();
    let commit = Ok(alice.commit_builder());
    check_refused(&mut world, &group, commit, "leaves out a removal");
}
