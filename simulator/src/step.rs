//! One step of a trace, and its line of text.

use std::fmt;
use std::str::FromStr;

use crate::authority::Authority;
use crate::crash::{Crash, Node};
use crate::operation::Operation;
use crate::weather::Weather;

/// A device, by its place in the cast.
pub type Device = usize;
/// An account, by its place in the cast.
pub type User = usize;
/// A group, by its place in the order in which groups came to be.
pub type Group = usize;

/// One thing that happens. What names something that is not there does nothing, so that a step
/// keeps its meaning when others are taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named by what their types are")]
pub enum Step {
    /// A device makes a group, with a room on these networks.
    Create { device: Device, matrix: bool, xmpp: bool },
    /// A device invites accounts.
    Invite { device: Device, group: Group, users: Vec<User> },
    /// A device removes an account.
    Remove { device: Device, group: Group, user: User },
    /// A device leaves.
    Leave { device: Device, group: Group },
    /// A device renews its keys.
    Rotate { device: Device, group: Group },
    /// A device comes back by an external commit.
    Rejoin { device: Device, group: Group },
    /// A device sends some messages at once.
    Send { device: Device, group: Group, count: usize },
    /// A device's user wants something of a group.
    Operate { device: Device, group: Group, operation: Operation },
    /// A device's user lets in, or denies, whoever it was shown as knocking and has not answered.
    Answer { device: Device, lets_in: bool },
    /// A device's program gives its last commands again, as if it had not heard of them.
    Again { device: Device, count: usize },
    /// How the authority treats a device from now on.
    Authority { device: Device, authority: Authority },
    /// Somebody in the group's room on the account's network lets an account into its list.
    LetIn { user: User, group: Group },
    /// Somebody puts an account out of the group's room on the account's own network.
    Kick { user: User, group: Group },
    /// Somebody puts an account's ghost out of the group's room on the other network.
    Oust { user: User, group: Group },
    /// A device loses its connection; its process goes on.
    Cut { device: Device },
    /// A device's process stands still.
    Sleep { device: Device },
    /// A device is connected, and its process runs.
    Back { device: Device },
    /// The hub loses a network.
    Part { matrix: bool },
    /// The hub has that network again.
    Mend { matrix: bool },
    /// The hub's keys are replaced, and its process begins again.
    HubKeys,
    /// A process is killed, or its machine loses its power, at the `after`th input from now.
    Crash { node: Node, after: usize, crash: Crash },
    /// A device's database loses the state of its groups.
    Lose { device: Device },
    /// A device is gone for ever.
    Bury { device: Device },
    /// So many seconds pass at once.
    Time { seconds: u64 },
    /// So many things that are on their way arrive, drawn from `seed`.
    Work { count: usize, seed: u64, weather: Weather },
}

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no step of a trace")]
pub struct NoStep(pub String);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { device, matrix, xmpp } => {
                let on = [(matrix, "matrix"), (xmpp, "xmpp")];
                write!(f, "create d{device}")?;
                on.iter().filter(|(is, _)| **is).try_for_each(|(_, name)| write!(f, " {name}"))
            }
            Self::Invite { device, group, users } => {
                write!(f, "invite d{device} g{group}")?;
                users.iter().try_for_each(|user| write!(f, " u{user}"))
            }
            Self::Remove { device, group, user } => write!(f, "remove d{device} g{group} u{user}"),
            Self::Leave { device, group } => write!(f, "leave d{device} g{group}"),
            Self::Rotate { device, group } => write!(f, "rotate d{device} g{group}"),
            Self::Rejoin { device, group } => write!(f, "rejoin d{device} g{group}"),
            Self::Send { device, group, count } => write!(f, "send d{device} g{group} {count}"),
            Self::Operate { device, group, operation } => {
                let (name, rest) = operation.words();
                let space = if rest.is_empty() { "" } else { " " };
                write!(f, "{name} d{device} g{group}{space}{rest}")
            }
            Self::Answer { device, lets_in: true } => write!(f, "answer d{device} yes"),
            Self::Answer { device, lets_in: false } => write!(f, "answer d{device} no"),
            Self::Again { device, count } => write!(f, "again d{device} {count}"),
            Self::Authority { device, authority } => write!(f, "authority d{device} {authority}"),
            Self::LetIn { user, group } => write!(f, "let-in u{user} g{group}"),
            Self::HubKeys => write!(f, "hub-keys"),
            Self::Kick { user, group } => write!(f, "kick u{user} g{group}"),
            Self::Oust { user, group } => write!(f, "oust u{user} g{group}"),
            Self::Cut { device } => write!(f, "cut d{device}"),
            Self::Sleep { device } => write!(f, "sleep d{device}"),
            Self::Back { device } => write!(f, "back d{device}"),
            Self::Part { matrix } => write!(f, "part {}", network(*matrix)),
            Self::Mend { matrix } => write!(f, "mend {}", network(*matrix)),
            Self::Crash { node, after, crash } => write!(f, "crash {node} {after} {crash}"),
            Self::Lose { device } => write!(f, "lose d{device}"),
            Self::Bury { device } => write!(f, "bury d{device}"),
            Self::Time { seconds } => write!(f, "time {seconds}"),
            Self::Work { count, seed, weather } => write!(f, "work {count} {seed}{weather}"),
        }
    }
}

