//! What the MLS engine does when a group branches (RFC 9420 11.3), before a member relies on it.
//!
//! Here a subgroup needs a GroupContext of its own, because rooms stand in it. The engine gives a
//! branch its parent's, and compares them on the way in, which the RFC does not ask for. These
//! tests hold what the engine insists on and what leads past it, so that another version of it
//! shows.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use mls_core::address::UserId;
use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::crypto::Crypto;

use mls_core::identity::{ClientIdentity, TrustAnchors, credential};
use mls_core::policy::BRIDGE_GROUP_EXTENSION;
use mls_rs::client_builder::MlsConfig;
use mls_rs::error::MlsError;
use mls_rs::group::{Group, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::storage_provider::in_memory::{InMemoryGroupStateStorage, InMemoryKeyPackageStorage};
use mls_rs::{Client, ExtensionList, MlsMessage};
use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::{CipherSuite, SignatureSecretKey};
use mls_rs_core::group::{GroupState, GroupStateStorage};

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
const PARENT: &[u8] = b"the parent";
const BRANCH: &[u8] = b"the branch";

struct Device {
    identity: SigningIdentity,
    key: SignatureSecretKey,
    groups: InMemoryGroupStateStorage,
    packages: InMemoryKeyPackageStorage,
}

impl Device {
    fn new(user: &str) -> Self {
        let client = UserId::matrix(user).unwrap().device("PHONE").unwrap();
        let (key, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        Self {
            identity: SigningIdentity::new(credential(&client), public),
            key,
            groups: InMemoryGroupStateStorage::new(),
            packages: InMemoryKeyPackageStorage::default(),
        }
    }

    /// The same device, with another signature key for what it does next.
    fn with_fresh_key(&self) -> Self {
        let (key, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let identity = SigningIdentity::new(self.identity.credential.clone(), public);
        let (groups, packages) = (self.groups.clone(), self.packages.clone());
        Self { identity, key, groups, packages }
    }

    fn client(&self) -> Client<impl MlsConfig + use<>> {
        self.client_over(self.groups.clone())
    }

    fn client_over(&self, groups: InMemoryGroupStateStorage) -> Client<impl MlsConfig + use<>> {
        Client::builder()
            .crypto_provider(Crypto::system())
            .identity_provider(ClientIdentity)
            .extension_type(BRIDGE_GROUP_EXTENSION)
            .group_state_storage(groups)
            .key_package_repo(self.packages.clone())
            .signing_identity(self.identity.clone(), self.key.clone(), SUITE)
            .build()
    }

    fn package(&self) -> MlsMessage {
        let none = ExtensionList::new;
        self.client().generate_key_package_message(none(), none(), None).unwrap()
    }

    fn parent(&self) -> Group<impl MlsConfig + use<>> {
        self.client().load_group(PARENT).unwrap()
    }

    /// The parent as this device holds it, but with other extensions and another signer: a copy
    /// that is good for a branch, and for nothing else.
    fn parent_for_branch(
        &self,
        extensions: &ExtensionList,
        signer: &SignatureSecretKey,
    ) -> Group<impl MlsConfig + use<>> {
        let held = self.groups.state(PARENT).unwrap().unwrap();
        let context = self.parent().context().clone();
        let before = context.mls_encode_to_vec().unwrap();
        let mut changed = context;
        changed.extensions = extensions.clone();
        let (version, rest) = held.split_at(2);
        let rest = rest.strip_prefix(before.as_slice()).unwrap();
        let rest = rest.strip_suffix(self.key.mls_encode_to_vec().unwrap().as_slice()).unwrap();
        let changed = changed.mls_encode_to_vec().unwrap();
        let signer = signer.mls_encode_to_vec().unwrap();
        let data = [version, &changed, rest, &signer].concat().into();
        let mut copy = InMemoryGroupStateStorage::new();
        copy.write(GroupState { id: PARENT.to_vec(), data }, Vec::new(), Vec::new()).unwrap();
        self.client_over(copy).load_group(PARENT).unwrap()
    }
}

fn extensions(room: &str) -> ExtensionList {
    let mut extensions = ExtensionList::new();
    let group = BridgeGroup {
        version: 0,
        receipt_key: vec![7; 32],
        hub_matrix: "@mls:example.org".to_owned(),
        hub_xmpp: String::new(),
        matrix_room: room.to_owned(),
        matrix_via: "example.org".to_owned(),
        muc: String::new(),
        admins: UserId::matrix("@alice:example.org").unwrap().to_string(),
        order: Order::Hub,
        members_may_add: false,
        basic_allowed: true,
        open_join: false,
        join_psk: Vec::new(),
        previous_key: Vec::new(),
        handover: Vec::new(),
        replaces: Vec::new(),
        anchors: TrustAnchors::default(),
    };
    extensions.set_from(group).unwrap();
    extensions
}

fn parents_own() -> ExtensionList {
    extensions("!parent:example.org")
}

fn branchs_own() -> ExtensionList {
    extensions("!branch:example.org")
}

/// alice and bob, in a group.
fn parent() -> [Device; 2] {
    let [alice, bob] = ["@alice:example.org", "@bob:example.org"].map(Device::new);
    let none = ExtensionList::new();
    let made = alice.client().create_group_with_id(PARENT.to_vec(), parents_own(), none, None);
    let mut group = made.unwrap();
    let adds = group.commit_builder().add_member(bob.package()).unwrap().build().unwrap();
    group.apply_pending_commit().unwrap();
    group.write_to_storage().unwrap();
    let welcome = adds.welcome_messages.first().unwrap();
    let (mut joined, _) = bob.client().join_group(None, welcome, None).unwrap();
    joined.write_to_storage().unwrap();
    [alice, bob]
}

/// The branch with extensions of its own, and its Welcome for one key package.
fn branch(by: &Device, package: MlsMessage) -> (Group<impl MlsConfig + use<>>, MlsMessage) {
    let parent = by.parent_for_branch(&branchs_own(), &by.key);
    let (group, welcomes) = parent.branch(BRANCH.to_vec(), vec![package], None).unwrap();
    (group, welcomes.into_iter().next().unwrap())
}

/// Whether what one says can be read by the other.
fn hears<A: MlsConfig, B: MlsConfig>(from: &mut Group<A>, to: &mut Group<B>) -> bool {
    let said = from.encrypt_application_message(b"hello", Vec::new()).unwrap();
    let heard = to.process_incoming_message(said);
    matches!(heard, Ok(ReceivedMessage::ApplicationMessage(heard)) if heard.data() == b"hello")
}

#[test]
fn the_engine_gives_a_branch_the_context_of_its_parent() {
    let [alice, bob] = parent();
    let made = alice.parent().branch(BRANCH.to_vec(), vec![bob.package()], None);
    let (group, _) = made.unwrap();
    assert_eq!(group.context().extensions, parents_own());
}

#[test]
fn the_engine_does_not_enter_a_branch_with_another_context_than_its_parents() {
    let [alice, bob] = parent();
    let (_, welcome) = branch(&alice, bob.package());
    let refused = bob.parent().join_subgroup(&welcome, None, None).map(drop);
    assert!(matches!(refused, Err(MlsError::ReInitExtensionsMismatch)), "{refused:?}");
}

#[test]
fn a_copy_of_the_parent_with_the_branchs_context_leads_into_it() {
    let [alice, bob] = parent();
    let (mut alices, welcome) = branch(&alice, bob.package());
    let copy = bob.parent_for_branch(&branchs_own(), &bob.key);
    let (mut bobs, _) = copy.join_subgroup(&welcome, None, None).unwrap();
    assert_eq!(bobs.context().extensions, branchs_own());
    assert!(hears(&mut alices, &mut bobs) && hears(&mut bobs, &mut alices));
}

#[test]
fn a_branch_is_signed_in_with_the_key_of_the_copy_and_not_with_the_key_packages() {
    let [alice, bob] = parent();
    let fresh = bob.with_fresh_key();
    for (signer, is_heard) in [(&bob.key, false), (&fresh.key, true)] {
        let (mut alices, welcome) = branch(&alice, fresh.package());
        let copy = bob.parent_for_branch(&branchs_own(), signer);
        let (mut bobs, _) = copy.join_subgroup(&welcome, None, None).unwrap();
        assert_eq!(hears(&mut bobs, &mut alices), is_heard);
    }
}

#[test]
fn a_parent_of_another_epoch_does_not_lead_into_a_branch() {
    let [alice, bob] = parent();
    let mut gone_on = alice.parent();
    gone_on.commit(Vec::new()).unwrap();
    gone_on.apply_pending_commit().unwrap();
    gone_on.write_to_storage().unwrap();
    let (_, welcome) = branch(&alice, bob.package());
    let copy = bob.parent_for_branch(&branchs_own(), &bob.key);
    let refused = copy.join_subgroup(&welcome, None, None).map(drop);
    assert!(matches!(refused, Err(MlsError::CryptoProviderError(_))), "{refused:?}");
}

#[test]
fn a_branch_does_not_take_in_who_is_not_in_the_parent() {
    let [alice, _] = parent();
    let carol = Device::new("@carol:example.org");
    let copy = alice.parent_for_branch(&branchs_own(), &alice.key);
    let refused = copy.branch(BRANCH.to_vec(), vec![carol.package()], None).map(drop);
    assert!(matches!(refused, Err(MlsError::NotASubgroup)), "{refused:?}");
}
