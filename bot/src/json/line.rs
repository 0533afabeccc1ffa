//! What is printed: one object a line, with its kind under `event`.

mod of_event;

use mls_core::member::{DomainAnchors, GroupSummary, LogSummary, LoggedEntry};
use serde::Serialize;

use super::{
    AlarmLine, AuthorityLine, EntryLine, GroupLine, IdentityLine, LogLine, MembershipLine, RoomLine,
};

/// One line of output. `n` numbers what happened, in the profile's whole life; a line can come
/// again, with the same `n`, after a crash. Lines without `n` are about this process only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Line {
    /// A login made the profile.
    LoggedIn {
        /// The new device.
        client: String,
    },
    /// Connected, and key packages are published.
    Ready {
        /// This device.
        client: String,
    },
    /// A command was fulfilled.
    CommandDone {
        /// The number.
        n: u64,
        /// The command.
        id: String,
        /// The group that it made or changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    /// A command cannot be fulfilled.
    CommandFailed {
        /// The number; none where the command was refused before it was stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        n: Option<u64>,
        /// The command.
        id: String,
        /// One sentence that says why, and what to do.
        why: String,
    },
    /// This device is a member of a group now.
    Joined {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// Its epoch.
        epoch: u64,
        /// Its rooms.
        rooms: Vec<RoomLine>,
        /// All its members.
        members: Vec<String>,
        /// The group that it branches from, where a secret of that has proved it.
        #[serde(skip_serializing_if = "Option::is_none")]
        branched_from: Option<String>,
    },
    /// A message was decrypted.
    Message {
        /// The number.
        n: u64,
        /// When it was decrypted here, in milliseconds since 1970.
        time_ms: u64,
        /// The group.
        group: String,
        /// The epoch in which it was sent.
        epoch: u64,
        /// The client whose leaf signed it.
        sender: String,
        /// Where the network showed another account as the sender: that account.
        #[serde(skip_serializing_if = "Option::is_none")]
        network_says: Option<String>,
        /// When it was sent, as the network says, in milliseconds since 1970.
        sent_ms: u64,
        /// The text, where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Where it is no new text, what it is for: `message`, `edit`, `deletion`, `reaction`,
        /// `other`, or `unknown` for what is not MIMI content.
        #[serde(skip_serializing_if = "Option::is_none")]
        purpose: Option<&'static str>,
        /// Where it is no new text: its media type, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
    },
    /// The group went to a new epoch.
    Epoch {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The new epoch.
        epoch: u64,
        /// The commit's position in the group's order.
        seq: u64,
        /// Who committed.
        committer: String,
        /// Clients that came.
        added: Vec<String>,
        /// Clients that went.
        removed: Vec<String>,
        /// Number of members now.
        members: u32,
    },
    /// This device is no longer a member.
    Removed {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// Who committed the removal.
        by: String,
    },
    /// A message cannot be read.
    Undecryptable {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The epoch that its header names.
        epoch: u64,
        /// The account that the network shows as its sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        network_sender: Option<String>,
        /// Why, for programs.
        reason: &'static str,
        /// One sentence.
        why: String,
    },
    /// A device of somebody's asks to be added to a group.
    DeviceWaiting {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The device.
        client: String,
    },
    /// A member who was added has shown for the first time that its device is there.
    HeardFrom {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The member.
        client: String,
    },
    /// Somebody asks to be let into a group.
    Knocked {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// Who asks.
        user: String,
    },
    /// An admin said no to a knock of this device.
    KnockDenied {
        /// The number.
        n: u64,
        /// The room.
        room: String,
    },
    /// Something that people should know.
    Warning {
        /// The number.
        n: u64,
        /// The group; empty for what belongs to none.
        group: String,
        /// What it is about.
        kind: &'static str,
        /// One sentence.
        text: String,
    },
    /// A group has ended and is started anew; a `joined` of its successor follows.
    StartedAnew {
        /// The number.
        n: u64,
        /// The group that ended.
        group: String,
        /// The group that takes its place.
        successor: String,
        /// RFC 9420 number of its cipher suite.
        suite: u16,
        /// Who ended it.
        committer: String,
    },
    /// A group that this device has just joined took the place of another by an admin's restart; nothing
    /// proves that it follows that.
    Restarted {
        /// The number.
        n: u64,
        /// The group that ended.
        group: String,
        /// The group that takes its place.
        successor: String,
        /// Who added this device to it.
        by: String,
        /// Members that have another signature key than in the former.
        changed: Vec<String>,
        /// Members that the former did not have.
        unknown: Vec<String>,
    },
    /// A group without a hub took another commit than this device had followed; the epochs in the
    /// place of those that were taken back follow.
    Rewound {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The last epoch that stays.
        to_epoch: u64,
        /// The epoch in which the group was.
        from_epoch: u64,
        /// Commands of this device that are done again.
        again: Vec<String>,
    },
    /// The pool of key packages was filled.
    KeyPackagesPublished {
        /// The number.
        n: u64,
        /// How many the network has now.
        count: u32,
    },
    /// Answer to `groups`.
    Groups {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// All groups of this device.
        groups: Vec<GroupLine>,
    },
    /// A hub, or a group, names other authorities of a domain than this device knows.
    AnchorsChanged {
        /// The number.
        n: u64,
        /// The domain.
        domain: String,
        /// Fingerprints of those that are known.
        known: Vec<String>,
        /// Fingerprints of those that are named.
        named: Vec<String>,
        /// The group that names them; null where the hub does.
        group: Option<String>,
    },
    /// Answer to `authorities`.
    Authorities {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Those that this device knows, by domain.
        authorities: Vec<AuthorityLine>,
    },
    /// The authority's log names another device of this user for the first time.
    DeviceCertified {
        /// The number.
        n: u64,
        /// The device.
        client: String,
        /// When it was certified, in milliseconds since 1970.
        time: u64,
    },
    /// A device is in one group of its user, and not in the others that this device is in.
    DeviceInOneGroupOnly {
        /// The number.
        n: u64,
        /// The device.
        client: String,
        /// The group in hex.
        group: String,
    },
    /// Answer to `certificates`.
    Certificates {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// The authority's log; null where this device has not looked into it yet.
        log: Option<LogLine>,
        /// What it holds in this user's name.
        entries: Vec<EntryLine>,
    },
    /// Evidence about a log that somebody handed over holds.
    EvidenceHolds {
        /// The sentence that says what it shows, and what is left to compare.
        text: String,
    },
    /// A line without an id that was not understood, or something that went wrong without a
    /// command.
    Error {
        /// One sentence.
        why: String,
        /// The line, as it came (at most 200 characters).
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// An entry of the membership log.
    #[serde(untagged)]
    Membership(MembershipLine),
    /// An answer about identity keys.
    #[serde(untagged)]
    Identity(IdentityLine),
    /// An alarm.
    #[serde(untagged)]
    Alarm(AlarmLine),
}

impl Line {
    /// The object on one line, without the line's end.
    pub fn to_json(&self) -> String {
        // Strings and numbers always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The answer to `groups`.
    pub fn groups(id: Option<String>, groups: &[GroupSummary]) -> Self {
        Self::Groups { id, groups: groups.iter().map(GroupLine::from).collect() }
    }

    /// The answer to `certificates`.
    pub fn certificates(id: Option<String>, log: Option<&LogSummary>, own: &[LoggedEntry]) -> Self {
        let entries = own.iter().map(EntryLine::from).collect();
        Self::Certificates { id, log: log.map(LogLine::from), entries }
    }

    /// The answer to `authorities`.
    pub fn authorities(id: Option<String>, known: &[DomainAnchors]) -> Self {
        Self::Authorities { id, authorities: known.iter().map(AuthorityLine::from).collect() }
    }
}

#[cfg(test)]
mod tests;
