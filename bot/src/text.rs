//! What people read: each line of output as a sentence or a table.

mod alarm;
mod authority;
mod certificates;
mod identity;
mod membership;
mod moment;
mod restarted;

use std::fmt::Write as _;

use mls_core::address::ClientId;
use mls_core::identity::readable_fingerprint;

use crate::json::{AnchorLine, GroupLine, Line};

/// Digits of a group id that are shown where it need not be typed.
const SHORT_ID: usize = 8;

/// The line for people, without the last line's end; nothing that a sender wrote can move the
/// cursor or colour the terminal.
pub fn render(line: &Line) -> String {
    match line {
        Line::LoggedIn { client } => format!("logged in as {}", who(client)),
        Line::Ready { client } => format!("connected as {}", who(client)),
        Line::CommandDone { group: Some(group), .. } => format!("done: group {}", plain(group)),
        Line::CommandDone { group: None, .. } => "done".to_owned(),
        Line::CommandFailed { why, .. } => format!("failed: {}", plain(why)),
        Line::Joined { group, epoch, rooms, members, branched_from, .. } => {
            let rooms: Vec<String> = rooms.iter().map(|room| plain(&room.address)).collect();
            let parent = branched_from.as_ref();
            let parent = parent.map(|parent| format!(", a branch of {}", short(parent)));
            format!(
                "joined group {} at epoch {epoch}, {} members, in {}{}",
                plain(group),
                members.len(),
                rooms.join(" and "),
                parent.unwrap_or_default()
            )
        }
        Line::Message { .. } => message(line),
        Line::Epoch { group, epoch, committer, added, removed, members, .. } => {
            let mut text = format!("{} epoch {epoch} by {}", short(group), who(committer));
            for (verb, clients) in [("added", added), ("removed", removed)] {
                if !clients.is_empty() {
                    let clients: Vec<String> = clients.iter().map(|c| who(c)).collect();
                    let _ = write!(text, ", {verb} {}", clients.join(", "));
                }
            }
            let _ = write!(text, " ({members} members)");
            text
        }
        Line::Removed { group, by, .. } => {
            format!("{} you are no longer a member (by {})", short(group), who(by))
        }
        Line::Undecryptable { group, epoch, network_sender, why, .. } => format!(
            "{} a message of epoch {epoch} from {} cannot be read: {}",
            short(group),
            network_sender.as_deref().map_or("somebody".to_owned(), plain),
            plain(why)
        ),
        Line::DeviceWaiting { group, client, .. } => {
            format!("{} {client} asks to join; if it is known, invite its user", short(group))
        }
        Line::HeardFrom { group, client, .. } => {
            format!("{} {} is there: its device came in", short(group), who(client))
        }
        Line::Knocked { group, user, .. } => {
            format!("{} {} knocks; `accept` or `deny`", short(group), plain(user))
        }
        Line::KnockDenied { room, .. } => {
            format!("an admin of the group in {} did not let you in", plain(room))
        }
        Line::Warning { group, text, .. } => format!("{} warning: {}", short(group), plain(text)),
        Line::StartedAnew { group, successor, suite, committer, .. } => format!(
            "{} is started anew by {} as {} with suite {suite}",
            short(group),
            who(committer),
            short(successor)
        ),
        Line::Restarted { group, successor, by, changed, unknown, .. } => {
            restarted::render([group, successor, by], changed, unknown)
        }
        Line::Rewound { group, to_epoch, from_epoch, again, .. } => {
            let ours = if again.is_empty() { "" } else { "; yours is done again" };
            format!(
                "{} the group took another commit: epochs {} to {from_epoch} are taken back{ours}",
                short(group),
                to_epoch.saturating_add(1)
            )
        }
        Line::KeyPackagesPublished { count, .. } => format!("{count} key packages are published"),
        Line::Groups { groups, .. } if groups.is_empty() => "no groups".to_owned(),
        Line::Groups { groups, .. } => groups.iter().map(group_row).collect::<Vec<_>>().join("\n"),
        Line::AnchorsChanged { domain, known, named, group, .. } => {
            let whose =
                group.as_ref().map_or("the hub".to_owned(), |id| format!("group {}", short(id)));
            authority::changed(domain, known, named, &whose)
        }
        Line::Authorities { authorities, .. } => authority::all(authorities),
        Line::DeviceCertified { client, time, .. } => certificates::device(client, *time),
        Line::DeviceInOneGroupOnly { client, group, .. } => certificates::lone(client, group),
        Line::Certificates { log, entries, .. } => certificates::all(log.as_ref(), entries),
        Line::EvidenceHolds { text } => plain(text),
        Line::Error { why, .. } => format!("error: {}", plain(why)),
        Line::Membership(entry) => membership::render(entry),
        Line::Identity(line) => identity::render(line),
        Line::Alarm(alarm) => alarm::render(alarm),
    }
}