impl FromStr for Step {
    type Err = NoStep;

    fn from_str(line: &str) -> Result<Self, NoStep> {
        let words: Vec<&str> = line.split_whitespace().collect();
        parse(&words).ok_or_else(|| NoStep(line.to_owned()))
    }
}

fn parse(words: &[&str]) -> Option<Step> {
    Some(match words {
        ["create", device, on @ ..] => Step::Create {
            device: after("d", device)?,
            matrix: on.contains(&"matrix"),
            xmpp: on.contains(&"xmpp"),
        },
        ["invite", device, group, users @ ..] => Step::Invite {
            device: after("d", device)?,
            group: after("g", group)?,
            users: users.iter().map(|user| after("u", user)).collect::<Option<_>>()?,
        },
        ["remove", device, group, user] => Step::Remove {
            device: after("d", device)?,
            group: after("g", group)?,
            user: after("u", user)?,
        },
        ["leave", d, g] => Step::Leave { device: after("d", d)?, group: after("g", g)? },
        ["rotate", d, g] => Step::Rotate { device: after("d", d)?, group: after("g", g)? },
        ["rejoin", d, g] => Step::Rejoin { device: after("d", d)?, group: after("g", g)? },
        ["send", device, group, count] => Step::Send {
            device: after("d", device)?,
            group: after("g", group)?,
            count: count.parse().ok()?,
        },
        ["answer", d, "yes"] => Step::Answer { device: after("d", d)?, lets_in: true },
        ["answer", d, "no"] => Step::Answer { device: after("d", d)?, lets_in: false },
        ["again", d, count] => Step::Again { device: after("d", d)?, count: count.parse().ok()? },
        ["authority", d, word] => {
            Step::Authority { device: after("d", d)?, authority: word.parse().ok()? }
        }
        ["let-in", u, g] => Step::LetIn { user: after("u", u)?, group: after("g", g)? },
        ["hub-keys"] => Step::HubKeys,
        ["kick", u, g] => Step::Kick { user: after("u", u)?, group: after("g", g)? },
        ["oust", u, g] => Step::Oust { user: after("u", u)?, group: after("g", g)? },
        ["cut", device] => Step::Cut { device: after("d", device)? },
        ["sleep", device] => Step::Sleep { device: after("d", device)? },
        ["back", device] => Step::Back { device: after("d", device)? },
        ["part", name] => Step::Part { matrix: is_matrix(name)? },
        ["mend", name] => Step::Mend { matrix: is_matrix(name)? },
        ["crash", node, number, crash] => Step::Crash {
            node: node.parse().ok()?,
            after: number.parse().ok()?,
            crash: crash.parse().ok()?,
        },
        ["lose", device] => Step::Lose { device: after("d", device)? },
        ["bury", device] => Step::Bury { device: after("d", device)? },
        ["time", seconds] => Step::Time { seconds: seconds.parse().ok()? },
        ["work", count, seed, weather @ ..] => Step::Work {
            count: count.parse().ok()?,
            seed: seed.parse().ok()?,
            weather: Weather::parse(weather)?,
        },
        [name, device, group, rest @ ..] => Step::Operate {
            device: after("d", device)?,
            group: after("g", group)?,
            operation: Operation::parse(name, rest)?,
        },
        _ => return None,
    })
}

fn after(letter: &str, word: &str) -> Option<usize> {
    word.strip_prefix(letter)?.parse().ok()
}

fn network(matrix: bool) -> &'static str {
    if matrix { "matrix" } else { "xmpp" }
}

fn is_matrix(name: &str) -> Option<bool> {
    [("matrix", true), ("xmpp", false)].into_iter().find(|(n, _)| *n == name).map(|(_, is)| is)
}
