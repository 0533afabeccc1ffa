//! `FetchLogLeaves`: the log as everybody may read it, page by page.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::transparency::LogLeaf;

/// For every account.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchLogLeaves {
    /// Index of the first leaf wanted.
    pub from: u64,
    /// Size of the tree that is read, not above the log's: no leaf beyond it is given.
    pub size: u64,
}

/// Consecutive leaves from the one that was asked for, at most
/// [`LOG_LEAVES_PER_FETCH_MAX`](crate::limits::LOG_LEAVES_PER_FETCH_MAX); none at the end.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LogLeaves {
    /// In order; see [`crate::transparency::Frontier::take`].
    pub leaves: Vec<LogLeaf>,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchLogLeaves, LogLeaves);
