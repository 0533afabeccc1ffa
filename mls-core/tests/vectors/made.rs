//! A vector made here, in memory, by a bare engine: what the runner itself is tested with.

use mls_rs::client_builder::PaddingMode;
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::psk::ExternalPskId;
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, MlsMessage};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

use crate::case::{Case, Epoch, Hex, Psk};

const SUITE: CipherSuite = CipherSuite::P256_AES128;
const PSK_ID: &[u8] = b"a secret";
const PSK: [u8; 32] = [7; 32];

/// Arnold is added to a group whose tree travels apart; then an encrypted proposal of a PSK and
/// an encrypted commit of it come; then a commit of nothing; then Bob's commit from outside.
pub(crate) fn case() -> Case {
    let arnold = Party::new("arnold");
    let package = arnold.client.generate_key_package_message(<_>::default(), <_>::default(), None);
    let package = package.unwrap();
    let (_, private) = arnold.packages.key_packages().remove(0);
    let mut group =
        Party::new("alice").client.create_group(<_>::default(), <_>::default(), None).unwrap();
    let added = group.commit_builder().add_member(package.clone()).unwrap().build().unwrap();
    group.apply_pending_commit().unwrap();
    let mut case = Case {
        cipher_suite: SUITE.into(),
        external_psks: vec![Psk { psk_id: Hex(PSK_ID.to_vec()), psk: Hex(PSK.to_vec()) }],
        key_package: message(&package),
        signature_priv: Hex(arnold.key),
        encryption_priv: Hex(private.leaf_node_key.to_vec()),
        init_priv: Hex(private.init_key.to_vec()),
        welcome: message(&added.welcome_messages[0]),
        ratchet_tree: Some(Hex(group.export_tree().to_bytes().unwrap())),
        initial_epoch_authenticator: Hex(group.epoch_authenticator().unwrap().to_vec()),
        epochs: Vec::new(),
    };
    for by_reference in [true, false] {
        let psk = ExternalPskId::new(PSK_ID.to_vec());
        let proposal = by_reference.then(|| group.propose_external_psk(psk, Vec::new()).unwrap());
        let commit = group.commit(Vec::new()).unwrap().commit_message;
        group.apply_pending_commit().unwrap();
        case.epochs.push(Epoch {
            proposals: proposal.iter().map(message).collect(),
            commit: message(&commit),
            epoch_authenticator: Hex(group.epoch_authenticator().unwrap().to_vec()),
        });
    }
    let info = group.group_info_message_allowing_ext_commit(true).unwrap();
    let bob = Party::new("bob").client;
    let (_, commit) = bob.external_commit_builder().unwrap().build(info).unwrap();
    group.process_incoming_message(commit.clone()).unwrap();
    case.epochs.push(Epoch {
        proposals: Vec::new(),
        commit: message(&commit),
        epoch_authenticator: Hex(group.epoch_authenticator().unwrap().to_vec()),
    });
    case
}

struct Party<C> {
    client: Client<C>,
    key: Vec<u8>,
    packages: InMemoryKeyPackageStorage,
}

impl Party<()> {
    fn new(name: &str) -> Party<impl mls_rs::client_builder::MlsConfig> {
        let crypto = AwsLcCryptoProvider::new();
        let suite = crypto.cipher_suite_provider(SUITE).unwrap();
        let (key, public) = suite.signature_key_generate().unwrap();
        let credential = BasicCredential::new(name.as_bytes().to_vec()).into_credential();
        let packages = InMemoryKeyPackageStorage::new();
        let rules = DefaultMlsRules::new()
            .with_commit_options(CommitOptions::new().with_ratchet_tree_extension(false))
            .with_encryption_options(EncryptionOptions::new(true, PaddingMode::None));
        let client = Client::builder()
            .crypto_provider(crypto)
            .identity_provider(BasicIdentityProvider::new())
            .mls_rules(rules)
            .key_package_repo(packages.clone())
            .psk(ExternalPskId::new(PSK_ID.to_vec()), PSK.to_vec().into())
            .signing_identity(SigningIdentity::new(credential, public), key.clone(), SUITE)
            .build();
        Party { client, key: key.to_vec(), packages }
    }
}

fn message(message: &MlsMessage) -> Hex {
    Hex(message.to_bytes().unwrap())
}
