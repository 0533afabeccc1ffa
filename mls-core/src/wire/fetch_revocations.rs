//! `FetchRevocations`: which certificates of the authority count no more.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::blob::Part;

/// The lists; for every account.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RevocationLists {
    /// X.509 CRLs, DER (RFC 5280 5): the one of the key that signs certificates now, then the last one of each
    /// former key under which certificates may still be valid; at most
    /// [`REVOCATION_LISTS_MAX`](crate::limits::REVOCATION_LISTS_MAX).
    pub lists: Vec<Part>,
}

#[cfg(test)]
crate::codec_properties::hold!(RevocationLists);
