//! What follows from what happened: the hub, the outbox and the lanes, until the commit.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::hub::{
    Effect, Hub, HubSetup, Incoming, Input, Membership, OperatorAnswer, OperatorOrder,
    RevokedListError,
};
use mls_core::store::StoreError;
use storage::Database;

use crate::batch::Batch;
use crate::carrier::{Carrier, Mark};
use crate::lanes::{Arrival, LaneId, Lanes};
use crate::limits::LANE_ENTRIES_MAX;
use crate::marks::Marks;
use crate::outbox::{Entry, Outbox};

/// Everything in memory that a failed commit makes wrong.
pub struct Decision {
    hub: Hub,
    batch: Batch,
    outbox: Outbox,
    marks: Marks,
    /// What waits in the outbox.
    pub(super) lanes: Lanes,
    /// Entries of this turn, which the lanes get with the commit.
    fresh: Vec<Entry>,
    /// The clock of the hub never runs backwards.
    now_ms: u64,
    /// When the hub wants to be called, by its clock.
    due_ms: Option<u64>,
    /// Others are revoked than when that was last asked.
    revoked_changed: bool,
}

/// A room in which a group lives.
#[derive(Debug)]
pub struct LiveRoom {
    /// The room.
    pub room: RoomAddress,
    /// Members of the other network, whose ghosts are to stand in it.
    pub ghosts: Vec<UserId>,
    /// Those of them whose ghosts are known to be in its list.
    pub admitted: Vec<UserId>,
    /// Other members of the other network, whose ghosts somebody put out of it.
    pub put_out: Vec<UserId>,
}

impl Decision {
    /// Reads all of it from the database.
    pub fn open(setup: &HubSetup, database: &Database) -> Result<Self, StoreError> {
        let batch = Batch::new(database.clone());
        let (hub, writes) = Hub::open(Arc::new(batch.clone()), setup.clone())?;
        batch.add(writes);
        batch.commit()?;
        let mut lanes = Lanes::default();
        let outbox = Outbox::open(database, |entry| {
            if let Some(number) = add(&mut lanes, &entry, true) {
                batch.add(vec![Outbox::remove(number)]);
            }
        })?;
        batch.commit()?;
        if !lanes.is_empty() {
            tracing::info!(entries = lanes.len(), "the outbox holds what was not delivered yet");
        }
        let marks = Marks::open(database)?;
        let due_ms = hub.due_ms()?;
        Ok(Self {
            hub,
            batch,
            outbox,
            marks,
            lanes,
            fresh: Vec::new(),
            now_ms: 0,
            due_ms,
            revoked_changed: true,
        })
    }

    /// Rooms of live groups, and whose ghosts stand in each.
    pub fn rooms(&self) -> Result<Vec<LiveRoom>, StoreError> {
        let live = |room: RoomAddress| {
            let mut ghosts = self.hub.users_in(&room)?;
            ghosts.retain(|user| user.network() != room.network);
            let (mut admitted, mut put_out) = (Vec::new(), Vec::new());
            for user in &ghosts {
                if self.hub.is_listed(&room, user)? {
                    admitted.push(user.clone());
                } else if self.hub.is_put_out(&room, user)? {
                    put_out.push(user.clone());
                }
            }
            ghosts.retain(|user| !put_out.contains(user));
            Ok(LiveRoom { room, ghosts, admitted, put_out })
        };
        self.hub.rooms()?.into_iter().map(live).collect()
    }

    /// Decides about everything that a network handed over at once, in order.
    pub(super) fn deliver<C: Carrier>(
        &mut self,
        incoming: Vec<Incoming>,
        carrier: &C,
    ) -> Result<(), StoreError> {
        for incoming in incoming {
            match incoming {
                Incoming::Input(input) => self.decide(input)?,
                Incoming::GhostExpelled { room, ghost } => {
                    self.ghost_expelled(room, &ghost, carrier)?;
                }
            }
        }
        Ok(())
    }

    /// Decides about one input.
    pub(super) fn decide(&mut self, input: Input) -> Result<(), StoreError> {
        self.take(input).map(drop)
    }

    /// Decides about an order of the operator; say what came of it after the commit.
    pub fn order(&mut self, order: OperatorOrder) -> Result<OperatorAnswer, StoreError> {
        let answer = self.take(Input::Operator(order))?;
        answer.ok_or_else(|| StoreError("an order was not answered".to_owned()))
    }

