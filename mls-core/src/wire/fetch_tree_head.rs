//! `FetchTreeHead`: how far the log of certificates goes now, and that it still holds what it held.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Digest;
use crate::transparency::SignedTreeHead;

/// For every account.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchTreeHead {
    /// Size of the tree that the asker knows; 0 where it knows none.
    pub since_size: u64,
}

/// The log as it is; see [`crate::transparency::LogView::advance`].
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchedTreeHead {
    /// Signed for this answer.
    pub head: SignedTreeHead,
    /// That it begins with the tree that the asker knows (RFC 6962 2.1.2). Empty where that is empty
    /// or the same; and where it is larger than the log, so that the asker gets in hand that the hub
    /// has lost some of it.
    pub consistency: Vec<Digest>,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchTreeHead, FetchedTreeHead);
