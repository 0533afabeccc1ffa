//! Reading back what the homeserver forgot to send.
//!
//! Synapse keeps the events for an application service in memory while the transaction before
//! them is under way, and has noted already that it dealt with them: what waits there when it
//! stops, however it stops, is never sent (tried). So the end of each room is read back and
//! compared with what came: of all rooms when we start and whenever the homeserver was away, of
//! those that something came from once a minute. How far a room was read is kept under a mark
//! of its own. It also serves what came while we were away, long before the homeserver, which
//! waits up to minutes between two attempts, sends it again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::HomeserverError;
use super::intake::{Intake, IntakeError};
use super::read_back::RoomEnd;
use super::setup::Mark;
use super::versions::versions;

/// How often we look whether the homeserver is there: it takes longer than this to start.
const PULSE: Duration = Duration::from_secs(2);
/// How often rooms are read back that something came from: for a homeserver whose end we missed.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Rooms that are read at the same time.
const ROOMS_AT_ONCE: usize = 4;

/// Reads rooms back, beside the transactions.
pub(super) struct CatchUp {
    homeserver: Arc<Homeserver>,
    intake: Arc<Intake>,
    /// Whether the homeserver was away since all rooms were listed.
    was_away: bool,
    looked: Instant,
    /// Rooms that are still to be read.
    rooms: BTreeSet<String>,
}

impl CatchUp {
    /// With every room still to be read.
    pub(super) fn new(homeserver: Arc<Homeserver>, intake: Arc<Intake>) -> Self {
        let (looked, rooms) = (Instant::now(), BTreeSet::new());
        Self { homeserver, intake, was_away: true, looked, rooms }
    }

    /// Goes on until stopped.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // An error means that nobody can stop us any more: then it is time, too.
                _ = stopped.wait_for(|stop| *stop) => return,
                () = async { pulse.tick().await; self.look().await } => {}
            }
        }
    }

    async fn look(&mut self) {
        if let Err(error) = self.find_rooms().await {
            return self.note_away(&error);
        }
        let rooms = std::mem::take(&mut self.rooms);
        let this = &*self;
        let read = |room: String| async move { this.read(&room).await.map_err(|e| (room, e)) };
        let read = stream::iter(rooms).map(read).buffer_unordered(ROOMS_AT_ONCE);
        let failed: Vec<_> = read.filter_map(|read| std::future::ready(read.err())).collect().await;
        for (room, error) in failed {
            match error {
                // What was read before it went may have been read too early.
                ReadError::Homeserver(error @ HomeserverError::Unreachable(_)) => {
                    self.note_away(&error);
                }
                error => tracing::warn!(room, %error, "a room is not read back yet"),
            }
            self.rooms.insert(room);
        }
    }

    fn note_away(&mut self, error: &HomeserverError) {
        if !std::mem::replace(&mut self.was_away, true) {
            tracing::warn!(%error, "the homeserver is away: its rooms are read back later");
        }
    }

    /// Adds the rooms that are to be read now.
    async fn find_rooms(&mut self) -> Result<(), HomeserverError> {
        versions(&self.homeserver).await?;
        if self.was_away {
            self.rooms.extend(joined_rooms(&self.homeserver).await?);
            self.was_away = false;
        } else if self.looked.elapsed() >= LOOK_AGAIN {
            self.rooms.extend(self.intake.rooms_heard().await);
            self.looked = Instant::now();
        }
        Ok(())
    }

    /// Reads one room back, page by page; an error means that it is to be read again.
    async fn read(&self, room: &str) -> Result<(), ReadError> {
        let key = format!("room:{room}");
        let after = self.intake.mark(&key);
        let mut missed = 0;
        let mut end = match RoomEnd::find(&self.homeserver, room, after.as_deref()).await {
            // We were put out of it meanwhile.
            Err(error) if error.is_no() => return Ok(()),
            found => found?,
        };
        while let Some(events) = end.next().await? {
            let Some(last) = events.last() else { continue };
            let mark = Mark { key: key.clone(), value: last.event_id.clone() };
            missed += self.intake.read_back(room, events, mark).await?;
        }
        if missed > 0 {
            tracing::info!(room, missed, "events were read back");
        }
        Ok(())
    }
}

/// Why a room is not read back yet.
#[derive(Debug, Error)]
enum ReadError {
    #[error(transparent)]
    Homeserver(#[from] HomeserverError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// The rooms that the hub is in.
async fn joined_rooms(homeserver: &Homeserver) -> Result<Vec<String>, HomeserverError> {
    let path = ["_matrix", "client", "v3", "joined_rooms"];
    let request = HomeserverRequest::new(Method::GET, &path).by_account(homeserver.hub());
    let answer = homeserver.send(request).await?;
    let rooms = answer.get("joined_rooms").and_then(Value::as_array).into_iter().flatten();
    Ok(rooms.filter_map(|room| room.as_str().map(str::to_owned)).collect())
}
