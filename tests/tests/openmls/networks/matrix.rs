//! A device on Matrix.

use std::sync::mpsc::channel;

use matrix_adapter::client::{ClientSetup, Connection, LoginRequest, log_in};
use mls_core::address::{RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::member::{KeyPackageUpload, OutgoingMessage};
use mls_core::seal::Sealer;
use mls_core::service::Service;
use mls_core::wire::Request;
use tests::bot::Account;
use tests::error::RigError;
use tests::rig::Rig;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::line::{Line, Net};

/// Its connection.
pub(super) struct Matrix {
    connection: Connection,
    runtime: Runtime,
}

/// Logs a new device in and connects it.
pub(super) fn line(rig: &Rig, account: &Account) -> Result<Line<Matrix>, RigError> {
    let runtime = Runtime::new().map_err(failed)?;
    let request = LoginRequest {
        homeserver: rig.synapse.url().parse().map_err(failed)?,
        user: account.address.clone(),
        password: Zeroizing::new(account.password.clone()),
        device_name: "OpenMLS".to_owned(),
    };
    let session = runtime.block_on(log_in(request)).map_err(failed)?;
    let user = UserId::matrix(&session.user_id).map_err(failed)?;
    let client = user.device(&session.device_id).map_err(failed)?;
    let hub = format!("@mls:{}", user.domain());
    let sealer = Sealer::new(client.user(), &mls_core::crypto::Crypto::system()).map_err(failed)?;
    let setup = ClientSetup {
        session,
        hub,
        sealer: sealer.clone(),
        since: None,
        control_room: None,
        authority_room: None,
    };
    let (connection, mut batches) = runtime.block_on(Connection::connect(setup)).map_err(failed)?;
    let (sender, incoming) = channel();
    runtime.spawn(async move {
        while let Some(batch) = batches.recv().await {
            if batch.inputs.into_iter().any(|input| sender.send(input).is_err()) {
                return;
            }
            // The connection has ended when nobody waits for it.
            let _ = batch.done.send(());
        }
    });
    Ok(Line::new(client, Matrix { connection, runtime }, incoming, sealer))
}

impl Net for Matrix {
    fn request(&self, id: &str, request: &Request) -> Result<(), DeliveryError> {
        self.runtime.block_on(self.connection.request(&Service::Delivery, &id.to_owned(), request))
    }

    fn upload(
        &self,
        upload: &KeyPackageUpload,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<u32, DeliveryError> {
        self.runtime.block_on(self.connection.upload_key_packages(upload, sign))
    }

    fn join_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        self.runtime.block_on(self.connection.join_room(room))
    }

    fn post(&self, message: &OutgoingMessage) -> Result<(), DeliveryError> {
        self.runtime.block_on(self.connection.send(message))
    }
}

fn failed(error: impl std::fmt::Display) -> RigError {
    RigError::Answer(error.to_string())
}
