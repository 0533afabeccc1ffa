//! `SubmitProposal`: a proposal by reference; the answer is its receipt.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;

/// From a member of the group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SubmitProposal {
    /// The group.
    pub group: GroupId,
    /// The epoch in which the proposal was made.
    pub epoch: u64,
    /// An MLSMessage that holds a PublicMessage.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub proposal: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(SubmitProposal);
