//! The connection of either network behind one set of methods, and what it hands out.

mod matrix;
mod xmpp;

#[cfg(test)]
pub(crate) mod fake;

use mls_core::address::{ClientId, RoomAddress};
use mls_core::delivery::DeliveryError;
use mls_core::member::{Input, KeyPackageUpload, OutgoingMessage};
use mls_core::seal::Sealer;
use mls_core::service::Service;
use mls_core::store::{Space, Store, StoreError, Write};
use mls_core::wire::Request;
use storage::Database;
use tokio::sync::{mpsc, oneshot};

use crate::handle::BotError;
use crate::session::{Server, Session};

pub(crate) use xmpp::setup as xmpp_setup;

/// Where the networks are to go on after a restart.
const MARK: Space = "mark";
/// Batches that wait; each waits until it is done with anyway.
const BATCHES_MAX: usize = 1;

/// A connection, which is there or will be.
pub(crate) enum Network {
    /// To a Matrix homeserver.
    Matrix(matrix_adapter::client::Connection),
    /// To an XMPP server.
    Xmpp(xmpp::Connecting),
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
    /// Starts to connect, from the marks in the database; requests go through the member's sealer. The batches end when the server has
    /// ended the session for good.
    pub(crate) async fn connect(
        session: &Session,
        database: &Database,
        sealer: Sealer,
    ) -> Result<(Self, mpsc::Receiver<Batch>), BotError> {
        match &session.server {
            Server::Matrix(server) => {
                let (connection, batches) =
                    matrix::connect(session.client(), server, database, sealer).await?;
                Ok((Self::Matrix(connection), batches))
            }
            Server::Xmpp(server) => {
                let (connecting, batches) =
                    xmpp::connect(session.client(), server, database, sealer)?;
                Ok((Self::Xmpp(connecting), batches))
            }
        }
    }

    /// Puts a request to a service; the answer comes in a batch.
    pub(crate) async fn request(
        &self,
        to: &Service,
        id: &str,
        request: &Request,
    ) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.request(to, &id.to_owned(), request).await,
            Self::Xmpp(connecting) => connecting.get()?.request(to, &id.to_owned(), request).await,
            #[cfg(test)]
            Self::Fake(fake) => match to {
                Service::Delivery => fake.call(format!("request {id}")),
                Service::Authentication => fake.call(format!("request {id} of the authority")),
                Service::OtherHub(at) => fake.call(format!("request {id} of {at}")),
            },
        }
    }

    /// Whether a request or its answer is lost with the connection. Rooms keep both; and what is
    /// put into them again counts against the homeserver's limits.
    pub(crate) fn loses_requests(&self) -> bool {
        !matches!(self, Self::Matrix(_))
    }

    /// Posts a message into its room; `again` where a former process may have done so.
    pub(crate) async fn send(
        &self,
        message: &OutgoingMessage,
        again: bool,
    ) -> Result<(), DeliveryError> {
        match self {
            // The transaction id tells a repeat.
            Self::Matrix(connection) => connection.send(message).await,
            Self::Xmpp(connecting) if again => connecting.get()?.send_again(message).await,
            Self::Xmpp(connecting) => connecting.get()?.send(message).await,
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
            Self::Matrix(_) => matrix::announcement(client, upload).map(Some),
            Self::Xmpp(_) => Ok(None),
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
            Self::Xmpp(connecting) => connecting.get()?.upload_key_packages(upload).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("upload {}", upload.id)).map(|()| 100),
        }
    }

    /// Accepts the invitation to a room, or enters it.
    pub(crate) async fn join_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.join_room(room).await,
            Self::Xmpp(connecting) => connecting.get()?.join_room(&room.address).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("join {room:?}")),
        }
    }

    /// Leaves a room.
    pub(crate) async fn leave_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.leave_room(room).await,
            Self::Xmpp(connecting) => connecting.get()?.leave_room(&room.address).await,
            #[cfg(test)]
            Self::Fake(fake) => fake.call(format!("leave {room:?}")),
        }
    }

    /// Takes leave. An error says why the connection had ended by itself.
    pub(crate) async fn stop(self) -> Result<(), DeliveryError> {
        match self {
            Self::Matrix(connection) => connection.stop().await,
            Self::Xmpp(connecting) => connecting.stop().await,
            #[cfg(test)]
            Self::Fake(_) => Ok(()),
        }
    }
}

fn put(key: impl Into<Vec<u8>>, value: &str) -> Write {
    Write::Put { space: MARK, key: key.into(), value: value.as_bytes().to_vec().into() }
}

fn mark(database: &Database, key: &[u8]) -> Result<Option<String>, StoreError> {
    let value = database.get(MARK, key)?;
    Ok(value.and_then(|value| String::from_utf8(value.to_vec()).ok()))
}
