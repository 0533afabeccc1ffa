//! XMPP: the marks are the rooms that we are in, and our place in each one's archive.

use std::sync::{Arc, OnceLock};

use mls_core::address::{ClientId, Network, RoomAddress};
use mls_core::delivery::DeliveryError;
use mls_core::member::Input;
use mls_core::seal::Sealer;
use mls_core::store::{Store, StoreError, Write};
use storage::Database;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xmpp_adapter::client::{Batch as XmppBatch, ClientSetup, Connection};

use super::{BATCHES_MAX, Batch, MARK, mark, put};
use crate::backoff::Backoff;
use crate::session::XmppSession;

/// Marks of rooms that we are in begin so; the room's JID follows.
const IN_ROOM: &str = "xmpp in ";
/// Marks of places in archives begin so; the room's JID follows.
const PLACE: &str = "xmpp place ";
/// Rooms that are entered at a start.
const ROOMS_MAX: usize = 10_000;

/// A connection that comes as soon as the server lets us in.
pub(crate) struct Connecting {
    connection: Arc<OnceLock<Connection>>,
    /// Why it never will.
    refused: Arc<OnceLock<DeliveryError>>,
    task: JoinHandle<()>,
}

/// What the adapter needs; without rooms for a mere login.
pub(crate) fn setup(client: &ClientId, server: &XmppSession, sealer: Sealer) -> ClientSetup {
    ClientSetup {
        jid: client.user().address(),
        password: server.password.reveal().to_owned().into(),
        server: server.server.clone(),
        device: client.device(),
        hub: server.hub.clone(),
        sealer,
        rooms: Vec::new(),
    }
}

/// Starts to connect, and tries again until the server answers.
pub(super) fn connect(
    client: &ClientId,
    server: &XmppSession,
    database: &Database,
    sealer: Sealer,
) -> Result<(Connecting, mpsc::Receiver<Batch>), StoreError> {
    let mut setup = setup(client, server, sealer);
    setup.rooms = rooms(database)?;
    let (batches, receiver) = mpsc::channel(BATCHES_MAX);
    let (connection, refused) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let task = tokio::spawn(follow(setup, batches, Arc::clone(&connection), Arc::clone(&refused)));
    Ok((Connecting { connection, refused, task }, receiver))
}

impl Connecting {
    /// The connection, once it was there; it reconnects by itself.
    pub(super) fn get(&self) -> Result<&Connection, DeliveryError> {
        let why = || "the XMPP server has not let us in yet".to_owned();
        self.connection.get().ok_or_else(|| DeliveryError::Later { after_ms: None, why: why() })
    }

    /// Takes leave. An error says why it had ended by itself.
    pub(super) async fn stop(self) -> Result<(), DeliveryError> {
        self.task.abort();
        // Cancelled, as we want it.
        let _ = self.task.await;
        if let Some(connection) = Arc::into_inner(self.connection).and_then(OnceLock::into_inner) {
            connection.stop().await;
        }
        self.refused.get().cloned().map_or(Ok(()), Err)
    }
}

/// Connects, then hands batches on until nobody takes them.
async fn follow(
    setup: ClientSetup,
    sender: mpsc::Sender<Batch>,
    place: Arc<OnceLock<Connection>>,
    refused: Arc<OnceLock<DeliveryError>>,
) {
    let mut backoff = Backoff::default();
    let (connection, mut batches) = loop {
        match Connection::connect(setup.clone()).await {
            Ok(connected) => break connected,
            Err(DeliveryError::Later { after_ms, why }) => {
                tracing::warn!(why, "not connected; it is tried again");
                tokio::time::sleep(backoff.next(after_ms)).await;
            }
            Err(error) => {
                let _ = refused.set(error);
                return;
            }
        }
    };
    // Nobody else sets it.
    let connection = place.get_or_init(|| connection);
    while let Some(batch) = batches.recv().await {
        if sender.send(translated(batch)).await.is_err() {
            return;
        }
    }
    if let Some(error) = connection.refused() {
        let _ = refused.set(error);
    }
}

/// The rooms that we were in, and where to go on in their archives.
fn rooms(database: &Database) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let entries = database.scan(MARK, IN_ROOM.as_bytes(), &[], ROOMS_MAX)?;
    let rooms = entries.iter().filter_map(|(key, _)| {
        std::str::from_utf8(key).ok()?.strip_prefix(IN_ROOM).map(str::to_owned)
    });
    rooms
        .map(|room| {
            let place = mark(database, format!("{PLACE}{room}").as_bytes())?;
            Ok((room, place))
        })
        .collect()
}

fn translated(batch: XmppBatch) -> Batch {
    let mut marks: Vec<Write> =
        batch.marks.iter().map(|(room, place)| put(format!("{PLACE}{room}"), place)).collect();
    // After the places, for who has left a room reads it from the beginning when it comes back.
    for input in &batch.inputs {
        match input {
            Input::RoomJoined(room) if room.network == Network::Xmpp => {
                marks.push(put(format!("{IN_ROOM}{}", room.address), ""));
            }
            Input::RoomLeft(room) if room.network == Network::Xmpp => {
                for begin in [IN_ROOM, PLACE] {
                    let key = format!("{begin}{}", room.address).into_bytes();
                    marks.push(Write::Delete { space: MARK, key });
                }
            }
            _ => {}
        }
    }
    let invitations = batch.invitations.into_iter();
    let invitations = invitations.map(|invitation| RoomAddress::xmpp(invitation.room)).collect();
    Batch { inputs: batch.inputs, invitations, marks, done: batch.done }
}

#[cfg(test)]
mod tests {
    use storage::Role;
    use tokio::sync::oneshot;

    use super::*;

    fn batch(inputs: Vec<Input>, marks: &[(&str, &str)]) -> Batch {
        let marks = marks.iter().map(|(room, mark)| ((*room).into(), (*mark).into())).collect();
        let (done, _) = oneshot::channel();
        translated(XmppBatch { inputs, marks, invitations: Vec::new(), done })
    }

    #[test]
    fn rooms_and_places_are_found_again_until_a_room_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("member.db");
        let database = Database::open(&file, Role::Member, None).unwrap();
        let (tea, pie) = ("tea@rooms.example.org", "pie@rooms.example.org");
        let joined = |room| Input::RoomJoined(RoomAddress::xmpp(room));
        let left = |room| Input::RoomLeft(RoomAddress::xmpp(room));
        for (inputs, marks, expected) in [
            (vec![joined(tea)], vec![], vec![(tea, None)]),
            (vec![], vec![(tea, "9")], vec![(tea, Some("9"))]),
            (vec![joined(tea)], vec![], vec![(tea, Some("9"))]),
            (vec![joined(pie)], vec![(pie, "3")], vec![(pie, Some("3")), (tea, Some("9"))]),
            (vec![left(tea)], vec![(tea, "10")], vec![(pie, Some("3"))]),
            (vec![joined(tea)], vec![], vec![(pie, Some("3")), (tea, None)]),
        ] {
            database.commit(&batch(inputs, &marks).marks).unwrap();
            let found = rooms(&database).unwrap();
            let expected = expected.into_iter();
            let expected = expected.map(|(room, mark)| (room.to_owned(), mark.map(str::to_owned)));
            assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }
}
