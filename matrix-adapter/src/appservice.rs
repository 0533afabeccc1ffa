//! The connection of the hub: an application service of a homeserver.
//!
//! What comes in arrives as [`Delivery`]s, one for each transaction of the homeserver that says
//! something to the hub: commit it with its [`Mark`], then fire `done`; only then is the
//! homeserver answered, so that a crash repeats a transaction and never loses one. What the
//! homeserver itself loses when it stops is read back from the rooms (`catch_up`). What goes out
//! is an effect of the hub at a time, under an id that stays the same.

mod binding;
mod catch_up;
mod check;
mod claim;
mod control_room;
mod ghost_account;
mod homeserver;
mod incoming;
mod intake;
mod invitation;
mod known_events;
mod list_devices;
mod make_room;
mod membership;
mod notify;
mod query_device;
mod read_back;
mod readiness;
mod registration;
mod relay;
mod server;
mod setup;
mod transaction;
mod versions;

pub use check::{Finding, check};
pub use registration::registration;
pub use setup::{AppserviceSetup, Delivery, Mark, MarkLookup, StartError};

use std::net::SocketAddr;
use std::sync::Arc;

use mls_core::address::{RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{Effect, Input, MakeRooms};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use self::catch_up::CatchUp;
use self::ghost_account::GhostAccounts;
use self::homeserver::Homeserver;
use self::intake::Intake;
use self::invitation::Invitations;
use self::relay::Algorithms;
use crate::homeserver_error::{self, refused};

/// A hub's live connection to its homeserver; dropping it ends it.
pub struct Appservice {
    homeserver: Arc<Homeserver>,
    ghosts: GhostAccounts,
    algorithms: Algorithms,
    local_address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Appservice {
    /// Listens for the homeserver's transactions; the homeserver need not be there yet. `marks`
    /// finds what was stored with earlier deliveries.
    pub async fn start(
        setup: AppserviceSetup,
        marks: MarkLookup,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Result<Self, StartError> {
        let homeserver = Arc::new(Homeserver::new(&setup)?);
        let listen = |source| StartError::Listen { address: setup.listen, source };
        let listener = TcpListener::bind(setup.listen).await.map_err(listen)?;
        let local_address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let invitations = Invitations::new(Arc::clone(&homeserver), stopped.clone());
        let intake = Intake::new(Arc::clone(&homeserver), invitations, marks, deliveries);
        let intake = Arc::new(intake);
        let app = server::router(Arc::clone(&intake), setup.hs_token);
        let server = tokio::spawn(server::serve(listener, app, stopped.clone()));
        let catch_up = CatchUp::new(Arc::clone(&homeserver), intake);
        tokio::spawn(catch_up.run(stopped));
        let ghosts = GhostAccounts::new(Arc::clone(&homeserver));
        let algorithms = Algorithms::new(Arc::clone(&homeserver));
        Ok(Self { homeserver, ghosts, algorithms, local_address, stop, server })
    }

    /// Where it listens; the port is the system's choice if `listen` named port 0.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// The hub's Matrix user id.
    pub fn user_id(&self) -> &str {
        self.homeserver.hub()
    }

    /// Returns once the homeserver knows the hub's account and its device. Waits as long as it
    /// takes.
    pub async fn wait_for_homeserver(&self) {
        readiness::wait(&self.homeserver).await;
    }

    /// Does what the hub wants done. `tried_before` says that an earlier attempt may have
    /// succeeded unseen. A result for the hub comes back as an input.
    ///
    /// `MakeRooms` concerns two networks: the runtime uses [`Appservice::make_room`].
    pub async fn perform(
        &self,
        effect: &Effect,
        tried_before: bool,
    ) -> Result<Option<Input>, DeliveryError> {
        let homeserver = &*self.homeserver;
        match effect {
            Effect::Answer(answer) => notify::answer(homeserver, answer).await?,
            Effect::Notify(notice) => notify::notify(homeserver, notice).await?,
            Effect::PostHandshake(post) => notify::post_handshake(homeserver, post).await?,
            Effect::Relay(relay) => {
                relay::relay(&self.ghosts, &self.algorithms, relay, tried_before).await?;
            }
            Effect::BindRoom(bind) => {
                binding::bind(homeserver, bind).await?;
                self.algorithms.forget(&bind.room.address);
            }
            Effect::ClaimMatrix(job) => {
                return claim::claim(homeserver, job).await.map(Input::Claimed).map(Some);
            }
            Effect::QueryDevice(job) => {
                let said = query_device::query(homeserver, job).await?;
                return Ok(Some(Input::DeviceKey(said)));
            }
            Effect::ListDevices(job) => {
                let listed = list_devices::list(homeserver, job).await?;
                return Ok(Some(Input::DevicesListed(listed)));
            }
            Effect::Admit(admit) => membership::admit(&self.ghosts, admit).await?,
            Effect::Expel(expel) => membership::expel(&self.ghosts, expel).await?,
            Effect::MakeRooms(_) => {
                return Err(refused("rooms are made network by network".to_owned()));
            }
        }
        Ok(None)
    }

    /// Makes the Matrix room of a new group, and lets its creator in; asked again for the same
    /// job, it gives back the same room.
    pub async fn make_room(&self, make: &MakeRooms) -> Result<String, DeliveryError> {
        make_room::make_room(&self.ghosts, make).await
    }

    /// The list of a room (who is joined or invited, without ghosts and the hub), as an input.
    pub async fn list_room(&self, room: &RoomAddress) -> Result<Input, DeliveryError> {
        membership::list(&self.homeserver, room).await
    }

    /// The Matrix user id of the ghost of an account of the other network.
    pub fn ghost(&self, user: &UserId) -> Option<String> {
        self.homeserver.ghost(user)
    }

    /// Stops listening, and waits until the transactions under way are answered.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if (&mut self.server).await.is_err() {
            tracing::warn!("the listener for the homeserver had ended badly");
        }
    }
}

impl Drop for Appservice {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.server.abort();
    }
}
