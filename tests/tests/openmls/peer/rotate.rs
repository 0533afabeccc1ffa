//! A new signature key for the leaf, with a credential for the same client.

use mls_core::wire::{Answer, Request};
use openmls::prelude::{CredentialWithKey, NewSignerBundle, OpenMlsProvider as _};
use openmls_basic_credential::SignatureKeyPair;

use super::{Link, OpenMlsPeer, PeerError};

impl OpenMlsPeer {
    /// Commits an update to a fresh signature key. The submission is still signed with the old one,
    /// which stands in the tree before the commit; the new GroupInfo with the new one.
    pub(crate) fn rotate_signature_key(&mut self, link: &mut impl Link) -> Result<(), PeerError> {
        self.catch_up(link)?;
        let signer = SignatureKeyPair::new(self.suite.signature_algorithm())?;
        let credential = CredentialWithKey {
            credential: self.credential.credential.clone(),
            signature_key: signer.public().into(),
        };
        let provider = &self.provider;
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        let new = NewSignerBundle { signer: &signer, credential_with_key: credential.clone() };
        let bundle = joined
            .group
            .commit_builder()
            .load_psks(provider.storage())
            .map_err(PeerError::new)?
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build_with_new_signer(provider.rand(), provider.crypto(), &self.signer, new, |_| true)
            .map_err(PeerError::new)?
            .stage_commit(provider)
            .map_err(PeerError::new)?;
        let submission = self.submission(&bundle)?;
        let commit = super::join::inline(&submission.commit)?.to_vec();
        match link.ask(Request::SubmitCommit(submission))? {
            Answer::Receipt(receipt) => self.accepted(link, &receipt, &commit)?,
            other => return Err(PeerError::answer(&other)),
        };
        (self.signer, self.credential) = (signer, credential);
        Ok(())
    }
}
