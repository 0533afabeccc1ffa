//! The rooms of both networks: lists, who is inside, and what was posted, which rooms never forget.

use std::collections::{BTreeMap, BTreeSet};

use mls_core::address::{RoomAddress, UserId};
use mls_core::checkpoint::CheckpointBytes;
use mls_core::wire::Digest;
use mls_core::wire::handshake::SealedHandshake;

/// What was posted.
#[derive(Clone, Debug)]
pub(crate) enum Posted {
    /// An application message; a ghost's has no sender.
    Message {
        sender: Option<UserId>,
        sent_ms: u64,
        message: Vec<u8>,
        checkpoint: Option<CheckpointBytes>,
    },
    /// A handshake, by the hub.
    Handshake(SealedHandshake),
}

/// One room.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Accounts in its list.
    pub(crate) listed: BTreeSet<UserId>,
    /// Accounts that are in it.
    pub(crate) inside: BTreeSet<UserId>,
    /// Accounts of the other network whose ghosts stand in it.
    pub(crate) ghosts: BTreeSet<UserId>,
    /// How much had been posted when an account that is outside went out.
    pub(crate) left_at: BTreeMap<UserId, usize>,
    /// Everything, in the room's order.
    pub(crate) log: Vec<Posted>,
    /// Ids of what was posted: networks that know ids keep one copy of each.
    ids: BTreeSet<Digest>,
}

impl Room {
    /// Posts, unless `once` and it was posted before. Whether it is new.
    pub(crate) fn post(&mut self, id: Digest, posted: Posted, once: bool) -> bool {
        let new = self.ids.insert(id);
        if new || !once {
            self.log.push(posted);
        }
        new
    }

    /// The account goes out. Whether it was in the list, and whether it was inside.
    pub(crate) fn put_out(&mut self, user: &UserId) -> (bool, bool) {
        let was = (self.listed.remove(user), self.inside.remove(user));
        if was.1 {
            self.left_at.insert(user.clone(), self.log.len());
        }
        was
    }

    /// How much of the log an account can read.
    pub(crate) fn readable(&self, user: &UserId) -> usize {
        match self.left_at.get(user) {
            _ if self.inside.contains(user) => self.log.len(),
            // An archive is closed to who is outside; a homeserver shows all up to the leaving.
            Some(until) if user.network() == mls_core::address::Network::Matrix => *until,
            _ => 0,
        }
    }
}

/// The rooms, by address.
pub(crate) type Rooms = BTreeMap<RoomAddress, Room>;
