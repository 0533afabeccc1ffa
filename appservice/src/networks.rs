//! The live connections to both networks, or to the one that is configured.

use matrix_adapter::appservice::{self, Appservice, AppserviceSetup, StartError};
use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{Effect, Input, MakeRooms, RoomsMade};
use mls_core::wire::create_room::RoomCreated;
use storage::Database;
use thiserror::Error;
use tokio::sync::mpsc;
use xmpp_adapter::component::{self, Component, ComponentSetup, OpenError, RoomToJoin};
use xmpp_adapter::mapping::ghost;
use zeroize::Zeroizing;

use crate::carrier::{Carrier, Delivery, Mark};
use crate::config::{Config, Matrix, Roles, Xmpp};
use crate::limits::{DELIVERIES_WAITING_MAX, READY_POLL};
use crate::marks;
use crate::runtime::LiveRoom;

/// Both connections.
pub struct Networks {
    matrix: Option<Appservice>,
    xmpp: Option<(Component, String)>,
}

/// Why a connection cannot even begin; the operator's to mend.
#[derive(Debug, Error)]
pub enum NetworksError {
    /// The Matrix side.
    #[error("[matrix]: {0}")]
    Matrix(#[from] StartError),
    /// The XMPP side.
    #[error("[xmpp]: {0}")]
    Xmpp(#[from] OpenError),
}

impl Networks {
    /// Starts what is configured; the servers need not be there yet. `rooms` are those of live
    /// groups.
    pub async fn start(
        config: &Config,
        database: &Database,
        rooms: Vec<LiveRoom>,
        deliveries: &mpsc::Sender<Delivery>,
    ) -> Result<Self, NetworksError> {
        let mut networks = Self { matrix: None, xmpp: None };
        if let Some(matrix) = &config.matrix {
            let marked = database.clone();
            let seen = move |key: &str| marks::read(&marked, Network::Matrix, key);
            let sender = forward(Network::Matrix, deliveries.clone(), from_matrix);
            let setup = appservice_setup(matrix, &config.roles);
            networks.matrix = Some(Appservice::start(setup, Box::new(seen), sender).await?);
        }
        if let Some(xmpp) = &config.xmpp {
            let rooms = rooms_to_join(rooms, database);
            let sender = forward(Network::Xmpp, deliveries.clone(), from_xmpp);
            let started = Component::start(component_setup(xmpp), rooms, sender).await?;
            networks.xmpp = Some((started, xmpp.component.clone()));
        }
        Ok(networks)
    }

    /// Returns once every configured network has taken us.
    pub async fn wait_until_connected(&self) {
        if let Some(matrix) = &self.matrix {
            matrix.wait_for_homeserver().await;
        }
        if let Some((xmpp, _)) = &self.xmpp {
            while !xmpp.is_connected() {
                tokio::time::sleep(READY_POLL).await;
            }
        }
    }

    /// Ends both connections in good order.
    pub async fn stop(self) {
        if let Some(matrix) = self.matrix {
            matrix.stop().await;
        }
        if let Some((xmpp, _)) = self.xmpp {
            xmpp.stop().await;
        }
    }

    fn matrix(&self) -> Result<&Appservice, DeliveryError> {
        self.matrix.as_ref().ok_or_else(|| not_served(Network::Matrix))
    }

    fn xmpp(&self) -> Result<&Component, DeliveryError> {
        self.xmpp.as_ref().map(|(xmpp, _)| xmpp).ok_or_else(|| not_served(Network::Xmpp))
    }

    /// Asked again for the same job, each network gives back the room that it has made.
    async fn make_rooms(&self, make: &MakeRooms) -> Result<RoomCreated, DeliveryError> {
        let mut made = RoomCreated { matrix_room: None, muc: None };
        if make.rooms.matrix {
            made.matrix_room = Some(self.matrix()?.make_room(make).await?);
        }
        if make.rooms.xmpp {
            made.muc = Some(self.xmpp()?.make_room(make).await?);
        }
        Ok(made)
    }
}

impl Carrier for Networks {
    async fn carry_out(
        &self,
        effect: &Effect,
        tried_before: bool,
    ) -> Result<Option<Input>, DeliveryError> {
        match (effect, effect.network()) {
            (Effect::MakeRooms(make), _) => {
                let result = Ok(self.make_rooms(make).await?);
                Ok(Some(Input::RoomsMade(RoomsMade { job: make.job, result })))
            }
            (effect, Network::Matrix) => self.matrix()?.perform(effect, tried_before).await,
            (effect, Network::Xmpp) => self.xmpp()?.perform(effect, tried_before).await,
        }
    }

    fn ghost(&self, user: &UserId, room: &RoomAddress) -> Option<String> {
        if user.network() == room.network {
            return None;
        }
        match room.network {
            Network::Matrix => self.matrix.as_ref()?.ghost(user),
            Network::Xmpp => self.xmpp.as_ref().map(|(_, domain)| ghost::jid(user, domain)),
        }
    }
}

/// What the Matrix adapter needs of the configuration.
pub fn appservice_setup(config: &Matrix, roles: &Roles) -> AppserviceSetup {
    AppserviceSetup {
        listen: config.listen,
        homeserver: config.homeserver.clone(),
        server_name: config.server_name.clone(),
        as_token: Zeroizing::new(config.as_token.reveal().to_owned()),
        hs_token: Zeroizing::new(config.hs_token.reveal().to_owned()),
        sender_localpart: config.sender_localpart.clone(),
        has_rooms: !matches!(roles, Roles::Authentication(_)),
    }
}

/// What the XMPP adapter needs of the configuration.
pub fn component_setup(config: &Xmpp) -> ComponentSetup {
    ComponentSetup {
        address: config.address.clone(),
        domain: config.component.clone(),
        secret: Zeroizing::new(config.secret.reveal().to_owned()),
        muc_service: config.muc_service.clone(),
        xmpp_domain: config.domain.clone(),
    }
}

/// What was marked for each room tells from where on its archive is read.
fn rooms_to_join(rooms: Vec<LiveRoom>, database: &Database) -> Vec<RoomToJoin> {
    let mucs = rooms.into_iter().filter(|live| live.room.network == Network::Xmpp);
    mucs.map(|LiveRoom { room, ghosts, admitted, put_out }| {
        let mark = format!("room:{}", room.address);
        let stanza_id = marks::read(database, Network::Xmpp, &mark);
        RoomToJoin { muc: room.address, stanza_id, ghosts, admitted, put_out }
    })
    .collect()
}

/// Hands an adapter's deliveries on, as long as both ends are there.
fn forward<D: Send + 'static>(
    network: Network,
    deliveries: mpsc::Sender<Delivery>,
    read: fn(Network, D) -> Delivery,
) -> mpsc::Sender<D> {
    let (sender, mut receiver) = mpsc::channel(DELIVERIES_WAITING_MAX);
    tokio::spawn(async move {
        while let Some(delivery) = receiver.recv().await {
            if deliveries.send(read(network, delivery)).await.is_err() {
                return;
            }
        }
    });
    sender
}

fn from_matrix(network: Network, delivery: appservice::Delivery) -> Delivery {
    let appservice::Delivery { incoming, mark, done } = delivery;
    let mark = mark.map(|appservice::Mark { key, value }| Mark { key, value });
    Delivery { network, incoming, mark, done }
}

fn from_xmpp(network: Network, delivery: component::Delivery) -> Delivery {
    let component::Delivery { incoming, mark, done } = delivery;
    let mark = mark.map(|component::Mark { key, value }| Mark { key, value });
    Delivery { network, incoming, mark, done }
}

fn not_served(network: Network) -> DeliveryError {
    let why = format!("this mls-bridge does not serve {network} (any more): see its configuration");
    DeliveryError::Refused { why }
}
