//! `SubmitCommit`: a commit with all that follows from it; the answer is its receipt.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, blob::Part};
use crate::seal::handshake_key::HandshakeKey;

/// The same commit (by hash) again gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SubmitCommit {
    /// The group.
    pub group: GroupId,
    /// The epoch in which the commit was made.
    pub epoch: u64,
    /// The last place in the hub's order that the committer has followed. Only who has followed all can
    /// hand a group back that its room orders: others may follow a branch of before.
    pub after_seq: u64,
    /// An MLSMessage that holds a PublicMessage.
    pub commit: Part,
    /// An MLSMessage that holds a Welcome without tree, where the commit adds.
    pub welcome: Option<Part>,
    /// An MLSMessage that holds the GroupInfo of the new epoch, without tree, with external key.
    pub group_info: Part,
    /// The key for handshakes of the epoch that it leads to.
    pub handshake_key: HandshakeKey,
    /// By the committer's leaf key; see [`crate::submission`].
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub signature: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(SubmitCommit);
