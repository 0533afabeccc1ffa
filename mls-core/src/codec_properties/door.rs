//! What reads bytes of the network by hand: the door, key packages, receipts, extensions. Nothing
//! panics, and what gets in is what it must be.

use std::sync::OnceLock;

use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::error::MlsError;
use mls_rs::extension::built_in::ApplicationIdExt;
use mls_rs::group::proposal::Proposal;
use mls_rs::mls_rules::{DefaultMlsRules, EncryptionOptions};
use mls_rs::{Client, ExtensionList, MlsMessage};
use mls_rs_codec::MlsDecode;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::{Extension, ExtensionType};
use mls_rs_core::identity::SigningIdentity;
use proptest::prelude::*;

use super::{Damage, encode};
use crate::address::UserId;
use crate::bridge_group::BridgeGroup;
use crate::crypto::Crypto;
use crate::door::{self, DoorError};
use crate::engine::observer;
use crate::framing;
use crate::hpke_keys;
use crate::identity::{ClientIdentity, credential};
use crate::key_package;
use crate::policy::{BRIDGE_GROUP_EXTENSION, CIPHER_SUITES};
use crate::psk::HeldPsks;
use crate::receipt::Receipt;
use crate::wire::GroupId;

const NOW_MS: u64 = 1_800_000_000_000;
const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

/// Valid messages of one group.
struct Samples {
    group: GroupId,
    /// An application message, a proposal of a PSK, a commit with a path, and a key package.
    messages: [MlsMessage; 4],
}

/// What every leaf lists.
const LISTED: [ExtensionType; 1] = [BRIDGE_GROUP_EXTENSION];

/// A client by the engine's own rules, whose commits are encrypted or not, and whose leaf lists these
/// extensions.
fn client(encrypts: bool, listed: &[ExtensionType]) -> Client<impl MlsConfig> {
    let options = EncryptionOptions::new(encrypts, PaddingMode::None);
    let (key, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
    let id = UserId::matrix("@alice:example.org").unwrap().device("DEV").unwrap();
    Client::builder()
        .crypto_provider(Crypto::system())
        .identity_provider(ClientIdentity)
        .mls_rules(DefaultMlsRules::new().with_encryption_options(options))
        .extension_types(listed.to_vec())
        .signing_identity(SigningIdentity::new(credential(&id), public), key, SUITE)
        .build()
}

fn context() -> ExtensionList {
    let user = UserId::matrix("@alice:example.org").unwrap();
    let mut context = ExtensionList::new();
    context.set_from(BridgeGroup::of_one_room("!room:example.org", &user)).unwrap();
    context
}

fn samples() -> &'static Samples {
    static SAMPLES: OnceLock<Samples> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let (client, context) = (client(false, &LISTED), context());
        let package =
            client.generate_key_package_message(<_>::default(), <_>::default(), None).unwrap();
        let mut group = client.create_group(context.clone(), <_>::default(), None).unwrap();
        let application = group.encrypt_application_message(b"hello", Vec::new()).unwrap();
        let proposal = group.propose_group_context_extensions(context, Vec::new()).unwrap();
        group.clear_proposal_cache();
        let commit = group.commit(Vec::new()).unwrap().commit_message;
        let messages = [application, proposal, commit, package];
        Samples { group: GroupId(group.group_id().to_vec()), messages }
    })
}

/// Any bytes, and valid messages as they are or damaged.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let sample = || prop::sample::select(samples().messages.each_ref().map(encode).to_vec());
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => sample(),
        4 => (sample(), any::<Damage>()).prop_map(|(message, damage)| damage.done_to(message)),
    ]
}

/// The suite of the group, or another that we do.
fn suite() -> impl Strategy<Value = CipherSuite> {
    prop::sample::select(CIPHER_SUITES.to_vec())
}

fn group() -> impl Strategy<Value = GroupId> {
    prop_oneof![4 => Just(samples().group.clone()), 1 => any::<GroupId>()]
}

#[test]
fn the_valid_messages_get_in_by_their_own_way_only() {
    let Samples { group, messages } = samples();
    let bytes = messages.each_ref().map(encode);
    let by_room = bytes.each_ref().map(|bytes| door::from_room(bytes, group, 0).is_ok());
    let by_hub = bytes.each_ref().map(|bytes| door::handshake(bytes, group, SUITE).is_ok());
    assert_eq!(by_room, [true, false, false, false]);
    assert_eq!(by_hub, [false, true, true, false]);
}

