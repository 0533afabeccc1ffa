//! Pre-shared keys in proposals (RFC 9420 8.4 and 12.1.4), and which of them a member says to
//! hold.
//!
//! A commit that uses a PSK shuts out every member that lacks it. So a member that has been given
//! one says so in its leaf, by the SHA-256 of the id: whoever wants to use it sees who lacks it.
//! The id is no secret, it stands in the proposal.

use mls_rs::group::GroupContext;
use mls_rs::group::proposal::Proposal;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::extension::{ExtensionList, ExtensionType, MlsCodecExtension};
use thiserror::Error;

use crate::engine::sha256;
use crate::limits::PSKS_HELD_MAX;
use crate::policy::{HELD_PSKS_EXTENSION, RESUMPTION_PSK_EPOCHS};
use crate::wire::Digest;

/// A PSK that may not be used; its proposer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PskError {
    /// Of a former group, or for the start of a new one.
    #[error("only external PSKs and resumption PSKs of this group may be used")]
    OtherGroup,
    /// Members may have deleted it, or do not have it yet.
    #[error("only the resumption PSKs of the last {RESUMPTION_PSK_EPOCHS} epochs may be used")]
    Epoch,
    /// Cannot be read.
    #[error("the PSK's id cannot be read")]
    Broken,
}

/// What a PreSharedKey proposal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PskName {
    /// One that people handed over.
    External(Vec<u8>),
    /// One of a former epoch of this group.
    Resumption,
}

/// RFC 9420 8.4; the engine's own type is not public.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
#[repr(u8)]
enum PskId {
    External(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>) = 1u8,
    Resumption(ResumptionPsk) = 2u8,
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct ResumptionPsk {
    usage: u8,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    group_id: Vec<u8>,
    epoch: u64,
}

/// ResumptionPSKUsage `application`.
const APPLICATION: u8 = 1;

/// Reads and checks the PSK of a proposal that is made in this context.
pub(crate) fn check(proposal: &Proposal, context: &GroupContext) -> Result<PskName, PskError> {
    let bytes = proposal.mls_encode_to_vec().map_err(|_| PskError::Broken)?;
    let mut rest = bytes.as_slice();
    u16::mls_decode(&mut rest).map_err(|_| PskError::Broken)?; // the proposal's type
    match PskId::mls_decode(&mut rest).map_err(|_| PskError::Broken)? {
        PskId::External(id) => Ok(PskName::External(id)),
        PskId::Resumption(psk) if psk.usage != APPLICATION || psk.group_id != context.group_id => {
            Err(PskError::OtherGroup)
        }
        PskId::Resumption(psk) => match context.epoch.checked_sub(psk.epoch) {
            Some(age) if age <= RESUMPTION_PSK_EPOCHS => Ok(PskName::Resumption),
            _ => Err(PskError::Epoch),
        },
    }
}

/// Leaf node extension 0xFB72: SHA-256 of the ids of the external PSKs that a member holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HeldPsks {
    /// In the order in which it got them; the oldest go first.
    pub hashes: Vec<Digest>,
}

impl HeldPsks {
    /// What a leaf says; nothing where it says nothing that can be read.
    pub fn of_leaf(extensions: &ExtensionList) -> Self {
        extensions.get_as().ok().flatten().unwrap_or_default()
    }

    /// Whether the PSK is named.
    pub fn names(&self, id: &[u8]) -> bool {
        self.hashes.contains(&sha256(id))
    }

    /// With one more, within the bound.
    pub(crate) fn with(mut self, id: &[u8]) -> Self {
        self.hashes.retain(|known| *known != sha256(id));
        self.hashes.push(sha256(id));
        let too_many = self.hashes.len().saturating_sub(PSKS_HELD_MAX);
        self.hashes.drain(..too_many);
        self
    }
}

impl MlsCodecExtension for HeldPsks {
    fn extension_type() -> ExtensionType {
        HELD_PSKS_EXTENSION
    }
}

#[cfg(test)]
crate::codec_properties::hold!(PskId, ResumptionPsk, HeldPsks);
