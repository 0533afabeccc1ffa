//! The hub's signed answer to "what comes next in this group": one per accepted handshake.
//!
//! Receipts of a group form a chain by hash. A hub that tells two members two stories leaves two
//! signed receipts for one `seq`, which anybody can check.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use thiserror::Error;

use crate::engine::{self, EngineError, sha256};
use crate::limits::CLOCK_SKEW_MS;
use crate::wire::{Digest, GroupId};

/// Receipts are Ed25519 whatever the group's suite is.
const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
const LABEL: &[u8] = b"mls-bridge 0 receipt\0";
const VERSION: u8 = 0;

/// What the receipt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum ReceiptKind {
    /// The group was registered (seq 0).
    Group = 0u8,
    /// A proposal.
    Proposal = 1u8,
    /// A commit.
    Commit = 2u8,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ReceiptTbs {
    /// Always 0.
    pub version: u8,
    /// What for.
    pub kind: ReceiptKind,
    /// The group.
    pub group: GroupId,
    /// Position in the group's order.
    pub seq: u64,
    /// The epoch in which the message was sent.
    pub epoch: u64,
    /// SHA-256 of the MLSMessage; at seq 0 of the GroupInfo.
    pub message_hash: Digest,
    /// SHA-256 of the whole previous receipt; zeros at seq 0.
    pub previous: Digest,
    /// When the hub accepted it, in milliseconds since 1970; the engine's time on both sides.
    pub time_ms: u64,
    /// Number of the revocation list that the hub went by. Not said yet: always 0.
    pub revocation_list: u64,
}

/// A signed receipt.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Receipt {
    /// What is signed.
    pub tbs: ReceiptTbs,
    /// Ed25519 over the label, a zero byte and `tbs`.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature: Vec<u8>,
}

/// A receipt that proves nothing; whoever sent it is at fault.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// The bytes are no receipt.
    #[error("these bytes are not a receipt of version 0")]
    Broken,
    /// Not signed by the group's hub.
    #[error("the receipt is not signed by the group's hub")]
    Signature,
    /// For another group or another message.
    #[error("the receipt is for another message")]
    OtherMessage,
    /// Not the next after the last one.
    #[error("the receipt does not follow the last one (seq {got} after {last})")]
    NotNext {
        /// The last one's seq.
        last: u64,
        /// This one's.
        got: u64,
    },
    /// Older than the last, or too far ahead of our clock.
    #[error("the receipt's time is wrong: check the hub's clock and this machine's")]
    Time,
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Receipt {
    /// Signs the receipt that follows `previous` (none at seq 0).
    pub fn sign(
        key: &SignatureSecretKey,
        previous: Option<&Self>,
        kind: ReceiptKind,
        group: &GroupId,
        epoch: u64,
        message: &[u8],
        time_ms: u64,
    ) -> Result<Self, EngineError> {
        let tbs = ReceiptTbs {
            version: VERSION,
            kind,
            group: group.clone(),
            seq: previous.map_or(0, |p| p.tbs.seq.saturating_add(1)),
            epoch,
            message_hash: sha256(message),
            previous: previous.map_or(Ok(Digest([0; 32])), Self::hash)?,
            // Never older than the one before, whatever the clock does.
            time_ms: previous.map_or(time_ms, |p| time_ms.max(p.tbs.time_ms)),
            revocation_list: 0,
        };
        let signature = engine::sign(SUITE, key, &signed_bytes(&tbs)?)?;
        Ok(Self { tbs, signature })
    }

    /// Decodes; the signature is not checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let mut rest = bytes;
        let receipt = Self::mls_decode(&mut rest).map_err(|_| ReceiptError::Broken)?;
        let whole = rest.is_empty() && receipt.tbs.version == VERSION;
        if whole { Ok(receipt) } else { Err(ReceiptError::Broken) }
    }

    /// Encodes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EngineError> {
        encode(self)
    }

    /// What the next receipt names as `previous`.
    pub fn hash(&self) -> Result<Digest, EngineError> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// Whether `key` signed it.
    pub fn verify(&self, key: &SignaturePublicKey) -> Result<(), ReceiptError> {
        engine::verify(SUITE, key, &self.signature, &signed_bytes(&self.tbs)?)
            .map_err(|_| ReceiptError::Signature)
    }

    /// Whether it is for these bytes in this group.
    pub fn covers(&self, group: &GroupId, message: &[u8]) -> Result<(), ReceiptError> {
        let same = self.tbs.group == *group && self.tbs.message_hash == sha256(message);
        if same { Ok(()) } else { Err(ReceiptError::OtherMessage) }
    }

    /// Whether it is the one after `last`, at a time that can be.
    pub fn follows(&self, last: &Self, now_ms: u64) -> Result<(), ReceiptError> {
        let next = last.tbs.seq.checked_add(1) == Some(self.tbs.seq);
        if !next || self.tbs.previous != last.hash()? {
            return Err(ReceiptError::NotNext { last: last.tbs.seq, got: self.tbs.seq });
        }
        let ahead = self.tbs.time_ms > now_ms.saturating_add(CLOCK_SKEW_MS);
        if ahead || self.tbs.time_ms < last.tbs.time_ms {
            return Err(ReceiptError::Time);
        }
        Ok(())
    }
}

fn signed_bytes(tbs: &ReceiptTbs) -> Result<Vec<u8>, EngineError> {
    Ok([LABEL, &encode(tbs)?].concat())
}

fn encode(value: &impl MlsEncode) -> Result<Vec<u8>, EngineError> {
    value.mls_encode_to_vec().map_err(engine::crypto_error)
}

#[cfg(test)]
crate::codec_properties::hold!(ReceiptKind, ReceiptTbs, Receipt);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Crypto;

    const NOW: u64 = 1_800_000_000_000;

    fn chain() -> (SignaturePublicKey, Receipt, Receipt) {
        let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let group = GroupId(vec![7; 16]);
        let sign = |previous: Option<&Receipt>, kind, message: &[u8]| {
            Receipt::sign(&secret, previous, kind, &group, 0, message, NOW).unwrap()
        };
        let first = sign(None, ReceiptKind::Group, b"info");
        let second = sign(Some(&first), ReceiptKind::Commit, b"commit");
        (public, first, second)
    }

    #[test]
    fn a_receipt_survives_its_encoding_and_names_the_one_before() {
        let (key, first, second) = chain();
        let again = Receipt::from_bytes(&second.to_bytes().unwrap()).unwrap();
        assert_eq!(again, second);
        again.verify(&key).unwrap();
        again.follows(&first, NOW).unwrap();
        again.covers(&GroupId(vec![7; 16]), b"commit").unwrap();
    }

    #[test]
    fn a_receipt_with_any_bit_flipped_is_refused() {
        let (key, _, receipt) = chain();
        let bytes = receipt.to_bytes().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let refused = Receipt::from_bytes(&forged).and_then(|r| r.verify(&key)).is_err();
            assert!(refused, "bit {bit} flipped and nobody noticed");
        }
    }

    #[test]
    fn a_receipt_out_of_order_or_from_another_time_is_refused() {
        let (_, first, second) = chain();
        assert!(matches!(first.follows(&second, NOW), Err(ReceiptError::NotNext { .. })));
        let early = NOW - CLOCK_SKEW_MS - 1;
        assert!(matches!(second.follows(&first, early), Err(ReceiptError::Time)));
        assert!(matches!(
            second.covers(&GroupId(vec![7; 16]), b"other"),
            Err(ReceiptError::OtherMessage)
        ));
    }
}
