//! Posts into rooms, each once: a room keeps every copy that it is sent.

use minidom::Element;
use mls_core::delivery::DeliveryError;
use tokio::time::timeout;

use super::{Failure, Session, attr, lock};
use crate::limits::REFLECTION_DEADLINE;
use crate::mapping::Build;
use crate::mapping::stanza::bare;

/// Why a message is not in its room.
#[derive(Debug)]
pub(crate) enum PostError {
    /// The room says that we are not in it.
    NotThere { room: String },
    /// Something else.
    Other(DeliveryError),
}

impl From<Failure> for PostError {
    fn from(failure: Failure) -> Self {
        Self::Other(failure.into())
    }
}

impl Session {
    /// Posts a message that has its room in `to`, and its id, as one of our occupants. Done when
    /// the room has it. If it may have been on its way before, the room is searched for it first.
    pub(crate) async fn post_once(
        &self,
        from: &str,
        message: Element,
        tried_before: bool,
    ) -> Result<(), PostError> {
        let (room, id) = (attr(&message, "to"), attr(&message, "id"));
        self.wait_until_live(&room).await.map_err(PostError::Other)?;
        if lock(&self.0.own).was_seen(&room, &id) {
            return Ok(());
        }
        // In both cases it counts as tried from now on.
        let tried = lock(&self.0.own).was_tried(&room, &id) || tried_before;
        if tried && self.archive_has(from, &room, &id).await? {
            return Ok(());
        }
        match self.post(from, message).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(error)) if error.condition == "not-acceptable" => {
                Err(PostError::NotThere { room })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Posts and waits for the reflection: the archive's id for it, empty if the room gives none.
    async fn post(&self, from: &str, message: Element) -> Result<String, Failure> {
        let key = (attr(&message, "to"), attr(&message, "id"));
        let reflection = lock(&self.0.waiting).reflection(key.clone(), bare(from).to_owned());
        let posted = async {
            self.send(&message.with("from", from)).await?;
            let reflection = timeout(REFLECTION_DEADLINE, reflection).await;
            let reflection = reflection.map_err(|_| Failure::Timeout)?;
            reflection.map_err(|_| Failure::Offline)?.map_err(Failure::Refused)
        }
        .await;
        lock(&self.0.waiting).forget_reflection(&key);
        posted
    }
}