    fn take(&mut self, input: Input) -> Result<Option<OperatorAnswer>, StoreError> {
        let now_ms = self.now_ms();
        let outcome = self.hub.handle(now_ms, input)?;
        self.revoked_changed |= outcome.revoked_changed;
        outcome.lost_rooms.iter().for_each(|room| self.drop_what_waits_in(room));
        let (entries, writes) = self.outbox.add(outcome.effects)?;
        self.batch.add(outcome.writes);
        self.batch.add(writes);
        self.fresh.extend(entries);
        Ok(outcome.operator)
    }

    /// Whether others are revoked than when this was last asked.
    pub(super) fn take_revoked_changed(&mut self) -> bool {
        std::mem::take(&mut self.revoked_changed)
    }

    /// Who is revoked, signed, for a delivery service that is another process.
    pub(super) fn signed_revoked_list(&mut self) -> Result<Vec<u8>, RevokedListError> {
        let now_ms = self.now_ms();
        self.hub.signed_revoked_list(now_ms)
    }

    /// The roots that members pin, DER.
    pub fn roots(&mut self) -> Vec<Vec<u8>> {
        let now_ms = self.now_ms();
        self.hub.roots(now_ms)
    }

    /// Notes how far a network was read.
    pub(super) fn mark(&mut self, network: Network, mark: Option<Mark>) {
        if let Some(mark) = mark {
            self.batch.add(self.marks.put(network, mark));
        }
    }

    /// Takes an entry out of the outbox.
    pub(super) fn remove(&self, number: u64) {
        self.batch.add(vec![Outbox::remove(number)]);
    }

    /// Commits all of the turn; what it decided may be carried out from now on.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.due_ms = self.hub.due_ms()?;
        // What a lane has no place for goes in the same transaction.
        for entry in std::mem::take(&mut self.fresh) {
            if let Some(number) = add(&mut self.lanes, &entry, false) {
                self.remove(number);
            }
        }
        self.batch.commit()
    }

    /// A room is lost: nothing will ever be carried out in it.
    fn drop_what_waits_in(&mut self, room: &RoomAddress) {
        let lane = (room.network, Effect::lane_of(room));
        let mut numbers = self.lanes.drop_lane(&lane);
        self.fresh.retain(|entry| {
            let stays = lane_of(entry) != lane;
            numbers.extend((!stays).then_some(entry.number));
            stays
        });
        tracing::warn!(%room, dropped = numbers.len(), "a room of a group is lost");
        numbers.into_iter().for_each(|number| self.remove(number));
    }

    /// When the hub wants [`Input::Due`], if it does.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let wait_ms = self.due_ms?.saturating_sub(self.now_ms());
        Instant::now().checked_add(Duration::from_millis(wait_ms))
    }

    /// The effect with this number.
    pub(super) fn effect(&self, number: u64) -> Result<Option<Effect>, StoreError> {
        Outbox::read(&self.batch, number)
    }

    /// A ghost's name is never parsed: whose it is, is found among those who have one here.
    fn ghost_expelled<C: Carrier>(
        &mut self,
        room: RoomAddress,
        ghost: &str,
        carrier: &C,
    ) -> Result<(), StoreError> {
        let users = self.hub.users_in(&room)?;
        let user =
            users.into_iter().find(|user| carrier.ghost(user, &room).as_deref() == Some(ghost));
        match user {
            Some(user) => self.decide(Input::Membership(Membership { room, user, listed: false })),
            None => {
                tracing::debug!(%room, ghost, "a ghost of nobody in the group was put out");
                Ok(())
            }
        }
    }

    fn now_ms(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.now_ms = self.now_ms.max(u64::try_from(now).unwrap_or(u64::MAX));
        self.now_ms
    }
}

fn lane_of(entry: &Entry) -> LaneId {
    (entry.effect.network(), entry.effect.lane())
}

/// Adds an entry to its lane; the number of the one that has no place there any more.
fn add(lanes: &mut Lanes, entry: &Entry, old: bool) -> Option<u64> {
    let expendable = matches!(entry.effect, Effect::Relay(_));
    let lane = lane_of(entry);
    let arrival = Arrival { number: entry.number, old, expendable };
    let given_up = lanes.add(lane.clone(), arrival)?;
    if given_up.first {
        tracing::warn!(
            lane = lane.1,
            LANE_ENTRIES_MAX,
            "too much waits here: the oldest messages are given up until some of it has gone"
        );
    }
    Some(given_up.number)
}
