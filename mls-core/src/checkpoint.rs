//! A member's signed word of where it stands: beside its first message of an epoch, in clear.
//!
//! Two members that a hub, or a fault, led to different states cannot read each other, so what
//! shows it has to travel outside the ciphertext. A checkpoint names the last receipt that its
//! sender followed and a hash of the epoch authenticator (RFC 9420 section 8.7), under the key of
//! its leaf. The hub passes it on unread. It never changes a group's state: it only makes people
//! look.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use thiserror::Error;

use crate::engine::{self, EngineError};
use crate::limits::CHECKPOINT_BYTES_MAX;
use crate::wire::{Digest, GroupId};

const LABEL: &[u8] = b"mls-bridge 0 checkpoint\0";
const VERSION: u8 = 0;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CheckpointTbs {
    /// Always 0.
    pub version: u8,
    /// The group.
    pub group: GroupId,
    /// The epoch.
    pub epoch: u64,
    /// Seq of the last receipt that the sender followed.
    pub seq: u64,
    /// SHA-256 of that receipt.
    pub receipt: Digest,
    /// SHA-256 of the epoch authenticator.
    pub authenticator: Digest,
    /// The sender's leaf.
    pub leaf: u32,
    /// Generation of the message that it goes beside.
    pub generation: u32,
    /// How many generations right before that one the sender reserved and may not have used, as
    /// after a crash: that they do not come means nothing.
    pub skipped: u32,
}

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Checkpoint {
    /// What is signed.
    pub tbs: CheckpointTbs,
    /// By the sender's leaf key, in the group's suite, over the label, a zero byte and `tbs`.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature: Vec<u8>,
}

/// An encoded checkpoint as it travels, at most [`CHECKPOINT_BYTES_MAX`] long.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CheckpointBytes(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

impl CheckpointBytes {
    /// What came beside a message; nothing where it is too long to be one.
    pub fn of(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= CHECKPOINT_BYTES_MAX).then_some(Self(bytes))
    }
}

/// What one member knows of an epoch, to compare with the checkpoints of others.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct EpochMark {
    /// The epoch.
    pub epoch: u64,
    /// SHA-256 of the epoch authenticator.
    pub authenticator: Digest,
    /// Seq of the receipt that led to the epoch.
    pub seq: u64,
    /// SHA-256 of that receipt.
    pub receipt: Digest,
}

/// A checkpoint that says nothing; whoever put it there is at fault.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// Not a checkpoint, or too long.
    #[error("these bytes are not a checkpoint of version 0")]
    Broken,
    /// Not signed by that leaf.
    #[error("the checkpoint is not signed by the member that it names")]
    Signature,
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl CheckpointTbs {
    /// What a member says in this epoch.
    pub fn new(group: GroupId, mark: &EpochMark, leaf: u32, generation: u32, skipped: u32) -> Self {
        let EpochMark { epoch, authenticator, seq, receipt } = mark.clone();
        Self {
            version: VERSION,
            group,
            epoch,
            seq,
            receipt,
            authenticator,
            leaf,
            generation,
            skipped,
        }
    }

    /// Signs with the key of the sender's leaf.
    pub fn sign(
        self,
        suite: CipherSuite,
        key: &SignatureSecretKey,
    ) -> Result<Checkpoint, EngineError> {
        let signature = engine::sign(suite, key, &self.signed_bytes()?)?;
        Ok(Checkpoint { tbs: self, signature })
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let tbs = self.mls_encode_to_vec().map_err(engine::crypto_error)?;
        Ok([LABEL, &tbs].concat())
    }
}

impl Checkpoint {
    /// Decodes at most [`CHECKPOINT_BYTES_MAX`] bytes; the signature is not checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        if bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::Broken);
        }
        let mut rest = bytes;
        let checkpoint = Self::mls_decode(&mut rest).map_err(|_| CheckpointError::Broken)?;
        let whole = rest.is_empty() && checkpoint.tbs.version == VERSION;
        if whole { Ok(checkpoint) } else { Err(CheckpointError::Broken) }
    }

    /// Encodes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EngineError> {
        self.mls_encode_to_vec().map_err(engine::crypto_error)
    }

    /// Whether `key` signed it.
    pub fn verify(
        &self,
        suite: CipherSuite,
        key: &SignaturePublicKey,
    ) -> Result<(), CheckpointError> {
        engine::verify(suite, key, &self.signature, &self.tbs.signed_bytes()?)
            .map_err(|_| CheckpointError::Signature)
    }
}

impl EpochMark {
    /// Whether a checkpoint says the same of the epoch, as far as can be told.
    pub fn agrees(&self, checkpoint: &Checkpoint) -> bool {
        let CheckpointTbs { epoch, authenticator, seq, receipt, .. } = &checkpoint.tbs;
        *epoch == self.epoch
            && *authenticator == self.authenticator
            && (*seq != self.seq || *receipt == self.receipt)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(CheckpointTbs, Checkpoint, CheckpointBytes, EpochMark);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Crypto;

    fn mark() -> EpochMark {
        let (authenticator, receipt) = (Digest([1; 32]), Digest([2; 32]));
        EpochMark { epoch: 3, authenticator, seq: 5, receipt }
    }

    #[test]
    fn a_checkpoint_survives_its_encoding_and_no_changed_bit() {
        let suite = CipherSuite::CURVE25519_AES128;
        let (secret, public) = Crypto::system().generate_signature_key(suite).unwrap();
        let tbs = CheckpointTbs::new(GroupId(vec![7; 16]), &mark(), 2, 9, 4);
        let signed = tbs.sign(suite, &secret).unwrap();
        let bytes = signed.to_bytes().unwrap();
        assert!(bytes.len() <= CHECKPOINT_BYTES_MAX);
        let read = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(read, signed);
        read.verify(suite, &public).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let read = Checkpoint::from_bytes(&forged);
            let refused = read.and_then(|read| read.verify(suite, &public)).is_err();
            assert!(refused, "bit {bit} flipped and nobody noticed");
        }
    }

    #[test]
    fn another_receipt_or_another_authenticator_is_another_state() {
        let suite = CipherSuite::CURVE25519_AES128;
        let (secret, _) = Crypto::system().generate_signature_key(suite).unwrap();
        let says = |mark: &EpochMark| {
            CheckpointTbs::new(GroupId(vec![7; 16]), mark, 0, 0, 0).sign(suite, &secret).unwrap()
        };
        let other = Digest([9; 32]);
        assert!(mark().agrees(&says(&mark())));
        assert!(mark().agrees(&says(&EpochMark { seq: 6, receipt: other, ..mark() })));
        assert!(!mark().agrees(&says(&EpochMark { receipt: other, ..mark() })));
        assert!(!mark().agrees(&says(&EpochMark { authenticator: other, ..mark() })));
    }
}
