//! The authority's log of certificates, for people.

use crate::json::{EntryLine, ForkLine, HeadLine, LogLine};

use super::moment::at;
use super::{plain, short, who};

/// How far the log was followed, and what it holds in this user's name.
pub(super) fn all(log: Option<&LogLine>, entries: &[EntryLine]) -> String {
    let Some(log) = log else {
        return "this device has not looked into the log of an authority yet; it does when connected"
            .to_owned();
    };
    let state = if log.forked { "FORKED: nothing of it is believed any more" } else { "followed" };
    let head = format!(
        "log of {} entries at {}, {state}; {} looked through\n      root {}",
        log.size,
        at(log.time),
        log.read,
        plain(&log.root)
    );
    let forks = log.forks.iter().map(fork);
    let lines = std::iter::once(head).chain(forks).chain(entries.iter().map(one));
    lines.collect::<Vec<_>>().join("\n")
}

/// Both heads of a fork, and what can be done about it.
fn fork(fork: &ForkLine) -> String {
    let ForkLine { found, accepted, first, second, .. } = fork;
    let what_now = match accepted {
        Some(when) => format!("by your word of {} this device follows the second", at(*when)),
        None => format!(
            "ask the authority's operator which is right, and show both to others: `certificates --evidence FILE`; \
             to follow the second: `certificates --accept-log {}`",
            plain(&second.root)
        ),
    };
    format!(
        "FORK found at {}: {}\n      and {}\n      {what_now}",
        at(*found),
        words(first),
        words(second)
    )
}

fn words(head: &HeadLine) -> String {
    format!("{} entries at {}, root {}", head.size, at(head.time), plain(&head.root))
}

fn one(entry: &EntryLine) -> String {
    let asked = match entry.asked {
        "here" => "asked for by this device",
        "elsewhere" => "of another device",
        "before" => "from before this device looked",
        _ => "NOBODY HERE ASKED FOR IT",
    };
    let EntryLine { index, what, time, client, .. } = entry;
    format!("{index:>6}  {}  {what:<7}  {}  ({asked})", at(*time), who(client))
}

/// Another device of the user.
pub(super) fn device(client: &str, time: u64) -> String {
    let device = client.rsplit('/').next().unwrap_or(client);
    format!(
        "another device of yours was certified at {}: {}\n      \
         if you have no such device, take it out of everything: `revoke {}`",
        at(time),
        who(client),
        plain(device)
    )
}

/// A device that is where others of its user are not.
pub(super) fn lone(client: &str, group: &str) -> String {
    format!(
        "for two days a device has been in group {} and in no other of its user: {}\n      \
         ask that person whether it is theirs",
        short(group),
        who(client)
    )
}
