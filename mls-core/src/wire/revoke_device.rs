//! `RevokeDevice`: a user takes one of their devices out of everything, from another one.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::ClientId;

/// What is asked. The network says which account asks; the device that does shows it by its own key.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RevokeDevice {
    /// The device that is lost.
    pub device: ClientId,
    /// The device that asks, which the authority has certified.
    pub by: ClientId,
    /// The signature of its device key over [`proof_of`] both.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub proof: Vec<u8>,
}

/// What the asking device signs: a label and both devices, with a zero byte between them.
pub fn proof_of(device: &ClientId, by: &ClientId) -> Vec<u8> {
    let parts = ["mls-bridge 0 device revocation", device.as_str(), by.as_str()];
    parts.join("\0").into_bytes()
}

#[cfg(test)]
crate::codec_properties::hold!(RevokeDevice);
