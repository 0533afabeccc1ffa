//! A member gone bad: its device's own key and group state, in an engine that obeys everything.
//!
//! The state is read from the profile of an `mls-bot` that is stopped for it and then started
//! again, so the device is a real member, on a real account, and knows nothing of what it is
//! made to say here. The names of the tables are those of `mls-core/src/member`.

use std::time::Duration;

use mls_core::address::ClientId;
use mls_core::crypto::Crypto;
use mls_core::identity::{ClientIdentity, credential};
use mls_core::policy::{BRIDGE_GROUP_EXTENSION, KEY_PACKAGE_LIFETIME_S, LAST_RESORT_EXTENSION};
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::store::Store;
use mls_core::submission::Submission;
use mls_core::wire::GroupId;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_rs::client_builder::{
    BaseConfig, PaddingMode, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider,
    WithMlsRules,
};
use mls_rs::group::{CommitBuilder, CommitOutput};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::storage_provider::in_memory::InMemoryGroupStateStorage;
use mls_rs::{Client, Group};
use mls_rs_codec::{MlsDecode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::group::{GroupState, GroupStateStorage};

use storage::{Database, Key, Role};
use tests::bot::Bot;
use tests::error::RigError;

/// The one suite of `mls-bot`.
pub(crate) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

/// An engine without the rules of `mls-core`.
pub(crate) type LawlessConfig = WithGroupStateStorage<
    InMemoryGroupStateStorage,
    WithMlsRules<
        DefaultMlsRules,
        WithIdentityProvider<ClientIdentity, WithCryptoProvider<Crypto, BaseConfig>>,
    >,
>;

/// A device's signature key, as it is stored.
#[derive(Clone, MlsSize, MlsDecode)]
pub(crate) struct SignatureKey {
    pub(crate) client: ClientId,
    pub(crate) secret: SignatureSecretKey,
    pub(crate) public: SignaturePublicKey,
}

/// What a device knows of one group.
pub(crate) struct Insider {
    pub(crate) key: SignatureKey,
    pub(crate) id: GroupId,
    storage: InMemoryGroupStateStorage,
}

impl Insider {
    /// Reads the profile of `bot`, which is stopped for that and started again.
    pub(crate) fn of(bot: &Bot, group: &GroupId) -> Result<Self, RigError> {
        bot.quit()?;
        let insider = Self::read(bot, group);
        bot.start()?;
        Ok(insider)
    }

    fn read(bot: &Bot, id: &GroupId) -> Self {
        let key = Key::load_or_create(&bot.profile().join("key")).unwrap();
        let file = bot.profile().join("member.db");
        let database = Database::open(&file, Role::Member, Some(key)).unwrap();
        let get = |space, key: &[u8]| database.get(space, key).unwrap().unwrap();
        let key = SignatureKey::mls_decode(&mut &**get("signature_key", b"own")).unwrap();
        // The slot of the group that is used comes first in the key.
        let data = get("group_state", &[&[0], id.0.as_slice()].concat());
        let mut storage = InMemoryGroupStateStorage::new();
        storage.write(GroupState { id: id.0.clone(), data }, Vec::new(), Vec::new()).unwrap();
        Self { key, id: id.clone(), storage }
    }

    /// The group as it was read; `encrypts` says whether its handshakes are PrivateMessages.
    pub(crate) fn group(&self, encrypts: bool) -> Group<LawlessConfig> {
        let client = client(&self.key, encrypts, self.storage.clone());
        let mut group = client.load_group(&self.id.0).unwrap();
        group.clear_pending_commit();
        group
    }

    /// A commit of its own in a PrivateMessage, which the hub can neither read nor order.
    pub(crate) fn encrypted_commit(&self) -> Vec<u8> {
        self.group(true).commit(Vec::new()).unwrap().commit_message.to_bytes().unwrap()
    }

    /// A commit of its own in a PublicMessage, as the hub would take it.
    pub(crate) fn commit(&self) -> Vec<u8> {
        let output = self.group(false).commit(Vec::new()).unwrap();
        output.commit_message.to_bytes().unwrap()
    }

    /// The submission of a commit that does what `what` says.
    pub(crate) fn submission(
        &self,
        what: impl FnOnce(CommitBuilder<'_, LawlessConfig>) -> CommitBuilder<'_, LawlessConfig>,
    ) -> SubmitCommit {
        let mut group = self.group(false);
        let output = what(group.commit_builder()).build().unwrap();
        self.signed(group.current_epoch(), &output, &output.commit_message.to_bytes().unwrap())
    }

    /// The submission of a commit whose bytes `damage` changes before it is signed.
    pub(crate) fn damaged(&self, damage: impl FnOnce(&mut Vec<u8>)) -> SubmitCommit {
        let mut group = self.group(false);
        let output = group.commit(Vec::new()).unwrap();
        let mut commit = output.commit_message.to_bytes().unwrap();
        damage(&mut commit);
        self.signed(group.current_epoch(), &output, &commit)
    }

    fn signed(&self, epoch: u64, output: &CommitOutput, commit: &[u8]) -> SubmitCommit {
        let welcome = output.welcome_messages.first().map(|w| w.to_bytes().unwrap());
        let group_info = output.external_commit_group_info.as_ref().unwrap().to_bytes().unwrap();
        submission(&self.key, &self.id, epoch, commit, welcome, group_info)
    }
}

/// A submission that `key` signs.
pub(crate) fn submission(
    key: &SignatureKey,
    group: &GroupId,
    epoch: u64,
    commit: &[u8],
    welcome: Option<Vec<u8>>,
    group_info: Vec<u8>,
) -> SubmitCommit {
    let signed =
        Submission { group, epoch, commit, welcome: welcome.as_deref(), group_info: &group_info };
    let signature = signed.sign(SUITE, &key.secret).unwrap();
    SubmitCommit {
        group: group.clone(),
        epoch,
        after_seq: 0,
        commit: commit.to_vec().into(),
        welcome: welcome.map(Into::into),
        group_info: group_info.into(),
        handshake_key: HandshakeKey::from_exported(&[7; LENGTH]).unwrap(),
        signature,
    }
}

/// An engine without the rules of `mls-core`.
pub(crate) fn client(
    key: &SignatureKey,
    encrypts: bool,
    storage: InMemoryGroupStateStorage,
) -> Client<LawlessConfig> {
    let options = CommitOptions::new()
        .with_path_required(true)
        .with_ratchet_tree_extension(false)
        .with_allow_external_commit(true);
    let rules = DefaultMlsRules::new()
        .with_commit_options(options)
        .with_encryption_options(EncryptionOptions::new(encrypts, PaddingMode::None));
    let identity = SigningIdentity::new(credential(&key.client), key.public.clone());
    Client::builder()
        .crypto_provider(Crypto::system())
        .identity_provider(ClientIdentity)
        .mls_rules(rules)
        .group_state_storage(storage)
        .extension_types([BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
        .key_package_lifetime(Duration::from_secs(KEY_PACKAGE_LIFETIME_S))
        .signing_identity(identity, key.secret.clone(), SUITE)
        .build()
}
