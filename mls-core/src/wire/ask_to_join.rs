//! `AskToJoin`: a new device asks to be added to the groups of its user.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// The hub passes it on to the user's devices, and to the admins, of every group in which the
/// user has a leaf and this device has none. Whether to add it is for people to say: the hub's
/// word alone must never add anybody.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct AskToJoin {
    /// The asking account's device.
    pub device: String,
}

#[cfg(test)]
crate::codec_properties::hold!(AskToJoin);
