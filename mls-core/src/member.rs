//! One device of one account: the MLS client, as a state machine.
//!
//! One [`Input`] gives one [`Outcome`]: writes and outputs to commit together, before anything
//! is sent. Requests, messages and uploads are kept in the store until they are confirmed;
//! [`Member::pending`] gives them again after a restart, under the same ids.

mod command;
mod event;
mod input;
mod output;

pub use command::{Command, CommandId, MembersCommand, SendCommand};
pub use event::{
    CommandDone, CommandFailed, EpochEvent, Event, EventRecord, Joined, MessageEvent, RemovedEvent,
    Sender, Undecryptable, WarningEvent,
};
pub use input::{Confirmation, Input, ReceivedMessage};
pub use output::{KeyPackageUpload, OutgoingMessage, Output};

use std::sync::Arc;

use crate::address::{ClientId, RoomAddress};
use crate::store::{Store, StoreError, Write};
use crate::wire::GroupId;

/// One device of one account; see the module.
pub struct Member {}

/// What one input led to. Commit the writes, then act.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Changes of the database.
    pub writes: Vec<Write>,
    /// What to do, in this order.
    pub outputs: Vec<Output>,
}

/// A group that this device is in.
#[derive(Clone, Debug)]
pub struct GroupSummary {
    /// The group.
    pub group: GroupId,
    /// Its epoch.
    pub epoch: u64,
    /// Its rooms.
    pub rooms: Vec<RoomAddress>,
    /// RFC 9420 number of its suite.
    pub suite: u16,
    /// All its members.
    pub members: Vec<MemberSummary>,
}

/// One leaf.
#[derive(Clone, Debug)]
pub struct MemberSummary {
    /// The client in its credential.
    pub client: ClientId,
    /// Its place in the tree.
    pub leaf_index: u32,
    /// Whether its user may change the membership.
    pub admin: bool,
    /// Its signature public key.
    pub signature_key: Vec<u8>,
}

impl Member {
    /// Opens the member that `store` holds, or makes one with a fresh signature key for `client`:
    /// commit the writes first.
    pub fn open(store: Arc<dyn Store>, client: ClientId) -> Result<(Self, Vec<Write>), StoreError> {
        let _ = (store, client);
        Err(StoreError("not yet".to_owned()))
    }

    /// Decides about one input. `now_ms` is the time in milliseconds since 1970.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Result<Outcome, StoreError> {
        let _ = (now_ms, input);
        Err(StoreError("not yet".to_owned()))
    }

    /// All that was to be done and is not confirmed, and events not yet marked as seen.
    pub fn pending(&self) -> Result<Vec<Output>, StoreError> {
        Err(StoreError("not yet".to_owned()))
    }

    /// Marks events up to `number` as seen.
    pub fn seen(&mut self, number: u64) -> Vec<Write> {
        let _ = number;
        Vec::new()
    }

    /// The groups that this device is in.
    pub fn groups(&self) -> Result<Vec<GroupSummary>, StoreError> {
        Err(StoreError("not yet".to_owned()))
    }
}
