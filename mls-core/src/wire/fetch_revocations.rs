//! `FetchRevocations`: which certificates of the authority count no more.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::blob::Part;

/// The list; for every account.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RevocationList {
    /// An X.509 CRL, DER (RFC 5280 5), signed by the key that signs certificates.
    pub list: Part,
}

#[cfg(test)]
crate::codec_properties::hold!(RevocationList);
