//! The delivery service of groups (RFC 9750 5): orders handshakes, validates them, relays messages.
//!
//! It follows the public state of its groups and holds no leaf and no secret of any. One
//! [`Input`] gives one [`Outcome`]: writes and effects to commit together, before anybody is
//! answered. After a failed commit drop the [`Hub`] and open it again: its memory is ahead.

mod effect;
mod input;

pub use effect::{
    Admit, AnswerEffect, BindRoom, ClaimMatrix, ClaimTarget, Effect, Expel, MakeRooms, Notify,
    PostHandshake, Relay, Reply,
};
pub use input::{
    Claimed, Incoming, Input, Membership, ReplyTo, RequestInput, RoomMessage, RoomsMade,
};

use std::sync::Arc;

use crate::address::{RoomAddress, UserId};
use crate::store::{Store, StoreError, Write};

/// The delivery service; see the module.
pub struct Hub {}

/// Who the hub is on each network.
#[derive(Clone, Debug)]
pub struct HubSetup {
    /// The hub's Matrix user id, where it serves Matrix.
    pub matrix: Option<String>,
    /// The hub's JID, where it serves XMPP.
    pub xmpp: Option<String>,
}

/// What one input led to. Commit both together, then act.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Changes of the database.
    pub writes: Vec<Write>,
    /// What to do, in this order within each lane.
    pub effects: Vec<Effect>,
}

impl Hub {
    /// Opens the hub that `store` holds, or makes one with fresh keys: commit the writes first.
    pub fn open(store: Arc<dyn Store>, setup: HubSetup) -> Result<(Self, Vec<Write>), StoreError> {
        let _ = (store, setup);
        Err(StoreError("not yet".to_owned()))
    }

    /// Decides about one input. `now_ms` is the time in milliseconds since 1970.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Result<Outcome, StoreError> {
        let _ = (now_ms, input);
        Err(StoreError("not yet".to_owned()))
    }

    /// The rooms that live groups are bound to.
    pub fn rooms(&self) -> Result<Vec<RoomAddress>, StoreError> {
        Err(StoreError("not yet".to_owned()))
    }

    /// Accounts, of both networks, that have a leaf in the group of a room.
    pub fn users_in(&self, room: &RoomAddress) -> Result<Vec<UserId>, StoreError> {
        let _ = room;
        Err(StoreError("not yet".to_owned()))
    }
}
