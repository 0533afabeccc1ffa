//! An entry of the membership log, as a row.

use super::who;
use crate::json::{ChangeLine, MembershipLine};

/// Position, epoch, time (seconds since 1970, as `date -d @…` reads them), and what changed.
pub(super) fn render(entry: &MembershipLine) -> String {
    let changes: Vec<_> = entry.changes.iter().map(change).collect();
    let committer = entry.committer.as_deref().map_or("somebody".to_owned(), who);
    let time = entry.time_ms / 1000;
    format!(
        "{:>5}  epoch {:>4}  @{time}  by {committer}: {}",
        entry.seq,
        entry.epoch,
        changes.join(", ")
    )
}

fn change(change: &ChangeLine) -> String {
    let by = match change.by.as_deref() {
        Some("hub") => " (proposed by the hub)".to_owned(),
        Some(by) if by != change.client => format!(" (proposed by {})", who(by)),
        _ => String::new(),
    };
    format!("{} {}{by}", who(&change.client), change.kind)
}
