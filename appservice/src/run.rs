//! `mls-bridge run`: connects everything, serves until a signal, stops in order.

use std::path::PathBuf;
use std::sync::Arc;

use mls_core::hub::{self, HubSetup};
use mls_core::store::StoreError;
use storage::{Database, OpenError, Role};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::apart::{Publisher, follow};
use crate::authority;
use crate::command_line::{Exit, RunArguments};
use crate::config::{Config, Roles};
use crate::limits::{DELIVERIES_WAITING_MAX, STOP_DEADLINE};
use crate::logging;
use crate::networks::{Networks, NetworksError};
use crate::operator_socket;
use crate::runtime::{Beside, Decision, Runtime};
use crate::signals::Signals;

/// Why the server cannot start.
#[derive(Debug, Error)]
enum RunError {
    #[error("database: {0}")]
    Database(#[from] OpenError),
    #[error("database: {0}")]
    Hub(#[from] StoreError),
    #[error("the authority: {0}")]
    Root(String),
    #[error(transparent)]
    Networks(#[from] NetworksError),
    #[error("what is for the delivery service cannot be written into {0}: {1}")]
    Publish(PathBuf, std::io::Error),
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT.
pub fn run(arguments: &RunArguments) -> Exit {
    let (config, setup) = match authority::load(&arguments.config.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("mls-bridge: {faults}");
            return Exit::Faulty;
        }
    };
    logging::start(arguments.log_format);
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = threads.map_err(RunError::from).and_then(|threads| {
        let served = threads.block_on(serve(&config, setup));
        // A name that is still being resolved must not hold up the end.
        threads.shutdown_timeout(STOP_DEADLINE);
        served
    });
    match served {
        Ok(()) => Exit::Done,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            error.exit()
        }
    }
}

async fn serve(config: &Config, setup: HubSetup) -> Result<(), RunError> {
    let mut signals = Signals::catch()?;
    let version = env!("CARGO_PKG_VERSION");
    let (matrix, xmpp) = (setup.matrix.as_deref(), setup.xmpp.as_deref());
    tracing::info!(version, matrix, xmpp, "starting");
    let database = Database::open(&config.database, Role::Hub, None)?;
    if let Some(text) = authority::other_root(&setup, &database)? {
        return Err(RunError::Root(text));
    }
    let mut decision = Decision::open(&setup, &database)?;
    let beside = beside(config, &setup, &mut decision)?;
    let certifies = setup.roles.certifies();
    if certifies && let Some(root) = authority::root_fingerprint(&database)? {
        tracing::info!(root, "members compare this fingerprint of the authority");
    }
    let (sender, deliveries) = mpsc::channel(DELIVERIES_WAITING_MAX);
    let networks = Networks::start(config, &database, decision.rooms()?, &sender).await?;
    let networks = Arc::new(networks);
    drop(sender);
    let connected = tokio::spawn(tell_when_connected(Arc::clone(&networks)));
    let watch = tokio::spawn(authority::watch(setup.authority.clone()));
    let carrier = Arc::clone(&networks);
    let socket = operator_socket::path(&config.database);
    let orders = operator_socket::listen(&socket).unwrap_or_else(|error| {
        let socket = socket.display();
        tracing::warn!(%error, %socket, "`mls-bridge revoke` does not reach this server: stop it for that");
        mpsc::channel(1).1
    });
    let runtime = Runtime::new(setup, database, decision, carrier, deliveries, orders);
    let runtime = runtime.beside(beside);
    let stop = async {
        let signal = signals.wait().await;
        tracing::info!(signal, "stopping");
    };
    runtime.run(stop).await;
    // What stays is taken away by the next start.
    let _ = std::fs::remove_file(&socket);
    watch.abort();
    connected.abort();
    // Only an abort is awaited here.
    let _ = connected.await;
    // Nobody else holds it any more: all attempts have ended with the runtime.
    if let Some(networks) = Arc::into_inner(networks) {
        networks.stop().await;
    }
    tracing::info!("stopped; everything is kept");
    Ok(())
}

/// What goes to, or comes from, the process that is the other service. A list is followed until nobody takes any.
fn beside(config: &Config, setup: &HubSetup, decision: &mut Decision) -> Result<Beside, RunError> {
    Ok(match (&config.roles, &setup.roles) {
        (Roles::Authentication(delivery), _) => {
            let folder = &delivery.publish;
            let started = Publisher::start(folder, &decision.roots());
            Beside::Delivery(started.map_err(|error| RunError::Publish(folder.clone(), error))?)
        }
        (Roles::Delivery(other), hub::Roles::Delivery { roots, .. }) => {
            let (sender, lists) = mpsc::channel(1);
            let (file, roots) = (other.revoked.clone(), roots.clone());
            tokio::spawn(async move { follow(&file, &roots, sender).await });
            Beside::Authority(lists)
        }
        _ => Beside::Nobody,
    })
}

async fn tell_when_connected(networks: Arc<Networks>) {
    networks.wait_until_connected().await;
    tracing::info!("ready: connected to every configured network");
}

impl RunError {
    fn exit(&self) -> Exit {
        match self {
            Self::Database(_) | Self::Hub(_) => Exit::Database,
            Self::Root(_) => Exit::Faulty,
            Self::Networks(_) | Self::Publish(..) | Self::System(_) => Exit::Failed,
        }
    }
}
