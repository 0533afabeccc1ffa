//! `Handshake`: an accepted proposal or commit, with the receipt that orders it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, blob::Part};

/// The sender on either network must be the hub, and the receipt must be the group's next.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Handshake {
    /// The group.
    pub group: GroupId,
    /// Position in the group's one order, over both networks.
    pub seq: u64,
    /// The epoch in which the message was sent.
    pub epoch: u64,
    /// An MLSMessage that holds a PublicMessage.
    pub message: Part,
    /// An encoded [`crate::receipt::Receipt`].
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(Handshake);
