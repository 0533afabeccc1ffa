//! `Welcome`: the way into a group, for one device, sent only after the commit was accepted.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{Digest, GroupId, blob::Part};
use crate::address::ClientId;

/// Kept at the hub until acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Welcome {
    /// Names this Welcome for this device: SHA-256 over the Welcome and the client.
    pub id: Digest,
    /// For whom.
    pub client: ClientId,
    /// The group.
    pub group: GroupId,
    /// The group in whose place it comes (RFC 9420 11.2), which its PSK is of.
    pub former: Option<GroupId>,
    /// The epoch that it leads to.
    pub epoch: u64,
    /// The encoded receipt of the commit that made it; the member's place in the order.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt: Vec<u8>,
    /// The ratchet tree of that epoch.
    pub tree: Part,
    /// An MLSMessage that holds the Welcome.
    pub welcome: Part,
}

impl Welcome {
    /// The parts that may have come as blobs.
    pub fn parts_mut(&mut self) -> Vec<&mut Part> {
        vec![&mut self.tree, &mut self.welcome]
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Welcome);
