//! Two heads that an authority signed, for people who were not there: with the certificates that show whose the
//! signatures are. Nothing but the bytes, and the fingerprint of the root, is needed to check them.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::SignaturePublicKey;
use thiserror::Error;

use super::{LogError, SignedTreeHead, TreeHead, TwoHeads};
use crate::engine::sha256;
use crate::identity::{Certificate, CertificateError, issuer_key, public_key_of};
use crate::wire::Digest;
use crate::wire::issue_credential::CertificateBytes;

/// Two heads of the log of one domain's authority.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LogEvidence {
    /// The domain, as in [`TrustAnchor::domain`](crate::identity::TrustAnchor::domain).
    pub domain: String,
    /// The one that was known.
    pub first: ShownHead,
    /// The one that came.
    pub second: ShownHead,
}

/// A head, and who signed it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ShownHead {
    /// The head.
    pub head: SignedTreeHead,
    /// Who signed it.
    pub signer: HeadSigner,
}

/// The key that signed a head, by the certificates that lead to it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HeadSigner {
    /// The root: what people compare.
    pub root: CertificateBytes,
    /// Where an intermediate signed: a certificate that it issued to a device of the domain, its own, and what is
    /// between that and the root. The device's is there because paths are judged from a leaf on (RFC 5280 6), and
    /// names whoever hands the evidence over.
    pub chain: Vec<CertificateBytes>,
}

/// Evidence that proves nothing; whoever handed it over is at fault.
#[derive(Debug, Error)]
pub enum LogEvidenceError {
    /// The certificates do not lead from the key to the root.
    #[error("who signed cannot be told: {0}")]
    Signer(#[from] CertificateError),
    /// A head is not what it should be, or both can be true ([`LogError::NoContradiction`]).
    #[error(transparent)]
    Head(#[from] LogError),
}

impl LogEvidence {
    /// Whether the two cannot both be true, as the holders of these roots say of themselves. Whether the roots are the
    /// domain's is for people to compare ([`LogEvidence::roots`]).
    pub fn verify(&self) -> Result<(), LogEvidenceError> {
        for shown in [&self.first, &self.second] {
            shown.head.verify(&shown.signer.key(&self.domain)?)?;
        }
        match self.heads().contradict() {
            true => Ok(()),
            false => Err(LogError::NoContradiction.into()),
        }
    }

    /// The two heads.
    pub fn heads(&self) -> TwoHeads {
        TwoHeads { first: self.first.head.clone(), second: self.second.head.clone() }
    }

    /// Fingerprints of the roots, as in [`TrustAnchor::fingerprint`](crate::identity::TrustAnchor::fingerprint);
    /// one, unless the authority changed it between.
    pub fn roots(&self) -> Vec<Digest> {
        let mut roots = vec![sha256(&self.first.signer.root.0), sha256(&self.second.signer.root.0)];
        roots.dedup();
        roots
    }
}

impl HeadSigner {
    /// The key, if the certificates show that an authority with this root for this domain has it.
    pub fn key(&self, domain: &str) -> Result<SignaturePublicKey, CertificateError> {
        let key = match self.chain.as_slice() {
            [] => public_key_of(&self.root.0)?,
            chain => {
                let chain = chain.iter().map(|one| one.0.clone()).collect::<Vec<_>>().into();
                let leaf = Certificate::of(&chain)?;
                let root = Some(&*self.root.0).filter(|_| leaf.client.user().domain() == domain);
                // As of its beginning: how long ago the heads were signed says nothing about who did.
                issuer_key(&chain, root, leaf.not_before_s)?
            }
        };
        Ok(SignaturePublicKey::from(key))
    }
}

impl TreeHead {
    /// What people compare: its size, root and time.
    pub fn in_words(&self) -> String {
        format!("{} entries, root {}, signed at @{}", self.size, self.root, self.time_ms / 1000)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(LogEvidence, ShownHead, HeadSigner);
