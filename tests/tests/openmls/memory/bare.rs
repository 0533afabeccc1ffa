//! A device that is nothing but mls-rs: it proposes what members of ours do not propose yet.

use mls_core::address::{ClientId, UserId};
use mls_core::engine::{self, mls_time};
use mls_core::identity::{ClientIdentity, credential};
use mls_core::member::Input;
use mls_core::policy::{
    BRIDGE_GROUP_EXTENSION, KEY_PACKAGE_BACKDATING_S, KEY_PACKAGE_LIFETIME_S, LAST_RESORT_EXTENSION,
};
use mls_core::receipt::Receipt;
use mls_core::rules::GroupRules;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_core::wire::{Answer, GroupId, Notice, Request};
use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithMlsRules};
use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs::{Client, ExtensionList, Group, MlsMessage};
use mls_rs_core::crypto::CipherSuite;
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

use super::World;
use crate::peer::Link as _;

type Config = WithMlsRules<
    GroupRules,
    WithIdentityProvider<ClientIdentity, WithCryptoProvider<AwsLcCryptoProvider, BaseConfig>>,
>;

/// One device on XMPP.
pub(crate) struct Bare {
    pub(crate) client: ClientId,
    engine: Client<Config>,
    group: Option<Group<Config>>,
}

impl Bare {
    /// A new device, which has published one key package.
    pub(crate) fn new(world: &mut World, user: &str, device: &str) -> Self {
        let suite = CipherSuite::CURVE25519_AES128;
        let client = UserId::from_human(user).unwrap().device(device).unwrap();
        let (key, public) = engine::generate_signature_key(suite).unwrap();
        let lifetime_s = KEY_PACKAGE_LIFETIME_S + KEY_PACKAGE_BACKDATING_S;
        let engine = Client::builder()
            .crypto_provider(engine::crypto_provider())
            .identity_provider(ClientIdentity)
            .mls_rules(GroupRules)
            .extension_types([BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
            .key_package_lifetime(std::time::Duration::from_secs(lifetime_s))
            .signing_identity(SigningIdentity::new(credential(&client), public), key, suite)
            .build();
        let begin = mls_time(world.now_ms - KEY_PACKAGE_BACKDATING_S * 1000);
        let (of_package, of_leaf) = (ExtensionList::new(), ExtensionList::new());
        let package = engine.generate_key_package_message(of_package, of_leaf, Some(begin));
        let package = KeyPackageBytes(package.unwrap().to_bytes().unwrap());
        let (device, one_time) = (client.device(), vec![package]);
        let publish = PublishKeyPackages { device, one_time, last_resort: None };
        world.place(&client);
        world.at(&client).ask(Request::PublishKeyPackages(publish)).unwrap();
        Self { client, engine, group: None }
    }

    /// Deals with all that came: a Welcome, then handshakes.
    pub(crate) fn look(&mut self, world: &mut World) {
        for input in world.at(&self.client).take_inbox() {
            match input {
                Input::Notice(Notice::Welcome(welcome)) => {
                    let tree = ExportedTree::from_bytes(welcome.tree.inline().unwrap()).unwrap();
                    let message = MlsMessage::from_bytes(welcome.welcome.inline().unwrap());
                    let joined = self.engine.join_group(Some(tree), &message.unwrap(), None);
                    self.group = Some(joined.unwrap().0);
                }
                Input::Notice(Notice::Handshake(handshake)) => {
                    let message = MlsMessage::from_bytes(handshake.message.inline().unwrap());
                    let time_ms = Receipt::from_bytes(&handshake.receipt).unwrap().tbs.time_ms;
                    let (group, time) = (self.group(), mls_time(time_ms));
                    group.process_incoming_message_with_time(message.unwrap(), time).unwrap();
                }
                _ => {}
            }
        }
    }

    /// Proposes to renew its leaf.
    pub(crate) fn propose_update(&mut self, world: &mut World) {
        let group = self.group();
        let proposal = group.propose_update(Vec::new()).unwrap().to_bytes().unwrap();
        let (id, epoch) = (GroupId(group.group_id().to_vec()), group.current_epoch());
        let submit = SubmitProposal { group: id, epoch, proposal };
        let answer = world.at(&self.client).ask(Request::SubmitProposal(submit)).unwrap();
        assert!(matches!(answer, Answer::Receipt(_)), "{answer:?}");
    }

    /// Enters the group's room.
    pub(crate) fn enter(&self, world: &mut World, room: &mls_core::address::RoomAddress) {
        world.at(&self.client).join_room(room).unwrap();
    }

    pub(crate) fn epoch_authenticator(&mut self) -> Vec<u8> {
        self.group().epoch_authenticator().unwrap().as_bytes().to_vec()
    }

    fn group(&mut self) -> &mut Group<Config> {
        self.group.as_mut().expect("the device is in a group")
    }
}
