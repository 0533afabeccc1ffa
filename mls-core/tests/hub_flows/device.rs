//! One device as a bare MLS client: it does what it is told and checks nothing.

use mls_core::address::{ClientId, UserId};
use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::crypto::Crypto;
use mls_core::engine::mls_time;
use mls_core::identity::TrustAnchors;
use mls_core::identity::{ClientIdentity, credential};
use mls_core::policy::{
    BRIDGE_GROUP_EXTENSION, CREDENTIAL_TYPES, KEY_PACKAGE_BACKDATING_S, KEY_PACKAGE_LIFETIME_S,
    LAST_RESORT_EXTENSION,
};
use mls_core::receipt::Receipt;
use mls_core::submission::Submission;
use mls_core::wire::GroupId;
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::handshake::Handshake;
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::register_group::RegisterGroup;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::welcome::Welcome;
use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithMlsRules};
use mls_rs::error::MlsError;
use mls_rs::extension::built_in::{ExternalSendersExt, RequiredCapabilitiesExt};
use mls_rs::group::{CommitBuilder, CommitOutput, ExportedTree, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::{Client, Extension, ExtensionList, Group, MlsMessage};
use mls_rs_codec::MlsDecode;
use mls_rs_core::crypto::{CipherSuite, SignatureSecretKey};

use crate::lawless::Rules;

use crate::world::handshake_key;

/// The one suite of these tests.
pub(crate) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

/// Configuration of a device's engine.
pub(crate) type DeviceConfig = WithMlsRules<
    Rules,
    WithIdentityProvider<ClientIdentity, WithCryptoProvider<Crypto, BaseConfig>>,
>;

/// One device.
pub(crate) struct Device {
    pub(crate) id: ClientId,
    pub(crate) client: Client<DeviceConfig>,
    pub(crate) key: SignatureSecretKey,
    pub(crate) group: Option<Group<DeviceConfig>>,
    /// What it keeps to when it commits.
    pub(crate) rules: Rules,
}

impl Device {
    /// A device of a user, such as `@alice:example.org` or `bob@example.org`.
    pub(crate) fn new(user: &str, device: &str) -> Self {
        let id = UserId::from_human(user).unwrap().device(device).unwrap();
        let (key, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let identity = SigningIdentity::new(credential(&id), public);
        Self::with_key(id, key, identity)
    }

    /// A device whose key is known already.
    pub(crate) fn with_key(
        id: ClientId,
        key: SignatureSecretKey,
        identity: SigningIdentity,
    ) -> Self {
        let lifetime = KEY_PACKAGE_LIFETIME_S + KEY_PACKAGE_BACKDATING_S;
        let rules = Rules::default();
        let client = client(identity, key.clone(), lifetime, rules.clone());
        Self { id, client, key, group: None, rules }
    }

    pub(crate) fn user(&self) -> UserId {
        self.id.user()
    }

    pub(crate) fn group(&mut self) -> &mut Group<DeviceConfig> {
        self.group.as_mut().expect("the device is in a group")
    }

    pub(crate) fn group_id(&self) -> GroupId {
        GroupId(self.group.as_ref().unwrap().group_id().to_vec())
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.group.as_ref().unwrap().current_epoch()
    }

    pub(crate) fn index(&self) -> u32 {
        self.group.as_ref().unwrap().current_member_index()
    }

    /// A key package, made at `now_ms`.
    pub(crate) fn key_package(&self, now_ms: u64, last_resort: bool) -> Vec<u8> {
        key_package(&self.client, now_ms, last_resort)
    }

    /// Makes a group in these rooms, with itself as the one admin.
    pub(crate) fn create_group(&mut self, info: &HubInfo, rooms: &RoomCreated, now_ms: u64) {
        let bridge_group = bridge_group(info, rooms, &self.user());
        self.create_group_with(info, &bridge_group, now_ms);
    }

    pub(crate) fn create_group_with(&mut self, info: &HubInfo, bridge: &BridgeGroup, now_ms: u64) {
        self.create_group_in(context(info, bridge), now_ms);
    }

    pub(crate) fn create_group_in(&mut self, extensions: ExtensionList, now_ms: u64) {
        let id = Crypto::system().random_bytes(16).unwrap();
        self.create_group_as(id, extensions, now_ms);
    }

    pub(crate) fn create_group_as(&mut self, id: Vec<u8>, extensions: ExtensionList, now_ms: u64) {
        let time = Some(mls_time(now_ms));
        let leaf = ExtensionList::new();
        self.group = Some(self.client.create_group_with_id(id, extensions, leaf, time).unwrap());
    }

    pub(crate) fn registration(&self) -> RegisterGroup {
        let group = self.group.as_ref().unwrap();
        let group_info = group.group_info_message_allowing_ext_commit(false).unwrap();
        RegisterGroup {
            group_info: group_info.to_bytes().unwrap().into(),
            tree: group.export_tree().to_bytes().unwrap().into(),
            handshake_key: handshake_key(),
        }
    }

    /// Builds a commit, keeps it pending, and signs its submission.
    pub(crate) fn commit(
        &mut self,
        now_ms: u64,
        what: impl FnOnce(
            CommitBuilder<'_, DeviceConfig>,
        ) -> Result<CommitBuilder<'_, DeviceConfig>, MlsError>,
    ) -> SubmitCommit {
        let group = self.group();
        group.clear_pending_commit();
        let output = what(group.commit_builder().commit_time(mls_time(now_ms))).unwrap();
        let output = output.build().unwrap();
        self.submission(&output)
    }

    /// A commit of what is pending, and of the own update.
    pub(crate) fn update(&mut self, now_ms: u64) -> SubmitCommit {
        self.commit(now_ms, |builder| Ok(builder))
    }

    /// A commit that adds by key packages.
    pub(crate) fn commit_adding(&mut self, now_ms: u64, packages: &[Vec<u8>]) -> SubmitCommit {
        self.commit(now_ms, |mut builder| {
            for package in packages {
                builder = builder.add_member(MlsMessage::from_bytes(package).unwrap())?;
            }
            Ok(builder)
        })
    }

    pub(crate) fn submission(&self, output: &CommitOutput) -> SubmitCommit {
        let welcome = output.welcome_messages.first().map(|w| w.to_bytes().unwrap());
        let group_info = output.external_commit_group_info.as_ref().unwrap().to_bytes().unwrap();
        let commit = output.commit_message.to_bytes().unwrap();
        let group = self.group.as_ref().unwrap();
        let id = GroupId(group.group_id().to_vec());
        self.signed(id, group.current_epoch(), commit, welcome, group_info)
    }

    pub(crate) fn signed(
        &self,
        group: GroupId,
        epoch: u64,
        commit: Vec<u8>,
        welcome: Option<Vec<u8>>,
        group_info: Vec<u8>,
    ) -> SubmitCommit {
        let submission = Submission {
            group: &group,
            epoch,
            commit: &commit,
            welcome: welcome.as_deref(),
            group_info: &group_info,
        };
        let signature = submission.sign(SUITE, &self.key).unwrap();
        SubmitCommit {
            epoch,
            after_seq: 0,
            commit: commit.into(),
            welcome: welcome.map(Into::into),
            group_info: group_info.into(),
            signature,
            handshake_key: handshake_key(),
            group,
        }
    }

    pub(crate) fn apply(&mut self) {
        self.group().apply_pending_commit().unwrap();
    }

    /// Takes an accepted handshake, as a member does on its receipt.
    pub(crate) fn receive(&mut self, handshake: &Handshake) {
        let message = MlsMessage::from_bytes(handshake.message.inline().unwrap()).unwrap();
        let time = Receipt::from_bytes(&handshake.receipt).unwrap().tbs.time_ms;
        self.group().process_incoming_message_with_time(message, mls_time(time)).unwrap();
    }

    pub(crate) fn join(&mut self, welcome: &Welcome) {
        let tree = ExportedTree::from_bytes(welcome.tree.inline().unwrap()).unwrap();
        let message = MlsMessage::from_bytes(welcome.welcome.inline().unwrap()).unwrap();
        self.group = Some(self.client.join_group(Some(tree), &message, None).unwrap().0);
    }

    pub(crate) fn encrypt(&mut self, text: &str) -> Vec<u8> {
        let message = self.group().encrypt_application_message(text.as_bytes(), Vec::new());
        message.unwrap().to_bytes().unwrap()
    }

    pub(crate) fn decrypt(&mut self, message: &[u8]) -> String {
        let message = MlsMessage::from_bytes(message).unwrap();
        match self.group().process_incoming_message(message).unwrap() {
            ReceivedMessage::ApplicationMessage(text) => {
                String::from_utf8(text.data().to_vec()).unwrap()
            }
            other => panic!("not an application message: {other:?}"),
        }
    }
}

/// The context that a creator writes.
pub(crate) fn context(info: &HubInfo, bridge: &BridgeGroup) -> ExtensionList {
    let sender = SigningIdentity::mls_decode(&mut &*info.senders[0].identity).unwrap();
    let mut extensions = ExtensionList::new();
    extensions.set_from(bridge.clone()).unwrap();
    extensions.set_from(required_capabilities()).unwrap();
    extensions.set_from(ExternalSendersExt::new(vec![sender])).unwrap();
    extensions
}

/// What a creator requires of every leaf.
pub(crate) fn required_capabilities() -> RequiredCapabilitiesExt {
    let extensions = vec![BRIDGE_GROUP_EXTENSION];
    RequiredCapabilitiesExt::new(extensions, Vec::new(), CREDENTIAL_TYPES.to_vec())
}

/// The extension that a creator writes.
pub(crate) fn bridge_group(info: &HubInfo, rooms: &RoomCreated, admin: &UserId) -> BridgeGroup {
    BridgeGroup {
        version: 0,
        receipt_key: info.receipt_key.clone(),
        hub_matrix: info.hub_matrix.clone().unwrap_or_default(),
        hub_xmpp: info.hub_xmpp.clone().unwrap_or_default(),
        matrix_room: rooms.matrix_room.clone().unwrap_or_default(),
        matrix_via: String::new(),
        muc: rooms.muc.clone().unwrap_or_default(),
        admins: admin.to_string(),
        order: Order::Hub,
        members_may_add: false,
        basic_allowed: true,
        open_join: false,
        join_psk: Vec::new(),
        previous_key: Vec::new(),
        handover: Vec::new(),
        replaces: Vec::new(),
        anchors: TrustAnchors::default(),
    }
}

/// The engine of a device, with key packages of a given lifetime in seconds.
pub(crate) fn client(
    identity: SigningIdentity,
    key: SignatureSecretKey,
    lifetime_s: u64,
    rules: Rules,
) -> Client<DeviceConfig> {
    Client::builder()
        .crypto_provider(Crypto::system())
        .identity_provider(ClientIdentity)
        .mls_rules(rules)
        .extension_types([BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
        .key_package_lifetime(std::time::Duration::from_secs(lifetime_s))
        .signing_identity(identity, key, SUITE)
        .build()
}

pub(crate) fn key_package(
    client: &Client<DeviceConfig>,
    now_ms: u64,
    last_resort: bool,
) -> Vec<u8> {
    let mut extensions = ExtensionList::new();
    if last_resort {
        extensions.set(Extension::new(LAST_RESORT_EXTENSION, Vec::new()));
    }
    let begin = mls_time(now_ms - KEY_PACKAGE_BACKDATING_S * 1000);
    let package =
        client.generate_key_package_message(extensions, ExtensionList::new(), Some(begin));
    package.unwrap().to_bytes().unwrap()
}
