//! What passes between a runner and its user.

use mls_core::address::UserId;
use mls_core::member::{
    Command, CommandId, DomainAnchors, EventRecord, GroupSummary, IdentitySummary, LogSummary,
    LoggedEntry, MembershipEntry, SignDeviceError,
};
use mls_core::store::StoreError;
use mls_core::user_identity::{DeviceRequest, DeviceStatement, Verification, VerificationError};
use mls_core::wire::GroupId;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Why a runner ended by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The profile's database cannot be read or written; what was not committed is not done.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server ended the session for good: logged out, password changed, account gone.
    #[error("the server ended the session: {0}; log in again in a new profile")]
    SessionEnded(String),
    /// The runner is not there any more.
    #[error("the connection is closed")]
    Closed,
}

/// What can be asked of a runner.
pub(crate) enum Ask {
    /// Take a command; answered when it is stored.
    Command(CommandId, Command, oneshot::Sender<()>),
    /// The groups of this device.
    Groups(oneshot::Sender<Vec<GroupSummary>>),
    /// The authorities that this device goes by.
    Authorities(oneshot::Sender<Vec<DomainAnchors>>),
    /// To look into the authority's log.
    LookIntoLog(oneshot::Sender<()>),
    /// The authority's log, and what it holds in this user's name.
    Certificates(oneshot::Sender<(Option<LogSummary>, Vec<LoggedEntry>)>),
    /// A page of a group's membership log, from this seq on and so many at most.
    MembershipLog(GroupId, u64, usize, oneshot::Sender<Vec<MembershipEntry>>),
    /// This device's part in its user's identity.
    Identity(oneshot::Sender<IdentitySummary>),
    /// What this device asks another one to sign.
    DeviceRequest(oneshot::Sender<DeviceRequest>),
    /// A device to be signed.
    SignDevice(DeviceRequest, oneshot::Sender<Result<DeviceStatement, SignDeviceError>>),
    /// What is to be compared with a user.
    Verification(UserId, oneshot::Sender<Result<Verification, VerificationError>>),
    /// Answered when the connection is there and nothing is under way, but for the reading of the log.
    Settled(oneshot::Sender<()>),
    /// Answered when that is done too.
    LogRead(oneshot::Sender<()>),
    /// The user has seen the events up to this number.
    Seen(u64),
    /// End.
    Stop,
}

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Accept invitations to rooms.
    pub accept_invitations: bool,
    /// Publish key packages at the start, so that others can add this device.
    pub publish: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { accept_invitations: true, publish: true }
    }
}

/// The channels between a runner and its user.
pub(crate) struct Channels {
    pub(crate) asks: mpsc::Receiver<Ask>,
    pub(crate) events: mpsc::Sender<EventRecord>,
    pub(crate) status: watch::Sender<Status>,
}

/// How far a runner has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The server let this device in, at least once.
    pub connected: bool,
    /// And its key packages are published.
    pub ready: bool,
}
