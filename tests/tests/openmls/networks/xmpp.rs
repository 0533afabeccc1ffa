//! A device on XMPP.

use std::sync::mpsc::channel;

use mls_core::address::{RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::member::{KeyPackageUpload, OutgoingMessage};
use mls_core::seal::Sealer;
use mls_core::service::Service;
use mls_core::wire::Request;
use tests::bot::Account;
use tests::error::RigError;
use tests::prosody::HUB;
use tests::rig::Rig;
use tokio::runtime::Runtime;
use xmpp_adapter::client::{ClientSetup, Connection};

use super::line::{Line, Net};

/// The one device of each account.
const DEVICE: &str = "00000000000000a1";

/// Its connection.
pub(super) struct Xmpp {
    connection: Connection,
    runtime: Runtime,
}

/// Connects a device.
pub(super) fn line(rig: &Rig, account: &Account) -> Result<Line<Xmpp>, RigError> {
    let runtime = Runtime::new().map_err(failed)?;
    let client = UserId::xmpp(&account.address).and_then(|user| user.device(DEVICE));
    let client = client.map_err(failed)?;
    let sealer = Sealer::new(client.user(), &mls_core::crypto::Crypto::system()).map_err(failed)?;
    let setup = ClientSetup {
        jid: account.address.clone(),
        password: account.password.clone().into(),
        server: Some(rig.prosody.address()),
        device: client.device(),
        hub: HUB.to_owned(),
        sealer: sealer.clone(),
        rooms: Vec::new(),
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
    Ok(Line::new(client, Xmpp { connection, runtime }, incoming, sealer))
}

impl Net for Xmpp {
    fn request(&self, id: &str, request: &Request) -> Result<(), DeliveryError> {
        self.runtime.block_on(self.connection.request(&Service::Delivery, &id.to_owned(), request))
    }

    fn upload(
        &self,
        upload: &KeyPackageUpload,
        _sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<u32, DeliveryError> {
        self.runtime.block_on(self.connection.upload_key_packages(upload))
    }

    fn join_room(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        self.runtime.block_on(self.connection.join_room(&room.address))
    }

    fn post(&self, message: &OutgoingMessage) -> Result<(), DeliveryError> {
        self.runtime.block_on(self.connection.send(message))
    }
}

fn failed(error: impl std::fmt::Display) -> RigError {
    RigError::Answer(error.to_string())
}
