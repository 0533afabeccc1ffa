//! What may mean that a server or the hub deceives, or that this device fell out of step. People
//! are told; no alarm changes a group.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::log_watch::{NotAsked, NotLogged};
use super::{Event, Member};
use crate::address::{ClientId, Network};
use crate::store::StoreError;
use crate::user_identity::Ed25519Key;
use crate::wire::{Digest, GroupId};

/// An alarm about a group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct AlarmEvent {
    /// The group.
    pub group: GroupId,
    /// What.
    pub alarm: Alarm,
}

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Alarm {
    /// The hub signed two orders of the group.
    HubContradicts(HubContradicts) = 1u8,
    /// A member signed another state of an epoch than the one that is here.
    OtherState(OtherStateSeen) = 2u8,
    /// Members of a network send messages, and none of their checkpoints came for a day.
    NoCheckpoints(Network) = 3u8,
    /// Messages of a sender did not come.
    MessagesMissing(MessagesMissing) = 4u8,
    /// This device cannot come back by itself: a member has to remove it and add it again. One
    /// sentence that says why.
    ReAddNeeded(String) = 5u8,
    /// A group that its room orders has, or may have, fallen apart: members followed other commits
    /// for longer than can be taken back. One sentence that says why.
    FellApart(String) = 6u8,
    /// The authority's log of certificates is not the one that it was.
    LogForked(LogForked) = 7u8,
    /// The authority certified a key of this device that this device never had.
    NotAsked(NotAsked) = 8u8,
    /// The certificate of a member does not stand in the log.
    NotLogged(NotLogged) = 9u8,
    /// A device of a user whom a person verified is signed by another identity key.
    VerifiedUserChanged(VerifiedUserChanged) = 80u8,
    /// A device of a user whom a person verified is signed by nothing, or is now.
    UnsignedDevice(UnsignedDevice) = 81u8,
}

/// The authority signed two heads of its log that do not go together: it shows different logs to different
/// people, or it lost its database and went on from an old copy. [`Member::certificate_log`] gives both.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LogForked {
    /// Entries under the head that was known.
    pub first: u64,
    /// And under the one that came.
    pub second: u64,
}

/// The user made a new identity key, or somebody else claims to be them: they count as verified no more. A
/// person verifies them anew ([`Member::verification`]).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct VerifiedUserChanged {
    /// The device.
    pub client: ClientId,
    /// The key that a person had verified.
    pub known: Ed25519Key,
    /// The key that signs the device.
    pub shown: Ed25519Key,
}

/// A leaf in the name of a verified user that their identity key does not sign: a device that they have not
/// signed yet, or one that somebody else put there.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct UnsignedDevice {
    /// The device.
    pub client: ClientId,
    /// What is wrong, in half a sentence; nothing where what was told before is over.
    pub why: Option<String>,
}

/// The hub signed two receipts that cannot both be true: it told two stories, or it lost its
/// database and went on from an old copy. The group goes on as this device followed it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HubContradicts {
    /// The position in the group's order that the second of them is for.
    pub seq: u64,
    /// SHA-256 of the evidence, which [`Member::evidence`] gives.
    pub evidence: Digest,
}

/// A member's signed checkpoint does not agree with the state that is here: the group is forked, or
/// that member's device is at fault. Ask them over another way which epoch they see.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OtherStateSeen {
    /// The epoch.
    pub epoch: u64,
    /// Who signed.
    pub client: ClientId,
    /// SHA-256 of the evidence, which [`Member::evidence`] gives.
    pub evidence: Digest,
}

/// Messages that their sender's counter says were sent, and that did not come for a minute. Said
/// again when some come late, with what is missing then. It is no proof of suppression: a sender
/// also skips numbers for a message that its network refused, or after a crash.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MessagesMissing {
    /// The epoch in which they were sent.
    pub epoch: u64,
    /// Whose.
    pub sender: ClientId,
    /// How many, at most; 0 takes back what was said before.
    pub count: u32,
}

impl Member {
    /// Tells people.
    pub(super) fn alarm(&mut self, group: &GroupId, alarm: Alarm) -> Result<(), StoreError> {
        self.emit(Event::Alarm(AlarmEvent { group: group.clone(), alarm })).map(|_| ())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(
    AlarmEvent,
    Alarm,
    HubContradicts,
    OtherStateSeen,
    MessagesMissing,
    LogForked,
    VerifiedUserChanged,
    UnsignedDevice
);
