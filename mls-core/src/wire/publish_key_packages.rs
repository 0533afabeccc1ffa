//! `PublishKeyPackages`: fill the hub's pool (XMPP; on Matrix the homeserver keeps the pool).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// Every package's identity must be this device of the asking account.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct PublishKeyPackages {
    /// The device.
    pub device: String,
    /// One-time packages: MLSMessages.
    pub one_time: Vec<KeyPackageBytes>,
    /// The package that is handed out when no other is left; replaces the one before.
    pub last_resort: Option<KeyPackageBytes>,
}

/// An MLSMessage that holds a KeyPackage.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KeyPackageBytes(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

/// What the pool holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KeyPackageCount {
    /// One-time packages.
    pub one_time: u32,
    /// Whether there is a last-resort package.
    pub last_resort: bool,
}

#[cfg(test)]
crate::codec_properties::hold!(PublishKeyPackages, KeyPackageBytes, KeyPackageCount);
