//! What travels between members and a hub, on either network: requests, answers, notices.
//!
//! One message, one file; each adapter has a file of the same name that maps it. Bytes are MLS
//! messages or TLS-encoded structures of this crate; adapters never look into them.

pub mod ask_to_join;
pub mod blob;
pub mod claim_key_packages;
pub mod create_room;
pub mod device_waiting;
pub mod fetch_group_info;
pub mod fetch_handshakes;
pub mod fetch_log_leaves;
pub mod fetch_own_entries;
pub mod fetch_revocations;
pub mod fetch_tree_head;
pub mod fetch_welcomes;
pub mod find_group;
pub mod founded_group;
pub mod handshake;
pub mod hub_info;
pub mod issue_credential;
pub mod key_packages_low;
pub mod knock;
pub mod leave_room;
pub mod membership_warning;
pub mod prove_certificate;
pub mod publish_key_packages;
pub mod refusal;
pub mod register_branch;
pub mod register_group;
pub mod register_successor;
pub mod report_invalid;
pub mod revoke_device;
pub mod sealed;
pub mod submit_commit;
pub mod submit_proposal;
pub mod welcome;
pub mod welcome_waiting;

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use ask_to_join::AskToJoin;
use blob::{BlobChunk, GetBlob, Part, PutBlob};
use claim_key_packages::{ClaimKeyPackages, ClaimedClient};
use create_room::{CreateRoom, RoomCreated};
use device_waiting::DeviceWaiting;
use fetch_group_info::{FetchGroupInfo, GroupState};
use fetch_handshakes::{FetchHandshakes, Handshakes};
use fetch_log_leaves::{FetchLogLeaves, LogLeaves};
use fetch_own_entries::{FetchOwnEntries, OwnEntries};
use fetch_revocations::RevocationLists;
use fetch_tree_head::{FetchTreeHead, FetchedTreeHead};
use fetch_welcomes::{FetchWelcomes, Welcomes};
use find_group::{FindGroup, GroupFound};
use handshake::SealedHandshake;
use hub_info::HubInfo;
use issue_credential::{IssueCredential, IssuedCredential};
use key_packages_low::KeyPackagesLow;
use knock::{DenyKnock, Knock, KnockDenied, Knocked};
use leave_room::LeaveRoom;
use membership_warning::MembershipWarning;
use prove_certificate::{CertificateProof, ProveCertificate};
use publish_key_packages::{KeyPackageCount, PublishKeyPackages};
use refusal::Refusal;
use register_branch::RegisterBranch;
use register_group::RegisterGroup;
use register_successor::RegisterSuccessor;
use report_invalid::ReportInvalid;
use revoke_device::RevokeDevice;
use submit_commit::SubmitCommit;
use submit_proposal::SubmitProposal;
use welcome::Welcome;
use welcome_waiting::WelcomeWaiting;

/// An MLS group id: 16 random bytes that say nothing about rooms.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct GroupId(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

