//! Alarms, as they are printed.

use mls_core::member::{Alarm, AlarmEvent};
use serde::Serialize;

/// Something that may mean that a server or the hub deceives, or that this device fell out of step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AlarmLine {
    /// The hub signed two orders of a group.
    HubContradicts {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The place in the group's order.
        seq: u64,
        /// SHA-256 of the evidence that is kept, in hex.
        evidence: String,
    },
    /// A member signed another state of an epoch than the one that is here.
    OtherState {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The epoch.
        epoch: u64,
        /// Who signed.
        client: String,
        /// SHA-256 of the evidence that is kept, in hex.
        evidence: String,
    },
    /// Members of a network send messages, and none of their checkpoints came for a day.
    NoCheckpoints {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// `matrix` or `xmpp`.
        network: &'static str,
    },
    /// Messages of a sender did not come.
    MessagesMissing {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The epoch in which they were sent.
        epoch: u64,
        /// Whose.
        sender: String,
        /// How many, at most; 0 takes back what was said before.
        count: u32,
    },
    /// This device cannot come back by itself.
    ReAddNeeded {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// One sentence.
        why: String,
    },
    /// Members of a group without a hub followed other commits for too long.
    FellApart {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// One sentence.
        why: String,
    },
    /// The authority's log of certificates is not the one that it was.
    LogForked {
        /// The number.
        n: u64,
        /// Entries of the one that was known.
        first: u64,
        /// Entries of the one that came.
        second: u64,
    },
    /// The authority certified a key of this device that this device never had.
    NotAsked {
        /// The number.
        n: u64,
        /// The entry's place in the log.
        index: u64,
        /// SHA-256 of the key, in hex.
        key: String,
        /// When, in milliseconds since 1970.
        time: u64,
    },
    /// The certificate of a member does not stand in the authority's log.
    NotLogged {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// Whose.
        client: String,
        /// SHA-256 of the certificate, in hex.
        certificate: String,
    },
    /// A device of a verified user is signed by another identity key: they are verified no more.
    VerifiedUserChanged {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The device.
        client: String,
        /// The identity key that a person had verified, in hex.
        known: String,
        /// The one that signs the device, in hex.
        shown: String,
    },
    /// A device in the name of a verified user is not signed by their identity key.
    UnsignedDeviceOfVerifiedUser {
        /// The number.
        n: u64,
        /// The group.
        group: String,
        /// The device.
        client: String,
        /// Half a sentence; null where it is signed by now.
        why: Option<String>,
    },
}

impl AlarmLine {
    /// The line of an alarm.
    pub fn new(n: u64, event: &AlarmEvent) -> Self {
        let group = event.group.to_string();
        match &event.alarm {
            Alarm::HubContradicts(told) => {
                let evidence = told.evidence.to_string();
                Self::HubContradicts { n, group, seq: told.seq, evidence }
            }
            Alarm::OtherState(seen) => Self::OtherState {
                n,
                group,
                epoch: seen.epoch,
                client: seen.client.to_string(),
                evidence: seen.evidence.to_string(),
            },
            Alarm::NoCheckpoints(network) => {
                Self::NoCheckpoints { n, group, network: network.name() }
            }
            Alarm::MessagesMissing(missing) => Self::MessagesMissing {
                n,
                group,
                epoch: missing.epoch,
                sender: missing.sender.to_string(),
                count: missing.count,
            },
            Alarm::FellApart(why) => Self::FellApart { n, group, why: why.clone() },
            Alarm::ReAddNeeded(why) => Self::ReAddNeeded { n, group, why: why.clone() },
            Alarm::LogForked(forked) => {
                Self::LogForked { n, first: forked.first, second: forked.second }
            }
            Alarm::NotAsked(not) => {
                Self::NotAsked { n, index: not.index, key: not.key.to_string(), time: not.at_ms }
            }
            Alarm::NotLogged(not) => Self::NotLogged {
                n,
                group,
                client: not.client.to_string(),
                certificate: not.certificate.to_string(),
            },
            Alarm::VerifiedUserChanged(changed) => Self::VerifiedUserChanged {
                n,
                group,
                client: changed.client.to_string(),
                known: changed.known.to_string(),
                shown: changed.shown.to_string(),
            },
            Alarm::UnsignedDevice(device) => Self::UnsignedDeviceOfVerifiedUser {
                n,
                group,
                client: device.client.to_string(),
                why: device.why.clone(),
            },
        }
    }
}
