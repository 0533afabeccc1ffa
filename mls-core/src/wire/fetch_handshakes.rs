//! `FetchHandshakes`: fill a gap in a group's sequence.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, handshake::Handshake};

/// Only for accounts that have a leaf in the group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchHandshakes {
    /// The group.
    pub group: GroupId,
    /// The first sequence number wanted.
    pub from_seq: u64,
}

/// Consecutive handshakes, as many as fit.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Handshakes {
    /// In order of `seq`.
    pub handshakes: Vec<Handshake>,
    /// The last sequence number that the hub has given out in this group.
    pub last_seq: u64,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchHandshakes, Handshakes);
