//! The line that an event of a member is printed as.

use mls_core::address::ClientId;
use mls_core::content::{self, Content, Purpose};
use mls_core::member::{
    Event, EventRecord, Joined, MessageEvent, Undecryptable, Unreadable, WarningKind,
};

use super::Line;
use crate::json::{AlarmLine, RoomLine};

impl From<&EventRecord> for Line {
    fn from(record: &EventRecord) -> Self {
        let n = record.number;
        match &record.event {
            Event::CommandDone(done) => Self::CommandDone {
                n,
                id: done.id.clone(),
                group: done.group.as_ref().map(ToString::to_string),
            },
            Event::CommandFailed(failed) => {
                Self::CommandFailed { n: Some(n), id: failed.id.clone(), why: failed.why.clone() }
            }
            Event::Joined(joined) => line_of_joined(n, joined),
            Event::Message(message) => line_of_message(n, record.time_ms, message),
            Event::Epoch(epoch) => Self::Epoch {
                n,
                group: epoch.group.to_string(),
                epoch: epoch.epoch,
                seq: epoch.seq,
                committer: epoch.committer.to_string(),
                added: texts(&epoch.added),
                removed: texts(&epoch.removed),
                members: epoch.members,
            },
            Event::Removed(removed) => {
                Self::Removed { n, group: removed.group.to_string(), by: removed.by.to_string() }
            }
            Event::Undecryptable(lost) => line_of_undecryptable(n, lost),
            Event::DeviceWaiting(waiting) => Self::DeviceWaiting {
                n,
                group: waiting.group.to_string(),
                client: waiting.client.to_string(),
            },
            Event::HeardFrom(heard) => Self::HeardFrom {
                n,
                group: heard.group.to_string(),
                client: heard.client.to_string(),
            },
            Event::Knocked(knocked) => Self::Knocked {
                n,
                group: knocked.group.to_string(),
                user: knocked.user.to_string(),
            },
            Event::KnockDenied(denied) => {
                Self::KnockDenied { n, room: denied.room.address.clone() }
            }
            Event::Warning(warning) => {
                let (group, text) = (warning.group.to_string(), warning.text.clone());
                Self::Warning { n, group, kind: warning_name(warning.kind), text }
            }
            Event::StartedAnew(anew) => Self::StartedAnew {
                n,
                group: anew.group.to_string(),
                successor: anew.successor.to_string(),
                suite: anew.suite,
                committer: anew.committer.to_string(),
            },
            Event::AnchorsChanged(changed) => Self::AnchorsChanged {
                n,
                domain: changed.domain.clone(),
                known: changed.known.iter().map(ToString::to_string).collect(),
                named: changed.named.iter().map(ToString::to_string).collect(),
                group: changed.group.as_ref().map(ToString::to_string),
            },
            Event::DeviceCertified(certified) => Self::DeviceCertified {
                n,
                client: certified.client.to_string(),
                time: certified.at_ms,
            },
            Event::LoneDevice(lone) => Self::DeviceInOneGroupOnly {
                n,
                client: lone.client.to_string(),
                group: lone.group.to_string(),
            },
            Event::Restarted(restarted) => Self::Restarted {
                n,
                group: restarted.group.to_string(),
                successor: restarted.successor.to_string(),
                by: restarted.by.to_string(),
                changed: restarted.changed.iter().map(ToString::to_string).collect(),
                unknown: restarted.unknown.iter().map(ToString::to_string).collect(),
            },
            Event::Rewound(rewound) => Self::Rewound {
                n,
                group: rewound.group.to_string(),
                to_epoch: rewound.to_epoch,
                from_epoch: rewound.from_epoch,
                again: rewound.again.clone(),
            },
            Event::KeyPackagesPublished(count) => Self::KeyPackagesPublished { n, count: *count },
            Event::Alarm(alarm) => Self::Alarm(AlarmLine::new(n, alarm)),
        }
    }
}

fn line_of_joined(n: u64, joined: &Joined) -> Line {
    Line::Joined {
        n,
        group: joined.group.to_string(),
        epoch: joined.epoch,
        rooms: joined.rooms.iter().map(RoomLine::from).collect(),
        members: texts(&joined.members),
        branched_from: joined.branched_from.as_ref().map(ToString::to_string),
    }
}

fn line_of_message(n: u64, time_ms: u64, message: &MessageEvent) -> Line {
    let (text, purpose, content_type) = match content::decode(&message.content) {
        Ok(Content::Text(text)) => (Some(text), None, None),
        Ok(Content::Other { purpose, content_type }) => {
            (None, Some(purpose_name(purpose)), content_type)
        }
        Err(_) => (None, Some("unknown"), None),
    };
    Line::Message {
        n,
        time_ms,
        group: message.group.to_string(),
        epoch: message.epoch,
        sender: message.sender.client.to_string(),
        network_says: message.sender.network_says.as_ref().map(ToString::to_string),
        sent_ms: message.sent_ms,
        text,
        purpose,
        content_type,
    }
}

fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Message => "message",
        Purpose::Edit => "edit",
        Purpose::Deletion => "deletion",
        Purpose::Reaction => "reaction",
        Purpose::Other => "other",
    }
}

fn line_of_undecryptable(n: u64, lost: &Undecryptable) -> Line {
    Line::Undecryptable {
        n,
        group: lost.group.to_string(),
        epoch: lost.epoch,
        network_sender: lost.network_sender.as_ref().map(ToString::to_string),
        reason: unreadable_name(lost.reason),
        why: lost.why.clone(),
    }
}

fn unreadable_name(reason: Unreadable) -> &'static str {
    match reason {
        Unreadable::TooLate => "too_late",
        Unreadable::NoKey => "no_key",
        Unreadable::Broken => "broken",
        Unreadable::NoHandshakes => "no_handshakes",
        Unreadable::TooManyWait => "too_many_wait",
    }
}

fn warning_name(kind: WarningKind) -> &'static str {
    match kind {
        WarningKind::MessageInClear => "message_in_clear",
        WarningKind::Refused => "refused",
        WarningKind::WelcomeRefused => "welcome_refused",
        WarningKind::RoomNotEntered => "room_not_entered",
        WarningKind::NotEverybodyAdded => "not_everybody_added",
        WarningKind::CannotFollow => "cannot_follow",
        WarningKind::NoWayBack => "no_way_back",
        WarningKind::CommitFailed => "commit_failed",
        WarningKind::OtherKey => "other_key",
        WarningKind::Hub => "hub",
        WarningKind::Authority => "authority",
        WarningKind::MemberRevoked => "member_revoked",
        WarningKind::OwnDeviceRevoked => "own_device_revoked",
        WarningKind::CountsAgain => "counts_again",
        WarningKind::NoCertificate => "no_certificate",
        WarningKind::KeyPackagesStay => "key_packages_stay",
        WarningKind::HubReports => "hub_reports",
    }
}

fn texts(clients: &[ClientId]) -> Vec<String> {
    clients.iter().map(ToString::to_string).collect()
}
