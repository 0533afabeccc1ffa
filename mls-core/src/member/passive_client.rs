//! The member's engine and storage without the bridge's rules: joins any group by a Welcome and
//! follows it, and never says anything.
//!
//! [`super::Member`] refuses groups that are not bound to a hub, encrypted handshakes, and leaves
//! that are no clients of ours. This client takes all of them, so that what lies below the rules
//! (how the engine is set up, what is written for it and read back) can be held against the test
//! vectors of the MLS working group. Nothing that serves people uses it.

mod any_identity;

use std::sync::Arc;

use mls_rs::error::MlsError;
use mls_rs::group::ExportedTree;
use mls_rs::mls_rules::DefaultMlsRules;
use mls_rs::{Client, Group, MlsMessage};
use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::{CipherSuite, HpkeSecretKey, SignatureSecretKey};
use mls_rs_core::key_package::KeyPackageData;
use mls_rs_core::psk::PreSharedKey;
use thiserror::Error;

use super::engine_storage::{self, EngineConfig, KEY_PACKAGE, PSK, Slot};
use crate::crypto::Crypto;
use crate::engine::{EngineError, crypto_error};
use crate::overlay::Overlay;
use crate::randomness::SystemRandomness;
use crate::store::{Store, StoreError, Write};
use any_identity::AnyIdentity;

type PassiveConfig = EngineConfig<DefaultMlsRules, AnyIdentity>;

/// A client that follows; see the module. It keeps nothing in memory but writes not yet taken:
/// each message is processed on the group as the store has it.
pub struct PassiveClient {
    overlay: Overlay,
    engine: Client<PassiveConfig>,
}

/// Where a group stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEpoch {
    /// The group's id.
    pub group: Vec<u8>,
    /// The epoch's number.
    pub epoch: u64,
    /// The epoch authenticator (RFC 9420 8.7), the same for all members.
    pub authenticator: Vec<u8>,
}

/// What a passive client could not do.
#[derive(Debug, Error)]
pub enum PassiveClientError {
    /// The engine or the crypto below it refuses the message.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bytes are an MLS message, and not a KeyPackage.
    #[error("the message is not a KeyPackage")]
    NotAKeyPackage,
}

impl From<MlsError> for PassiveClientError {
    fn from(error: MlsError) -> Self {
        Self::Engine(error.into())
    }
}

impl PassiveClient {
    /// The cipher suites that the crypto provider has, allowed by our policy or not.
    pub fn suites() -> Vec<CipherSuite> {
        Crypto::all_suites()
    }

    fn crypto() -> Crypto {
        Crypto::with_suites(Arc::new(SystemRandomness), Self::suites())
    }

    /// The client that `store` holds. `signer` is the private key of its leaf.
    pub fn open(store: Arc<dyn Store>, signer: SignatureSecretKey) -> Self {
        let overlay = Overlay::new(store);
        let crypto = Self::crypto();
        let rules = DefaultMlsRules::new();
        let engine = engine_storage::builder(&overlay, Slot::Current, crypto, rules, AnyIdentity)
            .signer(signer)
            .build();
        Self { overlay, engine }
    }

    /// Keeps a KeyPackage (an MLSMessage) with its private keys until a Welcome uses it.
    pub fn hold_key_package(
        &self,
        message: &[u8],
        init_key: HpkeSecretKey,
        leaf_node_key: HpkeSecretKey,
    ) -> Result<(), PassiveClientError> {
        let message = MlsMessage::from_bytes(message)?;
        let package = message.as_key_package().ok_or(PassiveClientError::NotAKeyPackage)?;
        let suite = Self::crypto().suite(package.cipher_suite())?;
        let data = KeyPackageData::new(
            package.mls_encode_to_vec().map_err(crypto_error)?,
            init_key,
            leaf_node_key,
            package.expiration()?.seconds_since_epoch(),
        );
        let reference = package.to_reference(&suite)?;
        Ok(self.overlay.write(KEY_PACKAGE, &reference, &data)?)
    }

    /// Keeps an external PSK (RFC 9420 8.4), of any length.
    pub fn hold_psk(&self, id: &[u8], secret: PreSharedKey) -> Result<(), PassiveClientError> {
        Ok(self.overlay.write(PSK, id, &secret)?)
    }

    /// Joins by a Welcome (an MLSMessage), and a ratchet tree where that travels apart.
    pub fn join(
        &self,
        welcome: &[u8],
        tree: Option<&[u8]>,
    ) -> Result<GroupEpoch, PassiveClientError> {
        let welcome = MlsMessage::from_bytes(welcome)?;
        let tree = tree.map(ExportedTree::from_bytes).transpose()?;
        let (group, _) = self.engine.join_group(tree, &welcome, None)?;
        keep(group)
    }

    /// Processes a proposal or a commit (an MLSMessage), encrypted or not. Lifetimes are not
    /// judged: the messages may be of another year.
    pub fn process(&self, group: &[u8], message: &[u8]) -> Result<GroupEpoch, PassiveClientError> {
        let mut group = self.engine.load_group(group)?;
        group.process_incoming_message(MlsMessage::from_bytes(message)?)?;
        keep(group)
    }

    /// What is to be committed to the store; nothing is pending afterwards.
    pub fn take_writes(&self) -> Vec<Write> {
        self.overlay.take_writes()
    }
}

fn keep(mut group: Group<PassiveConfig>) -> Result<GroupEpoch, PassiveClientError> {
    group.write_to_storage()?;
    Ok(GroupEpoch {
        group: group.group_id().to_vec(),
        epoch: group.current_epoch(),
        authenticator: group.epoch_authenticator()?.to_vec(),
    })
}
