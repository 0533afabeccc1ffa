//! `FetchOwnEntries`: everything in the log that is about the asker's own devices.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::transparency::LogEntry;

/// The network says which account asks, and so whose entries.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchOwnEntries {
    /// No entry before this index.
    pub from: u64,
}

/// Entries of one user, as many as fit. That they are all is shown by the leaves.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OwnEntries {
    /// In the order of the log.
    pub entries: Vec<OwnEntry>,
    /// Whether there are more: ask from the index after the last one.
    pub more: bool,
}

/// An entry and its place.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OwnEntry {
    /// Its index in the log.
    pub index: u64,
    /// The entry.
    pub entry: LogEntry,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchOwnEntries, OwnEntries, OwnEntry);