impl GroupId {
    /// No group in particular: what is told concerns all of them.
    pub const fn none() -> Self {
        Self(Vec::new())
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Digest(pub [u8; 32]);

/// What a client asks of a hub. The network says which account asks; nothing else is believed.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Request {
    /// The hub's keys and limits.
    HubInfo = 1u8,
    /// Make a room, a MUC, or both.
    CreateRoom(CreateRoom) = 2u8,
    /// Which group is bound to a room.
    FindGroup(FindGroup) = 3u8,
    /// Hand a new group to the hub.
    RegisterGroup(RegisterGroup) = 4u8,
    /// Put key packages into the hub's pool (XMPP only).
    PublishKeyPackages(PublishKeyPackages) = 5u8,
    /// Take key packages of users, to add them.
    ClaimKeyPackages(ClaimKeyPackages) = 6u8,
    /// A commit, to be ordered.
    SubmitCommit(SubmitCommit) = 7u8,
    /// A proposal, to be ordered.
    SubmitProposal(SubmitProposal) = 8u8,
    /// A handshake could not be processed.
    ReportInvalid(ReportInvalid) = 9u8,
    /// What an external commit starts from.
    FetchGroupInfo(FetchGroupInfo) = 10u8,
    /// Handshakes from a sequence number on.
    FetchHandshakes(FetchHandshakes) = 11u8,
    /// Welcomes that wait for a device.
    FetchWelcomes(FetchWelcomes) = 12u8,
    /// Leave the MUC of a group (XMPP only; on Matrix a member leaves the room).
    LeaveRoom(LeaveRoom) = 13u8,
    /// Store a chunk of a blob.
    PutBlob(PutBlob) = 14u8,
    /// Read a chunk of a blob.
    GetBlob(GetBlob) = 15u8,
    /// A new device asks to be added to the groups of its user.
    AskToJoin(AskToJoin) = 16u8,
    /// Hand a group that follows a ReInit to the hub.
    RegisterSuccessor(RegisterSuccessor) = 17u8,
    /// A certificate for a signature key.
    IssueCredential(IssueCredential) = 31u8,
    /// Take a device of the same user out of everything.
    RevokeDevice(RevokeDevice) = 32u8,
    /// Which certificates count no more.
    FetchRevocations = 33u8,
    /// Hand a branch of a group to the hub.
    RegisterBranch(RegisterBranch) = 50u8,
    /// An account that is not in a group asks to be let in.
    Knock(Knock) = 60u8,
    /// An admin says no to that.
    DenyKnock(DenyKnock) = 61u8,
    /// How far the log of certificates goes.
    FetchTreeHead(FetchTreeHead) = 70u8,
    /// That a certificate is in it.
    ProveCertificate(ProveCertificate) = 71u8,
    /// The log as everybody may read it.
    FetchLogLeaves(FetchLogLeaves) = 72u8,
    /// Its entries of the asker's own user.
    FetchOwnEntries(FetchOwnEntries) = 73u8,
}

/// What a hub answers when it does not refuse.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Answer {
    /// To `HubInfo`.
    HubInfo(HubInfo) = 1u8,
    /// To `CreateRoom`.
    RoomCreated(RoomCreated) = 2u8,
    /// To `FindGroup`.
    GroupFound(GroupFound) = 3u8,
    /// To `RegisterGroup`, `RegisterSuccessor`, `RegisterBranch`, `SubmitCommit` and
    /// `SubmitProposal`: an encoded [`crate::receipt::Receipt`].
    Receipt(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>) = 4u8,
    /// To `PublishKeyPackages`.
    KeyPackageCount(KeyPackageCount) = 5u8,
    /// To `ClaimKeyPackages`, one entry a client (or a user of whom no client is known).
    KeyPackages(Vec<ClaimedClient>) = 6u8,
    /// To `FetchGroupInfo`.
    GroupInfo(GroupState) = 7u8,
    /// To `FetchHandshakes`.
    Handshakes(Handshakes) = 8u8,
    /// To `FetchWelcomes`.
    Welcomes(Welcomes) = 9u8,
    /// To `GetBlob`.
    BlobChunk(BlobChunk) = 10u8,
    /// To `ReportInvalid`, `LeaveRoom`, `PutBlob`, `AskToJoin`, `Knock`, `DenyKnock` and `RevokeDevice`.
    Done = 11u8,
    /// To `IssueCredential`.
    Credential(IssuedCredential) = 31u8,
    /// To `FetchRevocations`.
    Revocations(RevocationLists) = 33u8,
    /// To `FetchTreeHead`.
    TreeHead(FetchedTreeHead) = 70u8,
    /// To `ProveCertificate`.
    CertificateProof(CertificateProof) = 71u8,
    /// To `FetchLogLeaves`.
    LogLeaves(LogLeaves) = 72u8,
    /// To `FetchOwnEntries`.
    OwnEntries(OwnEntries) = 73u8,
}

/// What a hub says to a request, and how it comes back.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Reply {
    /// The answer. On the way only that to `HubInfo` is in clear.
    Ok(Answer) = 1u8,
    /// Why not. On the way only what a server between, or a request that cannot be opened, is
    /// refused for is in clear.
    Refused(Refusal) = 2u8,
    /// One of both, sealed: see [`crate::seal::answer_key`].
    Sealed(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>) = 3u8,
}

/// What a hub sends without being asked. Servers between read it, but for what is sealed in it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Notice {
    /// An accepted handshake, posted into every room of its group.
    Handshake(SealedHandshake) = 1u8,
    /// A Welcome for one device can be fetched.
    WelcomeWaiting(WelcomeWaiting) = 2u8,
    /// The pool of a device runs low (XMPP only).
    KeyPackagesLow(KeyPackagesLow) = 3u8,
    /// Something about a member that people should know.
    MembershipWarning(MembershipWarning) = 4u8,
    /// A device of somebody's asks to be added.
    DeviceWaiting(DeviceWaiting) = 5u8,
    /// Somebody who is not in a group asks to be let in.
    Knocked(Knocked) = 60u8,
    /// An admin said no to that.
    KnockDenied(KnockDenied) = 61u8,
}

/// A request's id, chosen by the client: 1 to 64 of `A-Z a-z 0-9 - _`; unique for its account.
pub type RequestId = String;

impl Request {
    /// The parts that may travel as blobs, for a courier to move.
    pub fn parts_mut(&mut self) -> Vec<&mut Part> {
        match self {
            Self::RegisterGroup(r) => vec![&mut r.group_info, &mut r.tree],
            Self::RegisterSuccessor(r) => r.founded.parts_mut(),
            Self::RegisterBranch(r) => r.founded.parts_mut(),
            Self::SubmitCommit(r) => {
                let mut parts = vec![&mut r.commit, &mut r.group_info];
                parts.extend(r.welcome.as_mut());
                parts
            }
            _ => Vec::new(),
        }
    }
}

impl Answer {
    /// The parts that may have come as blobs, for a courier to fetch.
    pub fn parts_mut(&mut self) -> Vec<&mut Part> {
        match self {
            Self::GroupInfo(a) => vec![&mut a.group_info, &mut a.tree],
            Self::Handshakes(a) => a.handshakes.iter_mut().map(|h| &mut h.message).collect(),
            Self::Revocations(a) => a.lists.iter_mut().collect(),
            Self::Welcomes(a) => a.welcomes.iter_mut().flat_map(Welcome::parts_mut).collect(),
            _ => Vec::new(),
        }
    }
}

impl GroupId {
    /// Lower-case hex, the form in logs and in attributes.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
crate::codec_properties::hold!(GroupId, Digest, Request, Answer, Reply, Notice);
