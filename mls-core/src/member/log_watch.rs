//! What this device sees of its authority's log of certificates: that it only grows ([`head`]), what it holds
//! in the name of its user ([`own`]), and that the certificates of others stand in it ([`proofs`]).
//!
//! Nothing of this decides what a group takes, for members look at different times: people are told, and
//! what convinces others is kept. The log is the hub's, and so is the authority; but what the hub has signed
//! once it cannot take back.

mod fork;
mod head;
mod leaves;
mod own;
mod proofs;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

pub use self::fork::KeptFork;
pub use self::own::{Asked, DeviceCertified, LoggedEntry, NotAsked};
pub use self::proofs::NotLogged;
pub(super) use self::proofs::SeenCertificate;
use super::Member;
use crate::store::{Space, StoreError};
use crate::transparency::{Frontier, OwnLeaf, SignedTreeHead, TwoHeads};

const WATCH: Space = "log_watch";
const KEY: &[u8] = b"watch";

/// What is known of the log, as it is stored.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Watch {
    /// When the head was last asked for.
    looked_ms: u64,
    /// The newest head that was followed.
    head: Option<SignedTreeHead>,
    /// Entries that the log had at the first look: what stands there may be older than this device, or than
    /// its memory.
    since: u64,
    /// The leaves that were read.
    frontier: Frontier,
    /// Of those, the ones that name this user, and whose entries were not read yet.
    own: Vec<OwnLeaf>,
    /// Two heads that do not go together: from then on nothing of the log is followed.
    fork: Option<TwoHeads>,
}

/// What is remembered in memory.
#[derive(Debug, Default)]
pub(super) struct LogMemory {
    /// Certificates that could be seen when the head was asked for, to be looked for under that.
    seen: Vec<SeenCertificate>,
    /// Heads in a row that nobody signed whom this device knows.
    unsigned: u32,
}

/// The log, as far as this device has followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSummary {
    /// The newest head.
    pub head: SignedTreeHead,
    /// Entries whose leaves were read, up to the head's size: all that name this user are known of these.
    pub read: u64,
    /// Two heads that do not go together, if the log forked; [`TwoHeads::verify`] tells whether they convince
    /// others too.
    pub fork: Option<TwoHeads>,
    /// All forks that this device has found, the oldest first; a person accepted those before [`LogSummary::fork`].
    pub forks: Vec<KeptFork>,
}

impl Member {
    /// The authority's log, where this device has looked into it.
    pub fn certificate_log(&self) -> Result<Option<LogSummary>, StoreError> {
        let Watch { head, frontier, fork, .. } = self.watch()?;
        let forks = self.kept_forks()?;
        Ok(head.map(|head| LogSummary { head, read: frontier.size(), fork, forks }))
    }

    fn watch(&self) -> Result<Watch, StoreError> {
        Ok(self.overlay.read(WATCH, KEY)?.unwrap_or_default())
    }

    fn save_watch(&self, watch: &Watch) -> Result<(), StoreError> {
        self.overlay.write(WATCH, KEY, watch)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Watch);
