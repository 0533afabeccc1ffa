//! The log of a group's membership, as it is printed: one entry a line.

use mls_core::member::{ChangeKind, MembershipChange, MembershipEntry, Proposer};
use mls_core::wire::GroupId;
use serde::Serialize;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename = "membership")]
pub struct MembershipLine {
    /// The group.
    pub group: String,
    /// The commit's position in the group's order.
    pub seq: u64,
    /// The epoch that it led to.
    pub epoch: u64,
    /// When the hub accepted it, in milliseconds since 1970.
    pub time_ms: u64,
    /// Who committed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committer: Option<String>,
    /// What changed.
    pub changes: Vec<ChangeLine>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeLine {
    /// `added`, `removed`, `returned`, `updated` or `new_key`.
    pub kind: &'static str,
    /// The client.
    pub client: String,
    /// Who proposed it: a client, or `hub`; nobody where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl MembershipLine {
    /// The line of an entry.
    pub fn new(group: &GroupId, entry: &MembershipEntry) -> Self {
        Self {
            group: group.to_string(),
            seq: entry.seq,
            epoch: entry.epoch,
            time_ms: entry.time_ms,
            committer: entry.committer.as_ref().map(ToString::to_string),
            changes: entry.changes.iter().map(ChangeLine::from).collect(),
        }
    }
}

impl From<&MembershipChange> for ChangeLine {
    fn from(change: &MembershipChange) -> Self {
        let kind = match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Returned => "returned",
            ChangeKind::Updated => "updated",
            ChangeKind::NewKey => "new_key",
        };
        let by = match &change.by {
            Proposer::Member(client) => Some(client.to_string()),
            Proposer::Hub => Some("hub".to_owned()),
            Proposer::Unknown => None,
        };
        Self { kind, client: change.client.to_string(), by }
    }
}
