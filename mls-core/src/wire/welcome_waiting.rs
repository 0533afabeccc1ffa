//! `WelcomeWaiting`: a Welcome for a device is at the hub; the device fetches it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// It says nothing of the group: servers read it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct WelcomeWaiting {
    /// The device.
    pub device: String,
}

#[cfg(test)]
crate::codec_properties::hold!(WelcomeWaiting);
