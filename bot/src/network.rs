//! The connection of either network behind one set of methods, and what it hands out.

use matrix_adapter::mapping::device_keys::UnsignedDeviceKeys;
use mls_core::address::{ClientId, RoomAddress};
use mls_core::delivery::DeliveryError;
use mls_core::member::{Input, KeyPackageUpload, Member, OutgoingMessage};
use mls_core::store::{Space, Store, StoreError, Write};
use mls_core::wire::Request;
use storage::Database;
use tokio::sync::{mpsc, oneshot};

use crate::handle::BotError;
use crate::session::{Server, Session};

#[cfg(test)]
pub(crate) mod fake;

/// Where the networks are to go on after a restart.
const MARK: Space = "mark";
const SINCE: &[u8] = b"matrix since";
const CONTROL_ROOM: &[u8] = b"matrix control room";
/// Batches that wait; each waits until it is done with anyway.
const BATCHES_MAX: usize = 1;

/// A live connection.
pub(crate) enum Network {
    /// To a Matrix homeserver.
    Matrix(matrix_adapter::client::Connection),
    /// To nobody.
    #[cfg(test)]
    Fake(fake::FakeNetwork),
}

/// What a network brought.
#[derive(Debug)]
pub(crate) struct Batch {
    /// What happened, in order.
    pub(crate) inputs: Vec<Input>,
    /// Rooms that this account is invited to.
    pub(crate) invitations: Vec<RoomAddress>,
    /// That it came: to be committed with what the inputs changed.
    pub(crate) marks: Vec<Write>,
    /// To be fired after that; the next batch waits for it.
    pub(crate) done: oneshot::Sender<()>,
}

impl Network {
    /// Starts to connect, from the marks in the database.
    pub(crate) async fn connect(
        session: &Session,
        database: &Database,
        member: &Member,
    ) -> Result<(Self, mpsc::Receiver<Batch>), BotError> {
        match &session.server {
            Server::Matrix(server) => {
                let user = session.client().user().address();
                let setup = matrix_adapter::client::ClientSetup {
                    session: matrix_adapter::client::Session {
                        homeserver: server.homeserver.clone(),
                        user_id: user,
                        device_id: session.client().device(),
                        access_token: server.access_token.reveal().to_owned().into(),
                    },
                    hub: server.hub.clone(),
                    since: mark(database, SINCE)?,
                    control_room: mark(database, CONTROL_ROOM)?,
                };
                let connected = matrix_adapter::client::Connection::connect(setup).await;
                let (connection, batches) = connected.map_err(BotError::Connect)?;
                Ok((Self::Matrix(connection), translated(batches, matrix_batch)))
            }
        }
    }

    /// Puts a request to the hub; the answer comes in a batch.
    pub(crate) async fn request(&self, id: &str, request: &Request) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.request(&id.to_owned(), request).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("request {id}")),
        }
    }

    /// Posts a message into its room.
    pub(crate) async fn send(&self, message: &OutgoingMessage) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.send(message).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("send {:?} {}", message.room, message.epoch)),
        }
    }

    /// What the member must sign to announce its device with key packages, where its network
    /// wants that.
    pub(crate) fn announcement(
        &self,
        client: &ClientId,
        upload: &KeyPackageUpload,
    ) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Matrix(_) => {
                let (user, device) = (client.user().address(), client.device());
                let (suite, key) = (upload.suite, &upload.signature_key);
                let keys = UnsignedDeviceKeys::new(&user, &device, suite, key);
                let bytes = keys.and_then(|keys| keys.to_be_signed());
                bytes.map(Some).map_err(|e| e.to_string())
            }
            #[cfg(test)]
            Self::Fake(_) => Ok(None),
        }
    }

    /// Publishes key packages; how many one-time ones there are now. `signature` is the member's
    /// over [`Network::announcement`].
    pub(crate) async fn upload_key_packages(
        &self,
        upload: &KeyPackageUpload,
        signature: &[u8],
    ) -> Result<u32, DeliveryError> {
        match self {
            Self::Matrix(connection) => {
                connection.upload_key_packages(upload, |_| Ok(signature.to_vec())).await
            }
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("upload {}", upload.id)).map(|()| 100),
        }
    }

    /// Accepts the invitation to a room, or enters it.
    pub(crate) async fn join_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.join_room(room).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("join {room:?}")),
        }
    }

    /// Leaves a room.
    pub(crate) async fn leave_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.leave_room(room).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("leave {room:?}")),
        }
    }

    /// Takes leave. An error says why the connection had ended by itself.
    pub(crate) async fn stop(self) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.stop().await,
            #[cfg(test)]
            Self::Fake(_) => Ok(()),
        }
    }
}

fn matrix_batch(batch: matrix_adapter::client::Batch) -> Batch {
    let mut marks = vec![put(SINCE, &batch.since)];
    marks.extend(batch.control_room.map(|room| put(CONTROL_ROOM, &room)));
    Batch { inputs: batch.inputs, invitations: batch.invitations, marks, done: batch.done }
}

/// The same batches in our form. The channel ends when theirs does.
fn translated<T: Send + 'static>(
    mut batches: mpsc::Receiver<T>,
    translate: fn(T) -> Batch,
) -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(BATCHES_MAX);
    tokio::spawn(async move {
        while let Some(batch) = batches.recv().await {
            if sender.send(translate(batch)).await.is_err() {
                return;
            }
        }
    });
    receiver
}

fn put(key: &[u8], value: &str) -> Write {
    Write::Put { space: MARK, key: key.to_vec(), value: value.as_bytes().to_vec().into() }
}

fn mark(database: &Database, key: &[u8]) -> Result<Option<String>, StoreError> {
    let value = database.get(MARK, key)?;
    Ok(value.and_then(|value| String::from_utf8(value.to_vec()).ok()))
}
