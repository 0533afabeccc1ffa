//! A request as it travels: sealed to the hub, so that no server between can read it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// All that an adapter carries to a hub.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum RequestEnvelope {
    /// The request for the hub's keys, which nothing can be sealed for before.
    HubInfo = 1u8,
    /// Every other one.
    Sealed(SealedRequest) = 2u8,
}

/// A request and the key for its answers, under HPKE; see [`crate::seal`].
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SealedRequest {
    /// The KEM output.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub kem_output: Vec<u8>,
    /// The ciphertext.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub ciphertext: Vec<u8>,
}

#[cfg(test)]
crate::codec_properties::hold!(RequestEnvelope, SealedRequest);
