//! An entry of the membership log, as a row.

use super::moment::at;
use super::who;
use crate::json::{ChangeLine, MembershipLine};

/// Position, epoch, time, and what changed.
pub(super) fn render(entry: &MembershipLine) -> String {
    let changes: Vec<_> = entry.changes.iter().map(change).collect();
    let committer = entry.committer.as_deref().map_or("somebody".to_owned(), who);
    format!(
        "{:>5}  epoch {:>4}  {}  by {committer}: {}",
        entry.seq,
        entry.epoch,
        at(entry.time_ms),
        changes.join(", ")
    )
}

fn change(change: &ChangeLine) -> String {
    let by = match change.by.as_deref() {
        Some("hub") => " (proposed by the hub)".to_owned(),
        Some(by) if by != change.client => format!(" (proposed by {})", who(by)),
        _ => String::new(),
    };
    let what = match change.kind {
        "new_key" => "has another key or certificate",
        kind => kind,
    };
    format!("{} {what}{by}", who(&change.client))
}