#[test]
fn what_carries_authenticated_data_gets_in_by_no_way() {
    let mut alice = client(false, &LISTED).create_group(context(), <_>::default(), None).unwrap();
    let data = || b"in clear".to_vec();
    let application = alice.encrypt_application_message(b"hello", data()).unwrap();
    let proposal = alice.propose_group_context_extensions(context(), data()).unwrap();
    alice.clear_proposal_cache();
    let commit = alice.commit(data()).unwrap().commit_message;
    let group = GroupId(alice.group_id().to_vec());
    let refused = Some(DoorError::AuthenticatedData);
    assert_eq!(door::from_room(&encode(&application), &group, 0).err(), refused);
    for handshake in [proposal, commit] {
        assert_eq!(door::handshake(&encode(&handshake), &group, SUITE).err(), refused);
    }
    // Encrypted, as where a room orders the group.
    let mut bob = client(true, &LISTED).create_group(context(), <_>::default(), None).unwrap();
    let commit = bob.commit(data()).unwrap().commit_message;
    let group = GroupId(bob.group_id().to_vec());
    assert_eq!(door::commit_from_room(&encode(&commit), &group, SUITE).err(), refused);
}

#[test]
fn the_engine_takes_no_leaf_with_an_application_id() {
    let mut leaf = ExtensionList::new();
    leaf.set_from(ApplicationIdExt::new(b"somebody else".to_vec())).unwrap();
    // It wants each extension of a leaf listed, and none of RFC 9420's own.
    let also_listed = [BRIDGE_GROUP_EXTENSION, ExtensionType::APPLICATION_ID];
    for listed in [&LISTED[..], &also_listed] {
        let client = client(false, listed);
        let package = client.generate_key_package_message(<_>::default(), leaf.clone(), None);
        let refused = package.and_then(|made| observer().validate_key_package(made, None));
        let expected = matches!(
            refused,
            Err(MlsError::ExtensionNotInCapabilities(_) | MlsError::DefaultValueListed)
        );
        assert!(expected, "{refused:?}");
    }
}

proptest! {
    #[test]
    fn what_comes_in_by_a_room_is_of_the_rooms_group_and_not_too_old(
        bytes in bytes(), group in group(), epoch_now: u64
    ) {
        if let Ok(message) = door::from_room(&bytes, &group, epoch_now) {
            prop_assert_eq!(message.message.group_id(), Some(group.0.as_slice()));
            prop_assert_eq!(message.message.epoch(), Some(message.epoch));
            prop_assert!(message.epoch.saturating_add(crate::policy::PAST_EPOCHS) >= epoch_now);
        }
    }

    #[test]
    fn what_comes_in_as_a_handshake_is_of_its_group(
        bytes in bytes(), group in group(), suite in suite()
    ) {
        if let Ok(handshake) = door::handshake(&bytes, &group, suite) {
            prop_assert_eq!(handshake.message.group_id(), Some(group.0.as_slice()));
            prop_assert_eq!(handshake.message.epoch(), Some(handshake.epoch));
        }
    }

    #[test]
    fn no_bytes_make_the_readers_of_paths_and_key_packages_panic(bytes in bytes(), suite in suite()) {
        if let Ok(Some(path)) = framing::path(&bytes) {
            let _ = hpke_keys::check_path(suite, &path);
        }
        let _ = framing::authenticated_data(&bytes);
        let _ = key_package::check(&bytes, NOW_MS);
    }

    #[test]
    fn no_proposal_makes_its_readers_panic(
        bytes in bytes(), at: prop::sample::Index, suite in suite()
    ) {
        let from = at.index(bytes.len() + 1);
        if let Ok(proposal) = Proposal::mls_decode(&mut &bytes[from..]) {
            let _ = hpke_keys::check_proposal(suite, &proposal);
        }
    }

    #[test]
    fn a_receipt_is_the_whole_of_its_bytes(receipt: Receipt, more in prop::collection::vec(any::<u8>(), 0..3)) {
        let bytes = [receipt.to_bytes().unwrap(), more.clone()].concat();
        match Receipt::from_bytes(&bytes) {
            Ok(read) => prop_assert!(more.is_empty() && read == receipt && read.tbs.version == 0),
            Err(_) => prop_assert!(!more.is_empty() || receipt.tbs.version != 0),
        }
    }

    #[test]
    fn extensions_of_ours_are_refused_or_come_back(
        group: BridgeGroup, held: HeldPsks, broken in prop::collection::vec(any::<u8>(), 0..100)
    ) {
        let mut extensions = ExtensionList::new();
        extensions.set_from(group.clone()).unwrap();
        extensions.set_from(held.clone()).unwrap();
        if let Ok(read) = BridgeGroup::from_extensions(&extensions) {
            prop_assert_eq!(read, group);
        }
        prop_assert_eq!(HeldPsks::of_leaf(&extensions), held);
        extensions.set(Extension::new(BRIDGE_GROUP_EXTENSION, broken));
        let _ = BridgeGroup::from_extensions(&extensions);
    }
}
