//! `RegisterSuccessor`: hand a group that follows a ReInit to the hub; the answer is the receipt for
//! seq 0.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, blob::Part};
use crate::seal::handshake_key::HandshakeKey;

/// At epoch 1, with all members of the former group (RFC 9420 11.2).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RegisterSuccessor {
    /// The group that ended.
    pub former: GroupId,
    /// An MLSMessage that holds a GroupInfo without tree, with external key.
    pub group_info: Part,
    /// The ratchet tree.
    pub tree: Part,
    /// An MLSMessage that holds a Welcome without tree, for every other member.
    pub welcome: Part,
    /// The key for handshakes of the epoch that it begins with.
    pub handshake_key: HandshakeKey,
}

#[cfg(test)]
crate::codec_properties::hold!(RegisterSuccessor);
