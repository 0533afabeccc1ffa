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
    /// The group whose resumption PSK it needs.
    pub resumes: Option<Resumed>,
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

/// The group from which another was made, and whose secret leads into that (RFC 9420 11.2, 11.3).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Resumed {
    /// The one in whose place it comes, after a ReInit.
    Former(GroupId) = 1u8,
    /// The one that it branches from.
    Parent(Parent) = 2u8,
}

/// The group that another branches from.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Parent {
    /// Its id.
    pub group: GroupId,
    /// The epoch of which the PSK is.
    pub epoch: u64,
    /// The encoded GroupContext extensions of the branch, which stand in the Welcome too; the engine has to be
    /// told what it will find there.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub extensions: Vec<u8>,
}

impl Welcome {
    /// The parts that may have come as blobs.
    pub fn parts_mut(&mut self) -> Vec<&mut Part> {
        vec![&mut self.tree, &mut self.welcome]
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Welcome, Resumed, Parent);
