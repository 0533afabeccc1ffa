//! `RegisterGroup`: hand a new group to the hub; the answer is the receipt for seq 0.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::blob::Part;
use crate::seal::handshake_key::HandshakeKey;

/// At epoch 0 with one leaf, which belongs to the asker.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RegisterGroup {
    /// An MLSMessage that holds a GroupInfo without tree.
    pub group_info: Part,
    /// The ratchet tree.
    pub tree: Part,
    /// The key for handshakes of the epoch that it begins with.
    pub handshake_key: HandshakeKey,
}

#[cfg(test)]
crate::codec_properties::hold!(RegisterGroup);
