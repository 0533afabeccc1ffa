//! A group that was made with all its members at once: one that follows a ReInit, or a branch.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::blob::Part;
use crate::seal::handshake_key::HandshakeKey;

/// At epoch 1 (RFC 9420 11.2, 11.3).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FoundedGroup {
    /// An MLSMessage that holds a GroupInfo without tree, with external key.
    pub group_info: Part,
    /// The ratchet tree.
    pub tree: Part,
    /// An MLSMessage that holds a Welcome without tree, for every other member; nothing where there is none, as in
    /// what follows a group of one.
    pub welcome: Option<Part>,
    /// The key for handshakes of the epoch that it begins with.
    pub handshake_key: HandshakeKey,
}

impl FoundedGroup {
    /// The parts that may travel as blobs.
    pub fn parts_mut(&mut self) -> Vec<&mut Part> {
        [&mut self.group_info, &mut self.tree].into_iter().chain(self.welcome.as_mut()).collect()
    }
}

#[cfg(test)]
crate::codec_properties::hold!(FoundedGroup);
