//! Building an external commit (RFC 9420 12.4.3.2) from a GroupInfo of the hub: over our own leaf, or
//! into an open group. Its group lies in the candidate slot until the receipt comes.

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::group::ExportedTree;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::psk::ExternalPskId;

use super::Member;
use super::commit::Built;
use super::engine_storage::{self, PACKAGE_LIFETIME, Slot};
use super::keys::SignatureKey;
use super::sealed_handshakes::handshake_key;
use crate::bridge_group::BridgeGroup;
use crate::engine::EngineError;
use crate::identity::client_id;
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// The leaf that has our client and a key of ours, and that key.
    pub(super) fn own_leaf(
        &self,
        group: &GroupId,
        tree: &ExportedTree<'_>,
        suite: CipherSuite,
    ) -> Result<Option<(u32, SignatureKey)>, StoreError> {
        let own = tree
            .roster()
            .members_iter()
            .find(|member| client_id(&member.signing_identity).as_ref() == Ok(&self.client));
        let Some(own) = own else { return Ok(None) };
        let key = self.key_behind(group, suite, &own.signing_identity.signature_key)?;
        Ok(key.map(|key| (own.index, key)))
    }

    /// Builds the external commit and keeps its group in the candidate slot.
    pub(super) fn external_commit(
        &self,
        group_info: MlsMessage,
        tree: ExportedTree<'static>,
        leaf: Option<(u32, SignatureKey)>,
        bound: &BridgeGroup,
    ) -> Result<Built, EngineError> {
        let suite = group_info.cipher_suite().ok_or(MlsError::UnexpectedMessageType)?;
        let (leaf, signer) = leaf.unzip();
        let signer = signer.unwrap_or_else(|| self.keys.of(suite).clone());
        let client = engine_storage::client(
            &self.overlay,
            &self.crypto,
            Slot::Candidate,
            &signer,
            suite,
            PACKAGE_LIFETIME,
        );
        let shown = self.leaf_extensions(signer.public())?;
        let builder = client.external_commit_builder()?.with_tree_data(tree);
        let mut builder = builder.with_leaf_node_extensions(shown);
        if let Some(leaf) = leaf {
            builder = builder.with_removal(leaf);
        }
        if !bound.join_psk.is_empty() {
            builder = builder.with_external_psk(ExternalPskId::new(bound.join_psk.clone()));
        }
        let (mut group, commit) = builder.build(group_info)?;
        group.write_to_storage()?;
        Ok(Built {
            commit: commit.to_bytes()?,
            welcome: None,
            group_info: group.group_info_message_allowing_ext_commit(false)?.to_bytes()?,
            has_path: true,
            suite,
            signer,
            handshake_key: handshake_key(&group)?,
        })
    }
}
