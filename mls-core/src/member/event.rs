//! What a user interface must show. Kept in the store, numbered, until the user has seen it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::warning::WarningEvent;
use super::{AlarmEvent, CommandId, DeviceCertified, LoneDevice, MembershipChange};
use crate::address::{ClientId, RoomAddress, UserId};
use crate::wire::{Digest, GroupId};

/// An event and its number: 1, 2, 3, … in the profile's life; none is given twice.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct EventRecord {
    /// The number.
    pub number: u64,
    /// When it happened here, in milliseconds since 1970.
    pub time_ms: u64,
    /// What happened.
    pub event: Event,
}

/// Who sent a message, by the leaf that signed it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Sender {
    /// The client in the leaf's credential.
    pub client: ClientId,
    /// Set where the network showed another account: it is shown under the leaf's identity, with
    /// a warning.
    pub network_says: Option<UserId>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Event {
    /// A command was fulfilled.
    CommandDone(CommandDone) = 1u8,
    /// A command cannot be fulfilled.
    CommandFailed(CommandFailed) = 2u8,
    /// This device is a member of a group now, by creation, Welcome or rejoin.
    Joined(Joined) = 3u8,
    /// A message was decrypted; also our own, when it comes back from the room.
    Message(MessageEvent) = 4u8,
    /// The group went to a new epoch.
    Epoch(EpochEvent) = 5u8,
    /// This device is no longer a member of a group.
    Removed(RemovedEvent) = 6u8,
    /// A message cannot be read.
    Undecryptable(Undecryptable) = 7u8,
    /// Something that people should know.
    Warning(WarningEvent) = 8u8,
    /// The pool of key packages was filled.
    KeyPackagesPublished(u32) = 9u8,
    /// A device asks to be added to a group; an Invite of its user adds it.
    DeviceWaiting(DeviceWaiting) = 10u8,
    /// A group has ended and is started anew; a Joined of the one that follows comes next.
    StartedAnew(StartedAnew) = 11u8,
    /// A group that its room orders took another commit than this device had followed.
    Rewound(RewoundEvent) = 12u8,
    /// A member who was added has shown for the first time that its device is there.
    HeardFrom(HeardFrom) = 34u8,
    /// Something that may mean deceit, or that this device fell out of step.
    Alarm(AlarmEvent) = 21u8,
    /// A group that this device has just joined took the place of one that could not be healed, and
    /// nothing proves that it follows that.
    Restarted(Restarted) = 41u8,
    /// A hub, or a group, names other authorities of a domain than this device knows.
    AnchorsChanged(AnchorsChanged) = 32u8,
    /// The authority's log names another device of this user for the first time.
    DeviceCertified(DeviceCertified) = 70u8,
    /// A device is in one group of its user only.
    LoneDevice(LoneDevice) = 82u8,
    /// Somebody asks to be let into a group; an Invite lets them in.
    Knocked(KnockedEvent) = 60u8,
    /// An admin said no to a knock of this device.
    KnockDenied(KnockDeniedEvent) = 61u8,
}

/// Authorities that this device does not know are named for a domain. They count nothing for it until a
/// person has compared their fingerprints with those that the authority's operator shows, and says so
/// ([`Command::TrustAnchors`](super::Command::TrustAnchors)).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct AnchorsChanged {
    /// The domain.
    pub domain: String,
    /// Fingerprints of those that this device goes by.
    pub known: Vec<Digest>,
    /// Fingerprints of those that are named.
    pub named: Vec<Digest>,
    /// The group that names them; nothing where the hub does.
    pub group: Option<GroupId>,
}

/// A new group took the place of another by an admin's restart, or by a ReInit that this device could not follow.
/// Compare its members over another way: nobody but that admin, or the hub, vouches for them.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Restarted {
    /// The group that ended here.
    pub group: GroupId,
    /// The group that takes its place; others may still be added to it.
    pub successor: GroupId,
    /// Who added this device to it: an admin of the former; this device itself where somebody commanded it to
    /// come in.
    pub by: ClientId,
    /// Members that have another signature key than in the former, for which no authority vouches that
    /// the former named.
    pub changed: Vec<ClientId>,
    /// Members that the former did not have, as far as this device had followed it.
    pub unknown: Vec<ClientId>,
}

/// A group has ended by a ReInit (RFC 9420 11.2).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct StartedAnew {
    /// The group that ended.
    pub group: GroupId,
    /// The group that takes its place.
    pub successor: GroupId,
    /// RFC 9420 number of its suite.
    pub suite: u16,
    /// Who ended it.
    pub committer: ClientId,
}

