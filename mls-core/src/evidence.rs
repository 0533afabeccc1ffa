//! Proof that a hub told two stories about one group, for people who were not there.
//!
//! A receipt is the hub's signature under "this message stands here in the group's order". Two
//! receipts of one key that cannot both be true prove that whoever holds the key lied, or lost and
//! restored its database. Nothing but the bytes and the hub's receipt key is needed to check that:
//! the key stands in the GroupContext of the group (extension 0xFB71) and in `HubInfo`.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::SignaturePublicKey;
use thiserror::Error;

use crate::address::ClientId;
use crate::checkpoint::{Checkpoint, CheckpointError, EpochMark};
use crate::engine::{self, EngineError, sha256};
use crate::limits::EVIDENCE_BYTES_MAX;
use crate::receipt::{Receipt, ReceiptError};
use crate::wire::{Digest, GroupId};

const VERSION: u8 = 0;

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Evidence {
    /// The hub signed two orders. Proves it to anybody.
    Receipts(TwoReceipts) = 1u8,
    /// A member signed a state that is not ours. Proves what that member signed, not who is right.
    Checkpoint(OtherState) = 2u8,
}

/// Two receipts that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct TwoReceipts {
    /// The one that came first.
    pub first: Receipted,
    /// The one that contradicts it: another content at the same seq, or the next seq after another
    /// receipt.
    pub second: Receipted,
}

/// A receipt and the message that it is for.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Receipted {
    /// The receipt.
    pub receipt: Receipt,
    /// The MLSMessage; none where it was not kept. The receipt holds its hash.
    pub message: Option<MessageBytes>,
}

/// An encoded MLSMessage.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MessageBytes(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

/// A member's signed state of an epoch, and ours.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OtherState {
    /// Who signed.
    pub client: ClientId,
    /// Their leaf's signature key, as our tree has it.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature_key: Vec<u8>,
    /// RFC 9420 number of the group's suite, in which they signed.
    pub suite: u16,
    /// What they signed.
    pub checkpoint: Checkpoint,
    /// What we have for that epoch.
    pub ours: EpochMark,
}

/// Evidence that proves nothing; whoever handed it over is at fault.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// Not evidence of this version, or too long.
    #[error("these bytes are not evidence of version 0")]
    Broken,
    /// Both can be true.
    #[error("the two do not contradict each other")]
    NoContradiction,
    /// A message is not the one that its receipt is for.
    #[error("a message is not the one that its receipt is for")]
    OtherMessage,
    /// A receipt is not signed by the hub.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The checkpoint is not signed by the member.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Evidence {
    /// Encodes: a version byte, then the TLS encoding.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let body = self.mls_encode_to_vec().map_err(engine::crypto_error)?;
        Ok([&[VERSION], body.as_slice()].concat())
    }

    /// Decodes at most [`EVIDENCE_BYTES_MAX`] bytes; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let Some((&VERSION, mut rest)) =
            bytes.split_first().filter(|_| bytes.len() <= EVIDENCE_BYTES_MAX)
        else {
            return Err(EvidenceError::Broken);
        };
        let evidence = Self::mls_decode(&mut rest).map_err(|_| EvidenceError::Broken)?;
        if rest.is_empty() { Ok(evidence) } else { Err(EvidenceError::Broken) }
    }

    /// The group that it is about.
    pub fn group(&self) -> &GroupId {
        match self {
            Self::Receipts(two) => &two.first.receipt.tbs.group,
            Self::Checkpoint(other) => &other.checkpoint.tbs.group,
        }
    }

    /// Whether it proves what it says, `hub` being the hub's receipt key.
    pub fn verify(&self, hub: &SignaturePublicKey) -> Result<(), EvidenceError> {
        match self {
            Self::Receipts(two) => two.verify(hub),
            Self::Checkpoint(other) => other.verify(),
        }
    }
}

impl TwoReceipts {
    fn verify(&self, hub: &SignaturePublicKey) -> Result<(), EvidenceError> {
        for one in [&self.first, &self.second] {
            one.receipt.verify(hub)?;
            let hash = one.message.as_ref().map(|message| sha256(&message.0));
            if hash.is_some_and(|hash| hash != one.receipt.tbs.message_hash) {
                return Err(EvidenceError::OtherMessage);
            }
        }
        match contradict(&self.first.receipt, &self.second.receipt)? {
            true => Ok(()),
            false => Err(EvidenceError::NoContradiction),
        }
    }
}

