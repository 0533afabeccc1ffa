//! The delivery service of groups (RFC 9750 5): orders handshakes, validates them, relays messages.
//!
//! It follows the public state of its groups and holds no leaf and no secret of any. One
//! [`Input`] gives one [`Outcome`]: writes and effects to commit together, before anybody is
//! answered. After a failed commit drop the [`Hub`] and open it again: its memory is ahead.
//!
//! What it knows stands in the [`Store`]; in memory are only public groups, which can be read
//! again from their log, and rates. One file here is one request, or one thing that is kept.

mod added;
mod answers;
mod ask_to_join;
mod authority;
mod blobs;
mod branch;
mod claim_jobs;
mod claim_key_packages;
mod claim_log;
mod commit_check;
mod committer;
mod create_room;
mod effect;
mod expiry;
mod fetch_group_info;
mod fetch_handshakes;
mod fetch_log_leaves;
mod fetch_own_entries;
mod fetch_revocations;
mod fetch_tree_head;
mod fetch_welcomes;
mod find_group;
mod founded;
mod gone;
mod group_record;
mod handshake_keys;
mod handshake_log;
mod held;
mod held_queue;
mod hub_info;
mod idle;
mod input;
mod issue_credential;
mod keys;
mod knock;
mod leave_room;
mod leaves;
mod left_by_room;
mod listed;
mod membership;
mod operator;
mod pool;
mod prove_certificate;
mod public_group;
mod publish_key_packages;
mod rates;
mod register_group;
mod relay;
mod removal;
mod report_invalid;
mod requests;
mod restart;
mod revocation;
mod revoke_device;
mod revoked_list;
mod roles;
mod room_lost;
mod room_record;
mod submit_commit;
mod submit_proposal;
mod successor;
mod sweep;
mod take_back;
mod take_revoked;
mod transparency;
mod turn;
mod welcomes;

pub use crate::wire::Reply;
pub use authority::RootChange;
pub use effect::{
    Admit, AnswerEffect, BindRoom, ClaimMatrix, ClaimTarget, Effect, Expel, ListDevices, MakeRooms,
    Notify, PostHandshake, QueryDevice, Relay,
};
pub use input::{
    AccountDevices, Claimed, DeviceKey, DevicesListed, Incoming, Input, Membership, ReplyTo,
    RequestInput, RoomMessage, RoomsMade, SealedInput,
};

pub use operator::{OperatorAnswer, OperatorOrder, OrderDone, RevokedEntry, Whom};
pub use revocation::RevokedBy;
pub use revoked_list::{RevokedList, RevokedListError};
pub use roles::Roles;

use std::sync::Arc;

use crate::address::{RoomAddress, UserId};
use crate::authority::Authority;
use crate::crypto::Crypto;
use crate::overlay::Overlay;
use crate::randomness::{Randomness, SystemRandomness};
use crate::store::{Store, StoreError, Write};
use keys::HubKeys;
use public_group::PublicGroups;
use rates::Rates;
use turn::Turn;

/// The delivery service; see the module.
pub struct Hub {
    store: Overlay,
    crypto: Crypto,
    setup: HubSetup,
    keys: HubKeys,
    groups: PublicGroups,
    rates: Rates,
}

/// Who the hub is on each network, and what signs for it.
#[derive(Clone, Debug, Default)]
pub struct HubSetup {
    /// The hub's Matrix user id, where it serves Matrix.
    pub matrix: Option<String>,
    /// The hub's JID, where it serves XMPP.
    pub xmpp: Option<String>,
    /// Which services it is.
    pub roles: Roles,
    /// The authority that its operator gave; a key of the hub's own where there is none. One with
    /// another root than before does not open, before [`Hub::replace_root`].
    pub authority: Option<Authority>,
}

/// What one input led to. Commit both together, then act.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Changes of the database.
    pub writes: Vec<Write>,
    /// What to do, in this order within each lane.
    pub effects: Vec<Effect>,
    /// Rooms that were lost: what earlier inputs wanted done in them is to be dropped.
    pub lost_rooms: Vec<RoomAddress>,
    /// What became of the operator's order, if the input was one.
    pub operator: Option<OperatorAnswer>,
    /// Others are revoked now than before: [`Hub::signed_revoked_list`] says who.
    pub revoked_changed: bool,
}

