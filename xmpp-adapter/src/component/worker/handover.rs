//! Hands things over to be stored, together where they can be, and waits until they are.

use std::collections::HashMap;

use minidom::Element;
use mls_core::hub::{Incoming, Input, Reply, ReplyTo};
use mls_core::wire::RequestId;
use mls_core::wire::refusal::Refusal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::component::{Delivery, Mark};
use crate::limits::STORE_DEADLINE;
use crate::mapping::iq;

/// What a client is told whose request could not be stored: ask again after so many milliseconds.
const NOT_STORED_RETRY_MS: u64 = 5_000;

/// Who asked, and under which id.
pub(super) type Asked = (ReplyTo, RequestId);

/// Why something was not stored.
pub(super) enum NotStored {
    /// Nobody takes anything any more.
    Closed,
    /// The caller could not store it.
    Failed {
        /// Requests, whose clients are to ask again.
        incoming: Vec<Asked>,
        /// Rooms that have to be read again after the mark that was stored last.
        rooms: Vec<(String, Option<String>)>,
    },
}

#[derive(Default)]
struct Parcel {
    incoming: Vec<Incoming>,
    /// The room that it is about, and the place in its archive behind it.
    room: Option<String>,
    mark: Option<String>,
}

/// What waits to be handed over.
pub(super) struct Handover {
    deliveries: mpsc::Sender<Delivery>,
    parcels: Vec<Parcel>,
    /// By room: the mark that was stored last.
    stored: HashMap<String, Option<String>>,
}

impl Handover {
    pub(super) fn new(deliveries: mpsc::Sender<Delivery>) -> Self {
        Self { deliveries, parcels: Vec::new(), stored: HashMap::new() }
    }

    /// The place from which a room is read, if it was not read before.
    pub(super) fn start_at(&mut self, room: &str, mark: Option<String>) {
        self.stored.entry(room.to_owned()).or_insert(mark);
    }

    /// How many things wait.
    pub(super) fn len(&self) -> usize {
        self.parcels.iter().map(|parcel| parcel.incoming.len()).sum()
    }

    /// Something that is asked again when it gets lost.
    pub(super) fn push(&mut self, incoming: Incoming) {
        let room = match &incoming {
            Incoming::Input(Input::Membership(membership)) => Some(&membership.room),
            Incoming::Input(Input::RoomLost { room }) | Incoming::GhostExpelled { room, .. } => {
                Some(room)
            }
            Incoming::Input(_) => None,
        };
        match room.map(|room| room.address.clone()) {
            Some(room) => self.push_for_room(incoming, &room),
            None => self.add(Parcel { incoming: vec![incoming], ..Parcel::default() }),
        }
    }

    /// Something about a room, which is entered again when it gets lost.
    pub(super) fn push_for_room(&mut self, incoming: Incoming, room: &str) {
        let room = Some(room.to_owned());
        self.add(Parcel { incoming: vec![incoming], room, mark: None });
    }

    /// Messages of a room, and the place in its archive behind them.
    pub(super) fn push_with_mark(
        &mut self,
        incoming: Vec<Incoming>,
        room: &str,
        mark: Option<String>,
    ) {
        self.add(Parcel { incoming, room: Some(room.to_owned()), mark });
    }

    /// One delivery has one mark, so it is about one room.
    fn add(&mut self, parcel: Parcel) {
        match self.parcels.last_mut() {
            Some(last) if last.room == parcel.room => {
                last.incoming.extend(parcel.incoming);
                last.mark = parcel.mark.or(last.mark.take());
            }
            _ => self.parcels.push(parcel),
        }
    }

