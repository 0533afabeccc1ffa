//! Pre-shared keys (RFC 9420 8.4): external ones that people hand over, and those of past epochs.

use mls_core::psk::HeldPsks;
use mls_core::wire::Digest;
use mls_rs_codec::MlsEncode as _;
use openmls::prelude::{
    Extension, Extensions, LeafNode, LeafNodeParameters, OpenMlsProvider as _, UnknownExtension,
};
use openmls::schedule::psk::{ResumptionPsk, ResumptionPskUsage};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};

use super::{Change, Link, OpenMlsPeer, PeerError, engine};

impl OpenMlsPeer {
    /// Keeps an external PSK without a word to anybody.
    pub(crate) fn keep_psk(&self, id: &[u8], secret: &[u8]) -> Result<(), PeerError> {
        self.external_psk(id)?.store(&self.provider, secret).map_err(PeerError::new)
    }

    /// Keeps an external PSK and says so in its leaf, in extension 0xFB72: whoever wants to use
    /// the PSK sees there whom that would shut out.
    pub(crate) fn hold_psk(
        &mut self,
        link: &mut impl Link,
        id: &[u8],
        secret: &[u8],
    ) -> Result<(), PeerError> {
        self.keep_psk(id, secret)?;
        self.commit(link, &Change::HoldPsk(id.to_vec()))
    }

    pub(super) fn leaf_with_psk(&self, id: &[u8]) -> Result<LeafNodeParameters, PeerError> {
        let hash: Digest = mls_core::engine::sha256(id);
        let held = HeldPsks { hashes: vec![hash] }.mls_encode_to_vec()?;
        let held = Extension::Unknown(engine::HELD_PSKS, UnknownExtension(held));
        Ok(LeafNodeParameters::builder()
            .with_capabilities(engine::capabilities(self.provider.rand())?)
            .with_extensions(Extensions::<LeafNode>::single(held)?)
            .build())
    }

    pub(super) fn external_psk(&self, id: &[u8]) -> Result<PreSharedKeyId, PeerError> {
        let psk = Psk::External(ExternalPsk::new(id.to_vec()));
        Ok(PreSharedKeyId::new(self.suite, self.provider.rand(), psk)?)
    }

    pub(super) fn past_epoch(&self, epoch: u64) -> Result<PreSharedKeyId, PeerError> {
        let group = self.group()?.group_id().clone();
        let psk = ResumptionPsk::new(ResumptionPskUsage::Application, group, epoch.into());
        Ok(PreSharedKeyId::new(self.suite, self.provider.rand(), Psk::Resumption(psk))?)
    }
}
