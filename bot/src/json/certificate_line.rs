//! What is printed of the authority's log of certificates.

use mls_core::member::{Asked, LogSummary, LoggedEntry};
use mls_core::transparency::LogEntry;
use serde::Serialize;

/// The log, as far as this device has followed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its entries, of everybody.
    pub size: u64,
    /// Its Merkle tree hash, in hex, to be compared with what others see of the same size.
    pub root: String,
    /// When the authority signed that, in milliseconds since 1970.
    pub time: u64,
    /// Entries that were looked through for this user's.
    pub read: u64,
    /// Whether the authority showed two logs.
    pub forked: bool,
}

/// What the authority did in the name of this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryLine {
    /// Its place in the log.
    pub index: u64,
    /// `issued` or `revoked`.
    pub what: &'static str,
    /// The device.
    pub client: String,
    /// Who wanted it: `here` (this device), `elsewhere` (another device, which has to know), `nowhere` (nobody
    /// on this device, in whose name it is), `before` (older than this device's watch).
    pub asked: &'static str,
    /// When, by the hub's clock in milliseconds since 1970.
    pub time: u64,
    /// SHA-256 of the certificate, in hex; null for a revocation.
    pub certificate: Option<String>,
}

impl From<&LogSummary> for LogLine {
    fn from(log: &LogSummary) -> Self {
        let head = &log.head.head;
        Self {
            size: head.size,
            root: head.root.to_string(),
            time: head.time_ms,
            read: log.read,
            forked: log.fork.is_some(),
        }
    }
}

impl From<&LoggedEntry> for EntryLine {
    fn from(logged: &LoggedEntry) -> Self {
        let (what, time, certificate) = match &logged.entry {
            LogEntry::Issued(one) => ("issued", one.at_ms, Some(one.certificate.to_string())),
            LogEntry::Revoked(one) => ("revoked", one.at_ms, None),
        };
        let asked = match logged.asked {
            Asked::Here => "here",
            Asked::Elsewhere => "elsewhere",
            Asked::Nowhere => "nowhere",
            Asked::Before => "before",
        };
        let client = logged.entry.client().to_string();
        Self { index: logged.index, what, client, asked, time, certificate }
    }
}
