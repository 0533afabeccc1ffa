//! The one way of events to the hub, whether the homeserver sent them or we read them back: each
//! event counts once, and is stored before it counts.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mls_core::address::RoomAddress;
use mls_core::delivery::DeliveryError;
use mls_core::hub::{Incoming, Input};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::control_room::ControlRooms;
use super::homeserver::Homeserver;
use super::incoming::EventReader;
use super::invitation::{Answering, Invitations};
use super::known_events::KnownEvents;
use super::membership;
use super::setup::{Delivery, Mark, MarkLookup};
use crate::mapping::room_event::RoomEvent;

/// How long the runtime may take to store what came. Below the homeserver's own patience of
/// 60 seconds, so that it hears of it.
const STORE_DEADLINE: Duration = Duration::from_secs(50);
/// Rooms of which it is remembered that something was heard.
const ROOMS_HEARD_MAX: usize = 10_000;

/// Takes events in, one batch at a time.
pub(super) struct Intake {
    homeserver: Arc<Homeserver>,
    reader: EventReader,
    marks: MarkLookup,
    deliveries: mpsc::Sender<Delivery>,
    taken: Mutex<Taken>,
}

/// What was taken in so far.
#[derive(Default)]
struct Taken {
    events: KnownEvents,
    /// Rooms that the homeserver sent something of since they were last read back.
    rooms_heard: HashSet<String>,
}

/// Why nothing was taken in; it is to come again.
#[derive(Debug, Error)]
pub(super) enum IntakeError {
    /// The homeserver could not be asked what must be known.
    #[error(transparent)]
    Homeserver(#[from] DeliveryError),
    /// We are stopping, or the database did not take it.
    #[error("{0}")]
    NotStored(&'static str),
}

impl Intake {
    /// Hands what it takes to `deliveries`; `marks` finds what was stored with it.
    pub(super) fn new(
        homeserver: Arc<Homeserver>,
        invitations: Invitations,
        marks: MarkLookup,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Self {
        let control_rooms = ControlRooms::new(Arc::clone(&homeserver));
        let reader = EventReader::new(Arc::clone(&homeserver), control_rooms, invitations);
        Self { homeserver, reader, marks, deliveries, taken: Mutex::default() }
    }

    /// The value of a stored mark.
    pub(super) fn mark(&self, key: &str) -> Option<String> {
        (self.marks)(key)
    }

    /// What the homeserver sent, in its order. `mark` is stored with it; a batch whose mark is
    /// stored already is passed over.
    pub(super) async fn sent(&self, events: &[&str], mark: Mark) -> Result<(), IntakeError> {
        for invitation in self.take(events, mark).await? {
            invitation.wait().await;
        }
        Ok(())
    }

    async fn take(&self, events: &[&str], mark: Mark) -> Result<Vec<Answering>, IntakeError> {
        // A repeat may come while the first is still under way.
        let mut taken = self.taken.lock().await;
        if self.mark(&mark.key).as_deref() == Some(&*mark.value) {
            return Ok(Vec::new());
        }
        let (mut incoming, mut fresh, mut answering) = (Vec::new(), Vec::new(), Vec::new());
        for event in events.iter().filter_map(|event| parse(event)) {
            if !self.reader.heeds(&event) || taken.events.contains(&event.event_id) {
                continue;
            }
            fresh.push((event.event_id.clone(), event.room_id.clone()));
            answering.extend(self.reader.invitation(&event));
            incoming.extend(self.reader.read(event).await?);
        }
        // Without anything for the hub there is nothing to store, and a repeat does no harm.
        if !incoming.is_empty() {
            self.store(incoming, mark).await?;
        }
        for (event, room) in fresh {
            taken.events.insert(&event);
            if taken.rooms_heard.len() < ROOMS_HEARD_MAX {
                taken.rooms_heard.insert(room);
            }
        }
        Ok(answering)
    }

    /// What we read back from a room, the oldest first; what was sent before counts no more.
    /// `mark` is stored with it. Returns how many events had been missed.
    pub(super) async fn read_back(
        &self,
        room: &str,
        events: Vec<RoomEvent>,
        mark: Mark,
    ) -> Result<usize, IntakeError> {
        let mut taken = self.taken.lock().await;
        let (mut incoming, mut missed, mut list_changed) = (Vec::new(), Vec::new(), false);
        for event in events {
            // Its own way into the room is behind the hub.
            let own = event.state_key.as_deref() == Some(self.homeserver.hub());
            if own || !self.reader.heeds(&event) || taken.events.contains(&event.event_id) {
                continue;
            }
            missed.push(event.event_id.clone());
            match self.reader.read(event).await? {
                // A change of long ago may not undo a later one: the list as it is now counts.
                Some(Incoming::Input(Input::Membership(_))) => list_changed = true,
                read => incoming.extend(read),
            }
        }
        if list_changed {
            let list = membership::list(&self.homeserver, &RoomAddress::matrix(room)).await?;
            incoming.push(Incoming::Input(list));
        }
        if !incoming.is_empty() || self.mark(&mark.key).as_deref() != Some(&*mark.value) {
            self.store(incoming, mark).await?;
        }
        missed.iter().for_each(|event| taken.events.insert(event));
        Ok(missed.len())
    }

    /// Rooms that the homeserver sent something of since this was last asked.
    pub(super) async fn rooms_heard(&self) -> HashSet<String> {
        std::mem::take(&mut self.taken.lock().await.rooms_heard)
    }

    /// Returns once the runtime has stored it.
    async fn store(&self, incoming: Vec<Incoming>, mark: Mark) -> Result<(), IntakeError> {
        let (done, stored) = oneshot::channel();
        let delivery = Delivery { incoming, mark: Some(mark), done };
        let delivered = async {
            let sent = self.deliveries.send(delivery).await;
            sent.map_err(|_| IntakeError::NotStored("we are stopping"))?;
            stored.await.map_err(|_| IntakeError::NotStored("the database did not take it"))
        };
        let in_time = tokio::time::timeout(STORE_DEADLINE, delivered).await;
        in_time.map_err(|_| IntakeError::NotStored("the database takes too long"))?
    }
}

/// An event, unless it is malformed: that is logged, and takes no other with it.
fn parse(event: &str) -> Option<RoomEvent> {
    serde_json::from_str(event)
        .inspect_err(|error| tracing::warn!(%error, "a malformed event is passed over"))
        .ok()
}