impl OtherState {
    fn verify(&self) -> Result<(), EvidenceError> {
        let key = SignaturePublicKey::from(self.signature_key.clone());
        self.checkpoint.verify(self.suite.into(), &key)?;
        match self.ours.agrees(&self.checkpoint) {
            false => Ok(()),
            true => Err(EvidenceError::NoContradiction),
        }
    }
}

/// Whether `first` and `second`, both of one hub, cannot both be true: two contents for one seq, or
/// a next one that follows another receipt.
pub fn contradict(first: &Receipt, second: &Receipt) -> Result<bool, EngineError> {
    if first.tbs.group != second.tbs.group {
        return Ok(false);
    }
    let next = first.tbs.seq.checked_add(1) == Some(second.tbs.seq);
    let follows_another = next && !names(second, first.hash()?);
    Ok((first.tbs.seq == second.tbs.seq && first.tbs != second.tbs) || follows_another)
}

fn names(receipt: &Receipt, previous: Digest) -> bool {
    receipt.tbs.previous == previous
}

#[cfg(test)]
crate::codec_properties::hold!(Evidence, TwoReceipts, Receipted, MessageBytes, OtherState);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Crypto;
    use crate::receipt::ReceiptKind;
    use mls_rs_core::crypto::CipherSuite;

    type Sign = Box<dyn Fn(Option<&Receipt>, &[u8]) -> Receipt>;

    struct Hub {
        sign: Sign,
        key: SignaturePublicKey,
    }

    fn hub() -> Hub {
        let suite = CipherSuite::CURVE25519_AES128;
        let (secret, key) = Crypto::system().generate_signature_key(suite).unwrap();
        let sign = move |previous: Option<&Receipt>, message: &[u8]| {
            let group = GroupId(vec![7; 16]);
            Receipt::sign(&secret, previous, ReceiptKind::Commit, &group, 0, message, 1).unwrap()
        };
        Hub { sign: Box::new(sign), key }
    }

    fn evidence(first: (&Receipt, &[u8]), second: (&Receipt, &[u8])) -> Evidence {
        let receipted = |(receipt, message): (&Receipt, &[u8])| Receipted {
            receipt: receipt.clone(),
            message: Some(MessageBytes(message.to_vec())),
        };
        Evidence::Receipts(TwoReceipts { first: receipted(first), second: receipted(second) })
    }

    #[test]
    fn two_contents_at_one_place_and_a_broken_chain_convince_whoever_knows_the_hubs_key() {
        let hub = hub();
        let first = (hub.sign)(None, b"group");
        let (one, other) = ((hub.sign)(Some(&first), b"one"), (hub.sign)(Some(&first), b"other"));
        let after_other = (hub.sign)(Some(&other), b"two");
        for said in [
            evidence((&one, b"one"), (&other, b"other")),
            evidence((&one, b"one"), (&after_other, b"two")),
        ] {
            let bytes = said.to_bytes().unwrap();
            let read = Evidence::from_bytes(&bytes).unwrap();
            assert_eq!(read, said);
            read.verify(&hub.key).unwrap();
            for end in 0..bytes.len() {
                assert!(Evidence::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn what_contradicts_nothing_or_is_not_the_hubs_convinces_nobody() {
        let hub = hub();
        let stranger = self::hub();
        let first = (hub.sign)(None, b"group");
        let (one, other) = ((hub.sign)(Some(&first), b"one"), (hub.sign)(Some(&first), b"other"));
        let two = (hub.sign)(Some(&one), b"two");
        let forged = (stranger.sign)(Some(&first), b"other");
        let fails = |said: Evidence| said.verify(&hub.key).unwrap_err();
        let same = evidence((&one, b"one"), (&one, b"one"));
        assert!(matches!(fails(same), EvidenceError::NoContradiction));
        let chain = evidence((&one, b"one"), (&two, b"two"));
        assert!(matches!(fails(chain), EvidenceError::NoContradiction));
        let theirs = evidence((&one, b"one"), (&forged, b"other"));
        assert!(matches!(fails(theirs), EvidenceError::Receipt(ReceiptError::Signature)));
        let swapped = evidence((&one, b"one"), (&other, b"one"));
        assert!(matches!(fails(swapped), EvidenceError::OtherMessage));
    }
}