impl Hub {
    /// Opens the hub that `store` holds, or makes one with fresh keys: commit the writes first.
    pub fn open(store: Arc<dyn Store>, setup: HubSetup) -> Result<(Self, Vec<Write>), StoreError> {
        Self::open_with(store, setup, Arc::new(SystemRandomness))
    }

    /// The same, with another source of random bytes.
    pub fn open_with(
        store: Arc<dyn Store>,
        setup: HubSetup,
        randomness: Arc<dyn Randomness>,
    ) -> Result<(Self, Vec<Write>), StoreError> {
        let (store, crypto) = (Overlay::new(store), Crypto::new(randomness));
        let keys = HubKeys::open(&store, &crypto, &setup)?;
        let groups = PublicGroups::new(&keys, &crypto);
        let writes = store.take_writes();
        Ok((Self { store, crypto, setup, keys, groups, rates: Rates::default() }, writes))
    }

    /// Has the hub's keys replaced when it is opened next: open it again. Groups go on with the old ones
    /// until a member commits the new ones.
    pub fn replace_keys(&self) -> Result<Vec<Write>, StoreError> {
        HubKeys::replace(&self.store)?;
        Ok(self.store.take_writes())
    }

    /// Decides about one input. `now_ms` is the time in milliseconds since 1970.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Result<Outcome, StoreError> {
        let mut turn = Turn {
            store: &self.store,
            crypto: &self.crypto,
            setup: &self.setup,
            keys: &self.keys,
            groups: &mut self.groups,
            rates: &mut self.rates,
            now_ms,
            effects: Vec::new(),
            lost_rooms: Vec::new(),
            revoked_changed: false,
        };
        let mut operator = None;
        let done = match input {
            Input::Request(request) => turn.request(request, None),
            Input::Sealed(sealed) => turn.sealed_request(sealed),
            Input::Message(message) => turn.relay(message),
            Input::Membership(change) => turn.membership(change),
            Input::Listed { room, users } => turn.listed(&room, &users),
            Input::RoomLost { room } => turn.room_lost(&room),
            Input::RoomsMade(made) => turn.rooms_made(made),
            Input::Claimed(claimed) => turn.claimed(claimed),
            Input::DeviceKey(said) => turn.device_key(&said),
            Input::DevicesListed(listed) => turn.devices_listed(&listed),
            Input::Expelled { room, user } => listed::put_out(turn.store, &room, &user, now_ms),
            Input::Operator(order) => turn.operator(&order).map(|answer| operator = Some(answer)),
            Input::Revoked(list) => turn.take_revoked(&list),
            Input::Tick => turn.tick(),
            Input::Due => turn.release_due(),
        };
        let effects = std::mem::take(&mut turn.effects);
        let lost_rooms = std::mem::take(&mut turn.lost_rooms);
        let revoked_changed = turn.revoked_changed;
        match self.crypto.check_source().and(done) {
            Ok(()) => {
                self.groups.keep_changes();
                let writes = self.store.take_writes();
                Ok(Outcome { writes, effects, lost_rooms, operator, revoked_changed })
            }
            Err(error) => {
                self.groups.forget_changes();
                self.store.discard();
                Err(error)
            }
        }
    }

    /// When the hub next wants [`Input::Due`], in milliseconds since 1970; nothing while no
    /// message is held back. Every input may change it. It may lie in the past.
    pub fn due_ms(&self) -> Result<Option<u64>, StoreError> {
        held_queue::next_due_ms(&self.store)
    }

    /// The rooms that live groups are bound to, without those that were lost.
    pub fn rooms(&self) -> Result<Vec<RoomAddress>, StoreError> {
        room_record::bound(&self.store)
    }

    /// Whether the account, or for one of the other network its ghost, is known to be in the
    /// room's list.
    pub fn is_listed(&self, room: &RoomAddress, user: &UserId) -> Result<bool, StoreError> {
        listed::is_listed(&self.store, room, user)
    }

    /// Whether somebody else put the ghost of the account, which is of the other network, out of
    /// the room: it stays outside while the account's removal waits.
    pub fn is_put_out(&self, room: &RoomAddress, user: &UserId) -> Result<bool, StoreError> {
        listed::is_put_out(&self.store, room, user)
    }

    /// Accounts, of both networks, that have a leaf in the group of a room.
    pub fn users_in(&self, room: &RoomAddress) -> Result<Vec<UserId>, StoreError> {
        match room_record::read(&self.store, room)?.and_then(|record| record.group) {
            Some(group) => leaves::users(&self.store, &group),
            None => Ok(Vec::new()),
        }
    }
}