/// A command was fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CommandDone {
    /// The command.
    pub id: CommandId,
    /// The group that it made or changed.
    pub group: Option<GroupId>,
}

/// A command cannot be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CommandFailed {
    /// The command.
    pub id: CommandId,
    /// One sentence that says why, and what to do.
    pub why: String,
}

/// This device is a member now.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Joined {
    /// The group.
    pub group: GroupId,
    /// Its epoch.
    pub epoch: u64,
    /// Its rooms.
    pub rooms: Vec<RoomAddress>,
    /// All its members.
    pub members: Vec<ClientId>,
    /// The group that it branches from (RFC 9420 11.3), where this device came in with a secret of that: all
    /// members then are members of it, as far as this device knows them. Nothing where it came in by another
    /// way.
    pub branched_from: Option<GroupId>,
}

/// A decrypted message.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MessageEvent {
    /// The group.
    pub group: GroupId,
    /// The epoch in which it was sent.
    pub epoch: u64,
    /// Who sent it.
    pub sender: Sender,
    /// When, as the network says, in milliseconds since 1970.
    pub sent_ms: u64,
    /// The encoded content.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub content: Vec<u8>,
}

/// A commit was applied.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct EpochEvent {
    /// The group.
    pub group: GroupId,
    /// The new epoch.
    pub epoch: u64,
    /// The commit's position in the group's order; of commits that a room ordered, the last that the
    /// hub gave out before them.
    pub seq: u64,
    /// Who committed.
    pub committer: ClientId,
    /// Clients that came.
    pub added: Vec<ClientId>,
    /// Clients that went.
    pub removed: Vec<ClientId>,
    /// All that changed, each with who proposed it.
    pub changes: Vec<MembershipChange>,
    /// Number of members now.
    pub members: u32,
}

/// A commit came late that beats the one which this device had followed: the epochs since then are
/// taken back, and the events of the epochs in their place come next. Messages of those that were
/// taken back stay as they were shown.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RewoundEvent {
    /// The group.
    pub group: GroupId,
    /// The last epoch that stays.
    pub to_epoch: u64,
    /// The epoch in which the group was.
    pub from_epoch: u64,
    /// Commands of this device whose commits were taken back: they are done again.
    pub again: Vec<CommandId>,
}

/// This device was removed, or left.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RemovedEvent {
    /// The group.
    pub group: GroupId,
    /// Who committed the removal; this device itself where it left, and where everybody was to be
    /// removed and the group has ended.
    pub by: ClientId,
}

/// A message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Undecryptable {
    /// The group.
    pub group: GroupId,
    /// The epoch that its header names.
    pub epoch: u64,
    /// The account that the network shows as its sender.
    pub network_sender: Option<UserId>,
    /// Why, for programs.
    pub reason: Unreadable,
    /// One sentence for people.
    pub why: String,
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Unreadable {
    /// It came so late that the keys of its epoch are deleted.
    TooLate = 1u8,
    /// Its key was used or deleted: another message had its place, or it is too far from the last one.
    NoKey = 2u8,
    /// It does not open: somebody altered or made it up, or it was made in another state of the group.
    Broken = 3u8,
    /// The handshakes that lead to its epoch did not come in time.
    NoHandshakes = 4u8,
    /// Too many messages wait for handshakes.
    TooManyWait = 5u8,
}

/// The first message or new leaf of a member who was added while this device was in the group. Before
/// it nobody knows whether the device ever came in (`unheard_since_ms` in the group's summary).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HeardFrom {
    /// The group.
    pub group: GroupId,
    /// The member.
    pub client: ClientId,
}

/// A device asks to be added to a group. That it belongs to its user is the hub's word only:
/// people should know of the device before they add it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DeviceWaiting {
    /// The group.
    pub group: GroupId,
    /// The device.
    pub client: ClientId,
}

/// Somebody asks to be let into a group. That it is this account is the hub's word only.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KnockedEvent {
    /// The group.
    pub group: GroupId,
    /// Who asks.
    pub user: UserId,
}

/// An admin said no to a knock of this device.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KnockDeniedEvent {
    /// The room.
    pub room: RoomAddress,
}

#[cfg(test)]
crate::codec_properties::hold!(
    EventRecord,
    Sender,
    Event,
    CommandDone,
    CommandFailed,
    Joined,
    MessageEvent,
    EpochEvent,
    RemovedEvent,
    RewoundEvent,
    Undecryptable,
    Unreadable,
    DeviceWaiting,
    HeardFrom,
    KnockedEvent,
    KnockDeniedEvent,
    StartedAnew,
    Restarted,
    AnchorsChanged
);
