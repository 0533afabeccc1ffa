//! `DeviceWaiting`: a device of a member's user asks to be added to a group.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::GroupId;
use crate::address::ClientId;

/// Shown to people, never acted on by itself.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DeviceWaiting {
    /// The group.
    pub group: GroupId,
    /// The device that asks.
    pub client: ClientId,
}

#[cfg(test)]
crate::codec_properties::hold!(DeviceWaiting);
