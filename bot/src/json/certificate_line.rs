//! What is printed of the authority's log of certificates.

use mls_core::member::{Asked, KeptFork, LogSummary, LoggedEntry};
use mls_core::transparency::{LogEntry, SignedTreeHead};
use serde::Serialize;

use crate::identity_text::Carried;

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
    /// Whether the authority showed two logs, and nobody has accepted the second: nothing is followed.
    pub forked: bool,
    /// All forks that this device has found, the oldest first.
    pub forks: Vec<ForkLine>,
}

/// Two heads of the log that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForkLine {
    /// When it was found, in milliseconds since 1970.
    pub found: u64,
    /// When a person had this device follow the second, in milliseconds since 1970; null where nobody did.
    pub accepted: Option<u64>,
    /// The one that was known.
    pub first: HeadLine,
    /// The one that came.
    pub second: HeadLine,
    /// Both with what shows who signed them, as `certificates --check` takes it.
    pub evidence: String,
}

/// A head of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadLine {
    /// Its entries.
    pub size: u64,
    /// Its Merkle tree hash, in hex.
    pub root: String,
    /// When the authority signed that, in milliseconds since 1970.
    pub time: u64,
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
            forks: log.forks.iter().map(ForkLine::from).collect(),
        }
    }
}

impl From<&KeptFork> for ForkLine {
    fn from(fork: &KeptFork) -> Self {
        Self {
            found: fork.found_ms,
            accepted: fork.accepted_ms,
            first: HeadLine::from(&fork.evidence.first.head),
            second: HeadLine::from(&fork.evidence.second.head),
            evidence: fork.evidence.to_line(),
        }
    }
}

impl From<&SignedTreeHead> for HeadLine {
    fn from(signed: &SignedTreeHead) -> Self {
        let head = &signed.head;
        Self { size: head.size, root: head.root.to_string(), time: head.time_ms }
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
