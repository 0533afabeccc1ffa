//! One device as a bare mls-rs client, set up as ours are and without anything of ours around it.

use std::time::Duration;

use mls_core::address::{ClientId, UserId};
use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::crypto::Crypto;
use mls_core::engine::mls_time;
use mls_core::identity::TrustAnchors;
use mls_core::identity::{ClientIdentity, credential};
use mls_core::policy::{
    BRIDGE_GROUP_EXTENSION, KEY_PACKAGE_BACKDATING_S, KEY_PACKAGE_LIFETIME_S, LAST_RESORT_EXTENSION,
};
use mls_core::rules::GroupRules;
use mls_core::store::{Store, StoreError, Write};
use mls_core::wire::welcome::Welcome;
use mls_rs::client_builder::{
    BaseConfig, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider, WithMlsRules,
};
use mls_rs::group::{ExportedTree, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::{Client, ExtensionList, Group, MlsMessage};
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::group::{EpochRecord, GroupState, GroupStateStorage};

use storage::Database;
use zeroize::Zeroizing;

use crate::growth::SLICE;

pub(crate) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// Where a bare client keeps its group, if it keeps it.
const SPACE: &str = "bare_group";

type PeerConfig = WithGroupStateStorage<
    States,
    WithMlsRules<
        GroupRules,
        WithIdentityProvider<ClientIdentity, WithCryptoProvider<Crypto, BaseConfig>>,
    >,
>;

/// One bare client.
pub(crate) struct Peer {
    pub(crate) id: ClientId,
    engine: Client<PeerConfig>,
    group: Option<Group<PeerConfig>>,
}

/// Writes the whole group, as mls-rs hands it over, into one transaction; or keeps nothing.
#[derive(Clone)]
struct States(Option<Database>);

impl Peer {
    /// The `number`th account of the XMPP server, with one device.
    pub(crate) fn new(number: usize) -> Self {
        Self::with_database(number, None)
    }

    fn with_database(number: usize, database: Option<Database>) -> Self {
        let user = UserId::xmpp(&format!("u{number}@x.org")).unwrap();
        let id = user.device(&format!("{number:016x}")).unwrap();
        let (key, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let lifetime = KEY_PACKAGE_LIFETIME_S + KEY_PACKAGE_BACKDATING_S;
        let engine = Client::builder()
            .crypto_provider(Crypto::system())
            .identity_provider(ClientIdentity)
            .mls_rules(GroupRules)
            .group_state_storage(States(database))
            .extension_types([BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
            .key_package_lifetime(Duration::from_secs(lifetime))
            .signing_identity(SigningIdentity::new(credential(&id), public), key, SUITE)
            .build();
        Self { id, engine, group: None }
    }

    /// A one-time key package.
    pub(crate) fn key_package(&self, now_ms: u64) -> MlsMessage {
        let begin = mls_time(now_ms - KEY_PACKAGE_BACKDATING_S * 1000);
        let none = ExtensionList::new;
        self.engine.generate_key_package_message(none(), none(), Some(begin)).unwrap()
    }

    /// Joins by a Welcome of the hub whose parts are here.
    pub(crate) fn join(&mut self, welcome: &Welcome) {
        let tree = ExportedTree::from_bytes(welcome.tree.inline().unwrap()).unwrap();
        let message = MlsMessage::from_bytes(welcome.welcome.inline().unwrap()).unwrap();
        self.group = Some(self.engine.join_group(Some(tree), &message, None).unwrap().0);
    }

    /// Encrypts, to the bytes that travel.
    pub(crate) fn encrypt(&mut self, content: &[u8]) -> Vec<u8> {
        let message = self.group().encrypt_application_message(content, Vec::new());
        message.unwrap().to_bytes().unwrap()
    }

    /// Decrypts, from the bytes that travel.
    pub(crate) fn decrypt(&mut self, message: &[u8]) -> Vec<u8> {
        let message = MlsMessage::from_bytes(message).unwrap();
        match self.group().process_incoming_message(message).unwrap() {
            ReceivedMessage::ApplicationMessage(content) => content.data().to_vec(),
            other => panic!("not an application message: {other:?}"),
        }
    }

    /// Writes what mls-rs wants written.
    pub(crate) fn write(&mut self) {
        self.group().write_to_storage().unwrap();
    }

    fn group(&mut self) -> &mut Group<PeerConfig> {
        self.group.as_mut().expect("the peer is in a group")
    }
}

/// Two members of a bare group of `members`; each keeps its group in its own database, when it is
/// told to write.
pub(crate) fn pair(members: usize, databases: [Database; 2], now_ms: u64) -> (Peer, Peer) {
    let [mut sender, mut receiver] =
        [0, 1].map(|number| Peer::with_database(number, Some(databases[number].clone())));
    let mut extensions = ExtensionList::new();
    extensions.set_from(bridge_group(&sender.id.user())).unwrap();
    let time = mls_time(now_ms);
    let group = sender.engine.create_group(extensions, ExtensionList::new(), Some(time)).unwrap();
    sender.group = Some(group);
    let others: Vec<Peer> = (2..members).map(Peer::new).collect();
    let joiners: Vec<&Peer> = others.iter().chain([&receiver]).collect();
    let group = sender.group();
    let mut last = None;
    for slice in joiners.chunks(SLICE) {
        let mut builder = group.commit_builder().commit_time(time);
        for joiner in slice {
            builder = builder.add_member(joiner.key_package(now_ms)).unwrap();
        }
        last = builder.build().unwrap().welcome_messages.pop();
        group.apply_pending_commit().unwrap();
    }
    let tree = group.export_tree().into_owned();
    assert_eq!(group.roster().members_iter().count(), members);
    receiver.group = Some(receiver.engine.join_group(Some(tree), &last.unwrap(), None).unwrap().0);
    (sender, receiver)
}

/// The extension that our rules ask every group for.
fn bridge_group(admin: &UserId) -> BridgeGroup {
    BridgeGroup {
        version: 0,
        receipt_key: vec![7; 32],
        hub_matrix: "@mls:a.org".to_owned(),
        hub_xmpp: "mls.x.org".to_owned(),
        matrix_room: "!room:a.org".to_owned(),
        matrix_via: String::new(),
        muc: "muc@muc.x.org".to_owned(),
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

impl GroupStateStorage for States {
    type Error = StoreError;

    fn state(&self, group_id: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.0.as_ref().map_or(Ok(None), |database| database.get(SPACE, group_id))
    }

    fn epoch(&self, _: &[u8], _: u64) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(None)
    }

    fn write(
        &mut self,
        state: GroupState,
        _: Vec<EpochRecord>,
        _: Vec<EpochRecord>,
    ) -> Result<(), StoreError> {
        let Some(database) = &self.0 else { return Ok(()) };
        database.commit(&[Write::Put { space: SPACE, key: state.id, value: state.data }])
    }

    fn max_epoch_id(&self, _: &[u8]) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}
