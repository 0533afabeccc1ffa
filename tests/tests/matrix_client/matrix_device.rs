//! A device that is nothing but its Matrix connection: it keeps what a member's database keeps.

use matrix_adapter::client::{Batch, ClientSetup, Connection, LoginRequest, Session, log_in};
use mls_core::address::UserId;
use mls_core::member::Input;
use mls_core::seal::Sealer;
use mls_core::service::Service;
use mls_core::wire::{Request, RequestId};
use tests::bot::Account;
use tests::deadline::STEP;
use tests::error::RigError;
use tests::rig::Rig;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use zeroize::Zeroizing;

/// One device, connected or not.
pub(crate) struct Device {
    /// What the next connection starts from.
    pub(crate) setup: ClientSetup,
    session: Session,
    runtime: Runtime,
    live: Option<(Connection, Receiver<Batch>)>,
}

fn failed(error: impl std::fmt::Display) -> RigError {
    RigError::Answer(error.to_string())
}

impl Device {
    /// A new device of an account, which believes `hub`.
    pub(crate) fn log_in(rig: &Rig, account: &Account, hub: &str) -> Result<Self, RigError> {
        let runtime = Runtime::new().map_err(failed)?;
        let request = LoginRequest {
            homeserver: rig.synapse.url().parse().map_err(failed)?,
            user: account.address.clone(),
            password: Zeroizing::new(account.password.clone()),
            device_name: "test".to_owned(),
        };
        let session = runtime.block_on(log_in(request)).map_err(failed)?;
        let setup = ClientSetup {
            session: session.clone(),
            hub: hub.to_owned(),
            sealer: Sealer::new(
                UserId::matrix(&session.user_id).map_err(failed)?,
                &mls_core::crypto::Crypto::system(),
            )
            .map_err(failed)?,
            since: None,
            control_room: None,
            authority_room: None,
        };
        Ok(Self { setup, session, runtime, live: None })
    }

    /// Connects, from where the last connection ended.
    pub(crate) fn connect(&mut self) -> Result<(), RigError> {
        let setup = ClientSetup {
            session: self.session.clone(),
            hub: self.setup.hub.clone(),
            sealer: self.setup.sealer.clone(),
            since: self.setup.since.clone(),
            control_room: self.setup.control_room.clone(),
            authority_room: None,
        };
        self.live = Some(self.runtime.block_on(Connection::connect(setup)).map_err(failed)?);
        Ok(())
    }

    /// Ends the connection.
    pub(crate) fn stop(&mut self) -> Result<(), RigError> {
        match self.live.take() {
            Some((connection, _)) => self.runtime.block_on(connection.stop()).map_err(failed),
            None => Ok(()),
        }
    }

    /// Puts a request.
    pub(crate) fn request(
        &self,
        to: Service,
        id: &RequestId,
        request: &Request,
    ) -> Result<(), RigError> {
        let (connection, _) = self.live.as_ref().ok_or_else(|| failed("not connected"))?;
        self.runtime.block_on(connection.request(&to, id, request)).map_err(failed)
    }

    /// Takes batches until `enough` of their inputs are there.
    pub(crate) fn read_until(
        &mut self,
        enough: impl Fn(&[Input]) -> bool,
    ) -> Result<Vec<Input>, RigError> {
        let (_, batches) = self.live.as_mut().ok_or_else(|| failed("not connected"))?;
        let setup = &mut self.setup;
        self.runtime.block_on(async {
            let mut inputs = Vec::new();
            while !enough(&inputs) {
                let batch = tokio::time::timeout(STEP, batches.recv()).await.map_err(failed)?;
                let batch = batch.ok_or_else(|| failed("the connection ended"))?;
                inputs.extend(batch.inputs);
                setup.since = Some(batch.since);
                setup.control_room = batch.control_room.or(setup.control_room.take());
                batch.done.send(()).map_err(|()| failed("nobody waits for the batch"))?;
            }
            Ok(inputs)
        })
    }
}
