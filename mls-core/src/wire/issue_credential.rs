//! `IssueCredential`: a certificate of the authentication service for one key of a device.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// What is asked. The network says which account asks; that the device does is shown by its own key.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct IssueCredential {
    /// PKCS #10, DER; see [`crate::authority::CertificateRequest`].
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub request: Vec<u8>,
    /// The device's Ed25519 key: on Matrix the one that its device keys announce.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub device_key: Vec<u8>,
    /// Its signature over [`proof_of`] the request.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub proof: Vec<u8>,
}

/// The answer: the certificate, and those between it and the trust anchor.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct IssuedCredential {
    /// DER, the leaf's first, without the trust anchor.
    pub chain: Vec<CertificateBytes>,
}

/// One certificate, DER.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CertificateBytes(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

/// What the device's key signs for a request: a label, a zero byte, and the request.
pub fn proof_of(request: &[u8]) -> Vec<u8> {
    [b"mls-bridge 0 credential request\0".as_slice(), request].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(IssueCredential, IssuedCredential, CertificateBytes);