    /// Hands everything over, one delivery after the other.
    pub(super) async fn flush(&mut self) -> Result<(), NotStored> {
        let mut parcels = std::mem::take(&mut self.parcels).into_iter();
        while let Some(parcel) = parcels.next() {
            let (room, mark) = (parcel.room.clone(), parcel.mark.clone());
            let requests = requests_of(&parcel.incoming);
            let (done, stored) = oneshot::channel();
            let key = room.as_ref().map(|room| format!("room:{room}"));
            let delivery = Delivery {
                incoming: parcel.incoming,
                mark: key.zip(mark.clone()).map(|(key, value)| Mark { key, value }),
                done,
            };
            if self.deliveries.send(delivery).await.is_err() {
                return Err(NotStored::Closed);
            }
            match timeout(STORE_DEADLINE, stored).await {
                Ok(Ok(())) => {
                    if let (Some(room), Some(mark)) = (room, mark) {
                        self.stored.insert(room, Some(mark));
                    }
                }
                _ => return Err(self.failed(requests, room, parcels)),
            }
        }
        Ok(())
    }

    fn failed(
        &self,
        mut incoming: Vec<Asked>,
        room: Option<String>,
        rest: impl Iterator<Item = Parcel>,
    ) -> NotStored {
        tracing::error!("what came in was not stored; it is fetched again");
        let mut rooms: Vec<String> = room.into_iter().collect();
        for parcel in rest {
            incoming.extend(requests_of(&parcel.incoming));
            rooms.extend(parcel.room);
        }
        rooms.sort();
        rooms.dedup();
        let mark = |room: String| {
            let mark = self.stored.get(&room).cloned().flatten();
            (room, mark)
        };
        NotStored::Failed { incoming, rooms: rooms.into_iter().map(mark).collect() }
    }
}

/// The answer to a request that was not stored.
pub(super) fn try_again(hub: &str, (to, id): &Asked) -> Element {
    let (ReplyTo::Jid(to) | ReplyTo::ControlRoom(to)) = to;
    let reply = Reply::Refused(Refusal::Unavailable(NOT_STORED_RETRY_MS));
    iq::answer(hub, to, id, &reply)
}

fn requests_of(incoming: &[Incoming]) -> Vec<Asked> {
    let request = |incoming: &Incoming| match incoming {
        Incoming::Input(input) => input.asker().map(|(to, id)| (to.clone(), id.clone())),
        Incoming::GhostExpelled { .. } => None,
    };
    incoming.iter().filter_map(request).collect()
}

#[cfg(test)]
mod tests {
    use mls_core::address::RoomAddress;

    use super::*;

    fn listed(room: &str) -> Incoming {
        let room = RoomAddress::xmpp(room);
        Incoming::Input(Input::Listed { room, users: Vec::new() })
    }

    #[tokio::test]
    async fn what_is_about_one_room_goes_together_with_its_last_mark() {
        let (sender, mut receiver) = mpsc::channel(8);
        let mut handover = Handover::new(sender);
        handover.push_with_mark(vec![listed("a")], "a", Some("1".into()));
        handover.push_for_room(listed("a"), "a");
        handover.push_with_mark(vec![], "a", Some("2".into()));
        handover.push_with_mark(vec![listed("b")], "b", Some("3".into()));
        let caller = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(delivery) = receiver.recv().await {
                seen.push((delivery.incoming.len(), delivery.mark.unwrap().value));
                delivery.done.send(()).unwrap();
            }
            seen
        });
        assert!(handover.flush().await.is_ok());
        drop(handover);
        assert_eq!(caller.await.unwrap(), [(2, "2".to_owned()), (1, "3".to_owned())]);
    }

    #[tokio::test]
    async fn what_was_not_stored_is_read_again_from_the_last_stored_mark() {
        let (sender, mut receiver) = mpsc::channel(8);
        let mut handover = Handover::new(sender);
        handover.start_at("a", Some("0".into()));
        handover.push_with_mark(vec![listed("a")], "a", Some("1".into()));
        handover.push_with_mark(vec![listed("b")], "b", Some("2".into()));
        let caller = tokio::spawn(async move { drop(receiver.recv().await) });
        let Err(NotStored::Failed { rooms, .. }) = handover.flush().await else {
            panic!("it says that it was stored")
        };
        assert_eq!(rooms, [("a".to_owned(), Some("0".to_owned())), ("b".to_owned(), None)]);
        caller.await.unwrap();
    }
}
