//! `ReportInvalid`: a member cannot process an accepted handshake; the group's admins are shown it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;

/// Evicts nobody: two liars must not.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct ReportInvalid {
    /// The group.
    pub group: GroupId,
    /// The handshake's position.
    pub seq: u64,
    /// Its encoded receipt.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt: Vec<u8>,
    /// One sentence.
    pub why: String,
}

#[cfg(test)]
crate::codec_properties::hold!(ReportInvalid);
