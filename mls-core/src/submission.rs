//! The committer's own signature over a submission.
//!
//! The hub has no group key, so it can check neither the membership nor the confirmation tag of
//! a commit. Without this signature one bit flipped on the way would stall a group.

use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};

use crate::engine::{self, EngineError, sha256};
use crate::wire::{Digest, GroupId};

const LABEL: &[u8] = b"mls-bridge 0 submit\0";

/// What is signed: group, epoch, and the hashes of the commit, of the Welcome (of nothing, where
/// there is none) and of the GroupInfo.
pub struct Submission<'a> {
    /// The group.
    pub group: &'a GroupId,
    /// The epoch in which the commit was made.
    pub epoch: u64,
    /// The commit's MLSMessage.
    pub commit: &'a [u8],
    /// The Welcome's MLSMessage.
    pub welcome: Option<&'a [u8]>,
    /// The GroupInfo's MLSMessage.
    pub group_info: &'a [u8],
}

impl Submission<'_> {
    /// Signs with the committer's leaf key, in the group's suite.
    pub fn sign(
        &self,
        suite: CipherSuite,
        key: &SignatureSecretKey,
    ) -> Result<Vec<u8>, EngineError> {
        engine::sign(suite, key, &self.signed_bytes()?)
    }

    /// Whether `key` signed it.
    pub fn verify(
        &self,
        suite: CipherSuite,
        key: &SignaturePublicKey,
        signature: &[u8],
    ) -> Result<(), EngineError> {
        engine::verify(suite, key, signature, &self.signed_bytes()?)
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let group = self.group.mls_encode_to_vec().map_err(engine::crypto_error)?;
        let Digest(commit) = sha256(self.commit);
        let Digest(welcome) = sha256(self.welcome.unwrap_or_default());
        let Digest(group_info) = sha256(self.group_info);
        let epoch = self.epoch.to_be_bytes();
        Ok([LABEL, &group, &epoch, &commit, &welcome, &group_info].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Crypto;

    #[test]
    fn a_signature_holds_for_one_submission_only() {
        let suite = CipherSuite::CURVE25519_AES128;
        let (secret, public) = Crypto::system().generate_signature_key(suite).unwrap();
        let (group, other) = (GroupId(vec![1; 16]), GroupId(vec![2; 16]));
        let make = |group, epoch, commit, welcome, group_info| Submission {
            group,
            epoch,
            commit,
            welcome,
            group_info,
        };
        let signed = make(&group, 3, b"commit", Some(b"welcome"), b"info");
        let signature = signed.sign(suite, &secret).unwrap();
        signed.verify(suite, &public, &signature).unwrap();
        for changed in [
            make(&other, 3, b"commit", Some(b"welcome"), b"info"),
            make(&group, 4, b"commit", Some(b"welcome"), b"info"),
            make(&group, 3, b"c0mmit", Some(b"welcome"), b"info"),
            make(&group, 3, b"commit", None, b"info"),
            make(&group, 3, b"commit", Some(b"welcome"), b"inf0"),
        ] {
            assert!(changed.verify(suite, &public, &signature).is_err());
        }
    }
}