/// The members of a group, one a line, and whose certificates it goes by.
pub fn members(group: &GroupLine) -> String {
    let authorities = group.anchors.iter().map(|anchor| {
        let AnchorLine { domain, fingerprint, known } = anchor;
        let doubt = if *known { "" } else { "  (not known to this device: counts nothing)" };
        format!(
            "      authority of {}: {}{doubt}",
            plain(domain),
            readable_fingerprint(fingerprint)
        )
    });
    let rows = group.members.iter().map(|member| {
        let role = if member.admin { "admin " } else { "member" };
        let key = member.signature_key.get(..16).unwrap_or(&member.signature_key);
        let standing = match member.certified_until {
            Some(_) => "certified ",
            None if member.revoked => "REVOKED   ",
            None if member.identity == "verified" => "verified  ",
            None => "unverified",
        };
        let signed = match member.identity {
            "verified" => "verified",
            "signed" => "signed, nobody verified it",
            "broken" => "BROKEN STATEMENT",
            _ => "unsigned",
        };
        let quiet = if member.unheard_since.is_some() { "  (not heard from yet)" } else { "" };
        let who = who(&member.client);
        format!("{:>4}  {role}  {standing}  key {key}  {who}  ({signed}){quiet}", member.leaf_index)
    });
    let digits = format!("      epoch {}: {}", group.epoch, group.epoch_digits);
    rows.chain(authorities).chain([digits]).collect::<Vec<_>>().join("\n")
}

fn message(line: &Line) -> String {
    let Line::Message { group, epoch, sender, network_says, sent_ms, .. } = line else {
        return String::new();
    };
    let body = body(line);
    let doubt = network_says
        .as_deref()
        .map(|user| format!(" [warning: the network shows {} as the sender]", plain(user)));
    format!(
        "{} {} e{epoch} {}{}: {body}",
        moment::clock(*sent_ms),
        short(group),
        who(sender),
        doubt.unwrap_or_default()
    )
}

/// The text, or what stands in its place.
fn body(message: &Line) -> String {
    match message {
        Line::Message { text: Some(text), .. } => plain(text),
        Line::Message { purpose: Some(purpose), content_type: Some(kind), .. } => {
            format!("[{purpose}, {}: cannot be shown here]", plain(kind))
        }
        Line::Message { purpose: Some(purpose), .. } => {
            format!("[{purpose}: cannot be shown here]")
        }
        _ => String::new(),
    }
}

fn group_row(group: &GroupLine) -> String {
    let rooms: Vec<String> = group
        .rooms
        .iter()
        .map(|room| format!("{} {}", room.network, plain(&room.address)))
        .collect();
    let order = if group.order == "room" { "  without a hub" } else { "" };
    let shared: Vec<String> = group
        .shared_suites
        .iter()
        .filter(|suite| **suite != group.suite)
        .map(|suite| format!("{suite:#06x}"))
        .collect();
    let shared = match shared.as_slice() {
        [] => String::new(),
        others => format!(" (all can {})", others.join(", ")),
    };
    format!(
        "{}  epoch {}  suite {:#06x}{shared}  {} members{order}  {}",
        plain(&group.group),
        group.epoch,
        group.suite,
        group.members.len(),
        rooms.join(", ")
    )
}

/// A client as its network writes the account, then the device.
fn who(client: &str) -> String {
    match ClientId::parse(client) {
        Ok(client) => plain(&format!("{} ({})", client.user().address(), client.device())),
        Err(_) => plain(client),
    }
}

fn short(group: &str) -> String {
    format!("[{}]", plain(group.get(..SHORT_ID).unwrap_or(group)))
}

/// Text that came from somebody else: further lines are indented, so that none looks like ours,
/// and characters that steer a terminal or turn the direction of writing are shown as escapes.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n    "),
            '\t' => shown.push(' '),
            '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(character.escape_unicode());
            }
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
