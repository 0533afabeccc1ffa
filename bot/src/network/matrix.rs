//! Matrix: the marks are the sync token and the control rooms.

use matrix_adapter::client::{Batch as MatrixBatch, ClientSetup, Connection, Session};
use matrix_adapter::mapping::device_keys::UnsignedDeviceKeys;
use mls_core::address::ClientId;
use mls_core::member::KeyPackageUpload;
use mls_core::seal::Sealer;
use storage::Database;
use tokio::sync::mpsc;

use super::{BATCHES_MAX, Batch, mark, put};
use crate::handle::BotError;
use crate::session::MatrixSession;

const SINCE: &[u8] = b"matrix since";
const CONTROL_ROOM: &[u8] = b"matrix control room";
const AUTHORITY_ROOM: &[u8] = b"matrix control room of the authority";

/// Starts to follow the account's rooms, also while the homeserver is away.
pub(super) async fn connect(
    client: &ClientId,
    server: &MatrixSession,
    database: &Database,
    sealer: Sealer,
) -> Result<(Connection, mpsc::Receiver<Batch>), BotError> {
    let setup = ClientSetup {
        session: Session {
            homeserver: server.homeserver.clone(),
            user_id: client.user().address(),
            device_id: client.device(),
            access_token: server.access_token.reveal().to_owned().into(),
        },
        hub: server.hub.clone(),
        sealer,
        since: mark(database, SINCE)?,
        control_room: mark(database, CONTROL_ROOM)?,
        authority_room: mark(database, AUTHORITY_ROOM)?,
    };
    let (connection, mut batches) = Connection::connect(setup).await.map_err(BotError::Connect)?;
    let (sender, receiver) = mpsc::channel(BATCHES_MAX);
    tokio::spawn(async move {
        while let Some(batch) = batches.recv().await {
            if sender.send(translated(batch)).await.is_err() {
                return;
            }
        }
    });
    Ok((connection, receiver))
}

/// The device keys, as they are signed (Matrix appendices, "Signing JSON").
pub(super) fn announcement(
    client: &ClientId,
    upload: &KeyPackageUpload,
) -> Result<Vec<u8>, String> {
    let (user, device) = (client.user().address(), client.device());
    let keys = UnsignedDeviceKeys::new(&user, &device, &upload.suites, &upload.signature_key);
    keys.and_then(|keys| keys.to_be_signed()).map_err(|e| e.to_string())
}

fn translated(batch: MatrixBatch) -> Batch {
    let mut marks = vec![put(SINCE, &batch.since)];
    marks.extend(batch.control_room.map(|room| put(CONTROL_ROOM, &room)));
    marks.extend(batch.authority_room.map(|room| put(AUTHORITY_ROOM, &room)));
    Batch { inputs: batch.inputs, invitations: batch.invitations, marks, done: batch.done }
}
