//! Into rooms and out of them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mls_core::address::RoomAddress;
use mls_core::member::{Confirmation, Input};
use tokio::time::timeout;

use super::{Report, Work, insist};
use crate::backoff::Backoff;
use crate::network::Network;

/// A room that refuses to be entered is tried so often, over about half a minute.
const ENTER_ATTEMPTS: u32 = 7;

/// Entering or leaving a room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RoomTask {
    /// The room.
    pub(crate) room: RoomAddress,
    /// In or out.
    pub(crate) enter: bool,
    /// Whether the member asked, or an invitation was accepted.
    pub(crate) invited: bool,
}

impl Work {
    /// Enters the room of an invitation, for as long as `patience` lasts; then it is declined.
    pub(crate) fn accept(&mut self, room: RoomAddress, patience: Duration) {
        let (network, invited) = (Arc::clone(&self.network), room.clone());
        self.room(RoomTask { room, enter: true, invited: true }, async move {
            if let Ok(joined) = timeout(patience, enter(&network, &invited)).await {
                return joined;
            }
            // So that the connection does not go on alone.
            if let Err(error) = network.leave_room(&invited).await {
                tracing::info!(room = invited.address, %error, "an invitation is not declined");
            }
            Err("the invitation has waited too long".to_owned())
        });
    }

    /// Enters a room of which the member is sure.
    pub(crate) fn enter(&mut self, room: RoomAddress) {
        let (network, known) = (Arc::clone(&self.network), room.clone());
        let task = RoomTask { room, enter: true, invited: false };
        self.room(task, async move { enter(&network, &known).await });
    }

    /// Leaves a room.
    pub(crate) fn leave(&mut self, room: RoomAddress) {
        let (network, left) = (Arc::clone(&self.network), room.clone());
        self.room(RoomTask { room, enter: false, invited: false }, async move {
            insist("a room to leave", || network.leave_room(&left)).await
        });
    }

    /// What is going on already is left.
    fn room(
        &mut self,
        task: RoomTask,
        work: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        if self.rooms.insert(task.clone()) {
            self.spawn(async move { Report::Room(task, work.await) });
        }
    }

    /// A room was entered or left: what the member is to be told.
    pub(crate) fn room_done(&mut self, task: &RoomTask, result: Result<(), String>) -> Vec<Input> {
        self.rooms.remove(task);
        let room = &task.room;
        let mut inputs = Vec::new();
        if !task.invited {
            inputs.push(Input::Confirmed(Confirmation::Room(room.clone(), result.clone())));
        }
        match result {
            Ok(()) if task.enter => inputs.push(Input::RoomJoined(room.clone())),
            Ok(()) => inputs.push(Input::RoomLeft(room.clone())),
            Err(why) => tracing::warn!(room = room.address, why, "the room stays as it is"),
        }
        inputs
    }
}

/// Enters a room. It may refuse at first: a Welcome comes before the invitation, and an invitation over federation
/// before the homeserver of the room has stored it.
async fn enter(network: &Network, room: &RoomAddress) -> Result<(), String> {
    let mut backoff = Backoff::default();
    for _ in 1..ENTER_ATTEMPTS {
        if insist("a room to enter", || network.join_room(room)).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(backoff.next(None)).await;
    }
    insist("a room to enter", || network.join_room(room)).await
}
