//! `KeyPackagesLow`: the hub's pool of a device should be filled (XMPP; Matrix clients are told by /sync).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// Sent when the pool falls below the policy's refill mark.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KeyPackagesLow {
    /// The device.
    pub device: String,
    /// RFC 9420 number of the packages' suite.
    pub suite: u16,
    /// One-time packages left.
    pub count: u32,
}

#[cfg(test)]
crate::codec_properties::hold!(KeyPackagesLow);
